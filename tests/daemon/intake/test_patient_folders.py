"""Whose DICOM files are, where a sender lays out the inbox by study or by series."""

import sqlite3
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from daemon.settings import Settings
from tests.conftest import drain, left_in_inbox, reports
from tests.daemon.intake.test_study_split import BIG
from tests.phantoms.dicom_series import Series, write_series


def send(folder: Path, study: str, patient_id: str, name: str = "FLAIR", shift: int = 0) -> None:
    """One series in a folder, as a sender writes it."""
    folder.mkdir(parents=True, exist_ok=True)

    def change(number: int, image: Dataset) -> None:
        image.StudyInstanceUID, image.FrameOfReferenceUID = study, "1.9"
        image.PatientID = patient_id

    series = Series(name=name, uid=f"{study}.{name.__len__()}", change=change)
    write_series(folder, BIG + len(study) + shift, series=series)


def patients(settings: Settings) -> list[tuple[str, int, int]]:
    """Of every report the patient, the revision, and how many series there were."""
    return sorted(
        (
            str(report["patient_id"]),
            int(str(report["revision"])),
            len(report["input"]["series"]),
        )
        for report in reports(settings)
    )


@pytest.mark.long
def test_by_study_the_patient_is_the_patient_id_however_many_folders(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    send(inbox / "1.2.1.5", "1.2.1", "77")
    send(inbox / "1.2.1.9", "1.2.1", "77", "t1 mprage", 3)
    send(inbox / "export" / "a", "1.2.22", "88")
    send(inbox / "export" / "b", "1.2.333", "1/2")
    (inbox / "export" / "a" / "notes.txt").write_text("Dear doctor")
    send(inbox / "anonymous", "1.2.4444", " ")
    send(inbox / "99" / "upload-1" / "x", "1.2.55555", "88")  # a person chose the patient
    done = drain(inbox.parent, GLIOWATCH_DAEMON__FOLDER="study")
    assert done.returncode == 0, done.stderr
    assert [each[0] for each in patients(hospital)] == ["1/2", "77", "88", "99", "unassigned"]
    assert patients(hospital)[1] == ("77", 1, 2)
    assert left_in_inbox(hospital) == []
    folders = {path.name for path in inbox.iterdir() if not path.name.startswith(".")}
    assert not folders & {"1.2.1.5", "1.2.1.9", "export", "anonymous"}
    with sqlite3.connect(hospital.daemon.records) as records:
        known = {row[0] for row in records.execute("SELECT patient_id FROM patients")}
    assert known == {"1%2F2", "77", "88", "99", "unassigned"}
    assert list(hospital.daemon.outbox.glob("88/*/source/export/a/notes.txt"))


def test_by_itself_a_folder_is_its_patients_only_where_its_name_is_the_id(
    hospital: Settings,
) -> None:
    inbox = hospital.daemon.inbox
    send(inbox / "77" / "s", "1.2.1", "77")
    send(inbox / "Doe_Jane" / "s", "1.2.22", "88")
    send(inbox / "Smith" / "s", "1.2.333", "")
    send(inbox / "55" / "s", "1.2.4444", "55")
    send(inbox / "55" / "t", "1.2.55555", "66")
    done = drain(inbox.parent, GLIOWATCH_DAEMON__FOLDER="auto")
    assert done.returncode == 0, done.stderr
    assert [each[0] for each in patients(hospital)] == ["55", "66", "77", "88", "Smith"]


def test_a_folder_is_the_patients_unless_the_site_says_otherwise(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    send(inbox / "Doe_Jane" / "s", "1.2.22", "88")
    assert drain(inbox.parent).returncode == 0
    assert patients(hospital) == [("Doe_Jane", 1, 1)]
