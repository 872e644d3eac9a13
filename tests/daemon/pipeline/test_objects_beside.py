"""DICOM objects without a picture for us are kept with their study: no failed row, no revision."""

import hashlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    SegmentationStorage,
    generate_uid,
)

from daemon.settings import Settings
from tests.conftest import gliowatch, left_in_inbox, reports
from tests.daemon.intake.test_study_split import export
from tests.daemon.pipeline import corrections

OBJECTS = {
    "SR": BasicTextSRStorage,
    "SEG": SegmentationStorage,
    "PR": GrayscaleSoftcopyPresentationStateStorage,
    "KO": KeyObjectSelectionDocumentStorage,
    "DOC": EncapsulatedPDFStorage,
}


def write_object(path: Path, modality: str, study: str) -> str:
    """An object of a study that holds no picture of a head; its SHA-256."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = OBJECTS[modality]
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.Modality, made.PatientID, made.StudyInstanceUID = modality, "P", study
    made.SeriesInstanceUID = f"{study}.{modality.__len__()}9"
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(hospital: Settings) -> None:
    corrections.run(hospital)
    assert left_in_inbox(hospital) == []
    assert gliowatch(hospital, "verify").stdout.endswith("agree.\n")


def rows_of_worklist(hospital: Settings) -> int:
    """How many rows the list shows that is not asked for duplicates."""
    with sqlite3.connect(hospital.daemon.index) as index:
        sql = "SELECT count(*) FROM worklist WHERE stage != 'duplicate'"
        (count,) = index.execute(sql).fetchone()
    return int(count)


def beside(hospital: Settings) -> set[str]:
    """SHA-256 of all that was kept beside scans."""
    kept = (hospital.daemon.outbox / ".extra").glob("*/source/**/*")
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in kept if path.is_file()}


def test_objects_go_with_their_study_and_later_ones_beside_it(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "a", "1.2.1", "FLAIR", "1.2.1.1")
    write_object(patient / "a" / "SR1", "SR", "1.2.1")
    run(hospital)
    (report,) = reports(hospital)
    assert report["input"]["files"] == 7
    late = {write_object(patient / "b" / name, name, "1.2.1") for name in OBJECTS}
    run(hospital)
    assert reports(hospital) == [report]
    assert beside(hospital) == late
    assert (hospital.daemon.outbox / ".extra" / str(report["scan_id"])).is_dir()
    assert rows_of_worklist(hospital) == 1


def test_our_own_results_come_back_and_change_nothing(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "a", "1.2.1", "FLAIR", "1.2.1.1")
    run(hospital)
    before = reports(hospital)
    (folder,) = hospital.daemon.outbox.glob("P/*")
    for time in range(2):
        for path in folder.rglob("*.dcm"):
            shutil.copy(path, patient / f"{time}-{path.name}")
        run(hospital)
    assert reports(hospital) == before
    assert rows_of_worklist(hospital) == 1


@pytest.mark.parametrize("modality", ["SR", "SEG"])
def test_an_object_of_a_study_that_nobody_knows_is_kept(hospital: Settings, modality: str) -> None:
    patient = hospital.daemon.inbox / "P"
    digest = write_object(patient / "x", modality, "1.2.1")
    run(hospital)
    assert (reports(hospital), beside(hospital)) == ([], {digest})
    assert rows_of_worklist(hospital) == 0
    export(patient / "a", "1.2.1", "FLAIR", "1.2.1.1")
    run(hospital)
    assert [report["revision"] for report in reports(hospital)] == [1]
