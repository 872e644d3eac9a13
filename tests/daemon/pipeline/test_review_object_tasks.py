"""What a PACS hears beside results: rejected studies, and what people said of results."""

import os
from datetime import UTC, datetime
from pathlib import Path

import highdicom as hd
import pydicom
import pytest

from daemon.drops import Drop, DropKind, DroppedFile
from daemon.intake.inbox_scan import identify
from daemon.outputs.dicom.review_statement import Verdict
from daemon.pipeline.extra_objects import faults_in
from daemon.pipeline.review_object_tasks import Reviewed, drop_key, tell_refusal, tell_review
from model.errors import UnreadableScan
from model.reading.dicom.study import read_dicom
from tests.daemon.outputs.dicom.test_object_contents import Case, report_on, tell
from tests.daemon.outputs.dicom.test_objects import errors_of
from tests.faults.scans import zipped
from tests.phantoms.dicom_series import Series, cut_deflated, write_series

REASON = "The study holds no FLAIR."
SAID = datetime(2024, 5, 9, 12, 0, tzinfo=UTC)


def dropped(inbox: Path) -> Drop:
    (inbox / "P" / "study").mkdir(parents=True)
    files = write_series(inbox / "P" / "study", series=Series(change=tell))
    (inbox / "P" / "study" / "notes.txt").write_text("no DICOM")
    paths = [*files, inbox / "P" / "study" / "notes.txt"]
    return Drop(b"P", "P", DropKind.DICOM, False, looks_of(inbox, paths))


def looks_of(inbox: Path, paths: list[Path]) -> tuple[DroppedFile, ...]:
    return tuple(identify(os.fsencode(each.relative_to(inbox)), each.lstat()) for each in paths)


def test_a_rejected_study_is_told_once(tmp_path: Path) -> None:
    drop, outbox = dropped(tmp_path / "inbox"), tmp_path / "outbox"
    outbox.mkdir()
    assert tell_refusal(tmp_path / "inbox", drop, outbox, REASON) == 1
    (path,) = (outbox / ".extra" / drop_key(drop) / "dicom").iterdir()
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert tell_refusal(tmp_path / "inbox", drop, outbox, REASON) == 1
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    made = pydicom.dcmread(path)
    assert REASON in made.to_json()
    assert made.StudyInstanceUID == "1.2.3.4"
    assert made.IssuerOfPatientID == "HOSP_A"
    content: object = hd.sr.srread(path).content
    assert "111225" in str(made.to_json()), "not attempted"
    assert content is not None
    assert errors_of(path) == []
    assert list(faults_in(outbox)) == []
    path.write_bytes(path.read_bytes() + b"\0")
    assert [fault.message for fault in faults_in(outbox)] == ["The object is not what was written."]
    path.unlink()
    assert [fault.message for fault in faults_in(outbox)] == ["The object is missing."]


def test_a_rejected_zip_is_told_by_its_members_and_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    inbox, outbox = tmp_path / "inbox", tmp_path / "outbox"
    outbox.mkdir()
    study = dropped(inbox)
    members = {
        f"a/{n}": (inbox / os.fsdecode(f.path)).read_bytes() for n, f in enumerate(study.files)
    }
    for name, content in (("whole", members), ("bomb", members | {"zeros.dcm": bytes(50 << 20)})):
        (inbox / "P" / f"{name}.zip").write_bytes(zipped(content))
    whole, bomb = (
        Drop(b"P", "P", DropKind.ZIP, False, looks_of(inbox, [inbox / "P" / f"{name}.zip"]))
        for name in ("whole", "bomb")
    )
    assert tell_refusal(inbox, whole, outbox, REASON) == 1
    (path,) = (outbox / ".extra" / drop_key(whole) / "dicom").iterdir()
    assert REASON in pydicom.dcmread(path).to_json()
    assert errors_of(path) == []
    with pytest.raises(UnreadableScan):
        tell_refusal(inbox, bomb, outbox, REASON)
    assert not (outbox / ".extra" / drop_key(bomb)).exists()


def test_a_file_that_no_reader_can_open_leaves_the_others_told(tmp_path: Path) -> None:
    inbox, outbox = tmp_path / "inbox", tmp_path / "outbox"
    drop = dropped(inbox)
    outbox.mkdir()
    paths = [inbox / os.fsdecode(file.path) for file in drop.files]
    cut_deflated(paths[0])
    again = Drop(b"P", "P", DropKind.DICOM, False, looks_of(inbox, paths))
    assert tell_refusal(inbox, again, outbox, REASON) == 1


@pytest.fixture
def case(tmp_path: Path) -> Case:
    root = tmp_path / "outbox"
    (root / "source").mkdir(parents=True)
    return Case(read_dicom(write_series(root / "source", series=Series(change=tell))), root)


def told(outbox: Path) -> Path:
    (path,) = (outbox / ".extra" / ("5" * 20) / "dicom").iterdir()
    return path


def test_an_accepted_result_is_verified(case: Case) -> None:
    report = report_on(case.volume)
    folder = case.written(report, "result")
    verdict = Verdict(True, "Ada=Lovelace^", "St. Mary", SAID, 100_007)
    reviewed = Reviewed(report, Path("result"), verdict)
    assert tell_review(case.root, reviewed)
    path = told(case.root)
    before = path.read_bytes()
    assert tell_review(case.root, reviewed), "and it is there already"
    assert path.read_bytes() == before
    made = pydicom.dcmread(path)
    assert made.VerificationFlag == "VERIFIED"
    (observer,) = made.VerifyingObserverSequence
    assert observer.VerifyingObserverName.family_name == "Ada Lovelace"
    assert observer.VerifyingOrganization == "St. Mary"
    assert observer.VerificationDateTime == "20240509070000", "in the study's zone"
    (old,) = (folder / "dicom").glob("*_sr.dcm")
    (study,) = made.PredecessorDocumentsSequence
    (document,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert document.ReferencedSOPInstanceUID == pydicom.dcmread(old).SOPInstanceUID
    assert made.SOPInstanceUID != pydicom.dcmread(old).SOPInstanceUID
    assert errors_of(path) == []


def test_a_rejected_result_gets_a_note_that_names_all_its_objects(case: Case) -> None:
    report = report_on(case.volume)
    folder = case.written(report, "result")
    verdict = Verdict(False, "Ada Lovelace", "", SAID, 100_008)
    assert tell_review(case.root, Reviewed(report, Path("result"), verdict))
    path = told(case.root)
    made = hd.ko.KeyObjectSelectionDocument.from_dataset(pydicom.dcmread(path))
    assert made.ConceptNameCodeSequence[0].CodeValue == "113001"
    names = {str(pydicom.dcmread(each).SOPInstanceUID) for each in folder.rglob("*.dcm")}
    assert {item.referenced_sop_instance_uid for item in made.content.get_references()} == names
    assert errors_of(path) == []


def test_what_a_later_revision_keeps_is_not_rejected(case: Case) -> None:
    first = report_on(case.volume)
    case.written(first, "r1")
    second = report_on(case.volume, revision=2, supersedes=1, volume_ml_range=[0.4, 0.8])
    case.written(second, "r2", before="r1", asked=SAID)
    verdict = Verdict(False, "", "", SAID, 2_000_000_002)
    assert tell_review(case.root, Reviewed(first, Path("r1"), verdict, Path("r2")))
    path = told(case.root)
    made = hd.ko.KeyObjectSelectionDocument.from_dataset(pydicom.dcmread(path))
    named = {item.referenced_sop_class_uid for item in made.content.get_references()}
    assert hd.UID("1.2.840.10008.5.1.4.1.1.66.4") not in named, "the SEG stays"
    assert len(named) == 3, "SR, PDF, and captures with another sentence"
    assert errors_of(path) == []
