"""Trouble with disks, folders and leftovers: one scan's trouble never stops the next one."""

import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from daemon.settings import Settings
from tests.conftest import SAMPLES, deep_folder, drain, left_in_inbox, reports

PICTURE = next((SAMPLES / "a-picture").iterdir())


def drop(settings: Settings, *names: str) -> None:
    for name in names:
        target = settings.daemon.inbox / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PICTURE, target)


def drain_all(settings: Settings) -> int:
    return drain(settings.daemon.inbox.parent).returncode


@pytest.mark.long
def test_a_blocked_outbox_folder_costs_only_its_own_scan(hospital: Settings) -> None:
    drop(hospital, "A/a.png", "B/b.png", "C/c.png")
    hospital.daemon.outbox.mkdir()
    (hospital.daemon.outbox / "B").write_text("a file where a folder should be")
    assert drain_all(hospital) == 1
    assert sorted(str(r["patient_id"]) for r in reports(hospital)) == ["A", "C"]
    assert left_in_inbox(hospital) == ["B/b.png"]
    (hospital.daemon.outbox / "B").unlink()
    assert drain_all(hospital) == 0
    assert len(reports(hospital)) == 3


@pytest.mark.long
def test_a_damaged_result_is_made_anew_and_kept_aside(hospital: Settings) -> None:
    drop(hospital, "A/a.png")
    drain_all(hospital)
    (report,) = reports(hospital)
    folder = hospital.daemon.outbox / "A" / str(report["scan_id"])
    (folder / f"{report['scan_id']}_report.json").unlink()
    hospital.daemon.index.unlink()
    drop(hospital, "A/a.png")
    assert drain_all(hospital) == 0
    assert len(reports(hospital)) == 1
    assert list((hospital.daemon.outbox / ".damaged").iterdir())


@pytest.mark.long
def test_an_index_that_was_lost_takes_results_over_and_loses_no_bytes(hospital: Settings) -> None:
    drop(hospital, "A/a.png")
    drain_all(hospital)
    hospital.daemon.index.unlink()
    drop(hospital, "A/a.png")
    assert drain_all(hospital) == 0
    assert len(reports(hospital)) == 1
    hospital.daemon.index.unlink()
    archive = shutil.make_archive(
        str(hospital.daemon.inbox / "A" / "z"), "zip", PICTURE.parent, PICTURE.name
    )
    content = Path(archive).read_bytes()
    assert drain_all(hospital) == 0
    assert len(reports(hospital)) == 1
    assert (hospital.daemon.inbox / ".duplicates/A/z.zip").read_bytes() == content


def test_a_result_that_was_taken_away_is_made_again(hospital: Settings) -> None:
    drop(hospital, "A/a.png")
    drain_all(hospital)
    shutil.rmtree(hospital.daemon.outbox / "A")
    drop(hospital, "A/a.png")
    assert drain_all(hospital) == 0
    assert len(reports(hospital)) == 1


def test_a_leftover_of_a_copy_does_not_hold_up_the_night(hospital: Settings) -> None:
    drop(hospital, "A/a.png")
    folder = hospital.daemon.inbox / "B" / "series"
    folder.mkdir(parents=True)
    (folder / "1").write_bytes(b"x")
    (folder / "2.part").write_bytes(b"x")
    assert drain_all(hospital) == 0
    assert len(reports(hospital)) == 1
    assert left_in_inbox(hospital) == ["B/series/1", "B/series/2.part"]


@pytest.mark.long
def test_a_very_deep_folder_is_analyzed_and_stops_nobody(hospital: Settings) -> None:
    with deep_folder(hospital.daemon.inbox / "A") as deep:
        (deep / "a.nii").write_bytes(b"no scan")
        drop(hospital, "B/b.png")
        assert drain_all(hospital) == 1
        assert [str(r["patient_id"]) for r in reports(hospital)] == ["B"]
        assert not (deep / "a.nii").exists()
        subprocess.run(["rm", "-rf", hospital.daemon.inbox / ".rejected"], check=True)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns the test of its own tag
def test_tags_of_a_strange_dicom_file_do_not_reach_the_log(hospital: Settings) -> None:
    source = get_testdata_file("MR_small.dcm")
    assert isinstance(source, str)
    image = pydicom.dcmread(source)
    image.add_new("FrameOfReferenceUID", "UI", "SMITH^JOHN.not.a.uid")
    image.PatientName = "SMITH^JOHN"
    folder = hospital.daemon.inbox / "secretpatient"
    folder.mkdir()
    image.save_as(folder / "secretname.dcm")
    result = drain(hospital.daemon.inbox.parent)
    for secret in ("SMITH", "secretpatient", "secretname"):
        assert secret not in result.stderr
        assert secret not in result.stdout
