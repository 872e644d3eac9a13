"""`gliowatch verify`, `--rebuild`, `queue`: the account of every file, what people change."""

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.settings import Settings
from tests.conftest import drain, gliowatch, left_in_inbox, reasons, reports
from tests.daemon.intake.test_study_split import export
from tests.daemon.pipeline.test_late_files import published


@pytest.fixture(autouse=True)
def _no_daemon_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody moves anything meanwhile, so a second look need not wait."""
    monkeypatch.setattr("daemon.operations.verify.SETTLE_SECONDS", 0.0)


def account(hospital: Settings) -> tuple[int, dict[str, Any]]:
    done = gliowatch(hospital, "verify", "--json")
    return done.returncode, json.loads(done.stdout)


def codes(hospital: Settings) -> list[str]:
    code, found = account(hospital)
    assert code == bool(found["differences"])
    return [each["code"] for each in found["differences"]]


def picture(place: Path, seed: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(pixels).save(place)


@pytest.fixture
def busy(hospital: Settings) -> Settings:
    """Done, revised, duplicate and rejected drops, one that waits, a temporary name."""
    inbox = hospital.daemon.inbox
    files = export(inbox / "D" / "x", "1.2.1", "FLAIR", "1.2.1.1")
    late = inbox.parent / "late"
    late.mkdir()
    for path in files[4:]:
        path.rename(late / path.name)
    picture(inbox / "A" / "a.png", 1)
    picture(inbox / "B" / "a.png", 1)
    (inbox / "B" / "bad.nii").write_bytes(b"no scan")
    assert drain(inbox.parent).returncode == 1
    for path in late.iterdir():
        shutil.copy(path, inbox / "D")
    picture(inbox / "A" / "again.png", 1)
    assert drain(inbox.parent).returncode == 0
    picture(inbox / "C" / "waits.png", 2)
    (inbox / "C" / "copying.nii.part").write_bytes(b"x")
    return hospital


def test_an_account_that_agrees_and_every_way_to_disagree(busy: Settings) -> None:
    code, found = account(busy)
    assert found["differences"] == []
    assert code == 0
    counts = {name: count for name, count in found["files"].items() if count}
    expected = {"done": 8, "duplicate": 1, "rejected": 1, "not_seen_yet": 1, "temporary_names": 1}
    assert counts == expected
    outbox, inbox = busy.daemon.outbox, busy.daemon.inbox
    (result,) = (path for path in outbox.glob("D/*") if path.name.endswith("-r2"))
    kept = next(result.rglob("source/r2/*"))
    content = kept.read_bytes()
    kept.unlink()
    assert codes(busy) == ["missing_file", "not_in_source"]
    kept.write_bytes(content[:-1] + b"?")
    assert codes(busy) == ["changed_file", "not_in_source"]
    kept.write_bytes(content)
    shutil.copytree(result, result.with_name("f" * 20))
    assert codes(busy) == ["damaged_result"]
    shutil.rmtree(result.with_name("f" * 20))
    shutil.move(inbox / ".rejected" / "B" / "bad.nii", inbox / ".rejected" / "B" / "other.nii")
    assert codes(busy) == ["not_aside", "unknown_aside"]
    shutil.move(inbox / ".rejected" / "B" / "other.nii", inbox / ".rejected" / "B" / "bad.nii")
    with sqlite3.connect(busy.daemon.index) as index:
        index.execute("DELETE FROM scans WHERE patient_id = 'A'")
    assert codes(busy) == ["unknown_result"]
    shutil.rmtree(outbox / "A")
    assert codes(busy) == ["not_in_source"]


def test_the_index_is_made_again_from_outbox_and_inbox(busy: Settings) -> None:
    ask = "SELECT scan_id, revision, patient_id, folder, content_sha256, study_uid FROM scans"
    with sqlite3.connect(busy.daemon.index) as index:
        before = set(index.execute(ask))
        names = set(index.execute("SELECT * FROM identities"))
    busy.daemon.index.write_bytes(b"\xff" * 4096 + busy.daemon.index.read_bytes()[4096:])
    done = gliowatch(busy, "verify", "--rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Inbox, index and outbox agree." in done.stdout
    with sqlite3.connect(busy.daemon.index) as index:
        assert set(index.execute(ask)) == before
        assert set(index.execute("SELECT * FROM identities")) == names
        states = dict(index.execute("SELECT state, count(*) FROM drops GROUP BY state"))
    assert states == {"done": 4, "duplicate": 1, "rejected": 1}
    assert list(busy.daemon.index.parent.glob("index.sqlite.before-*"))
    picture(busy.daemon.inbox / "A" / "once-more.png", 1)
    assert drain(busy.daemon.inbox.parent).returncode == 0
    assert len(reports(busy)) == 5
    assert codes(busy) == []


def test_a_damaged_index_is_made_again_at_the_start(busy: Settings) -> None:
    whole = bytearray(busy.daemon.index.read_bytes())
    whole[4096 : 3 * 4096] = os.urandom(2 * 4096)
    for ending in ("-wal", "-shm"):
        busy.daemon.index.with_name(f"index.sqlite{ending}").unlink(missing_ok=True)
    busy.daemon.index.write_bytes(whole)
    done = drain(busy.daemon.inbox.parent)
    assert done.returncode == 0, done.stderr
    assert "index_damaged" in done.stderr
    assert len(reports(busy)) == 5
    assert codes(busy) == []


def test_rebuild_refuses_while_a_daemon_runs(hospital: Settings) -> None:
    from daemon.safe_files import only_one

    with only_one(hospital.daemon.index):
        done = gliowatch(hospital, "verify", "--rebuild")
    assert done.returncode == 2
    assert "runs on this inbox already" in done.stderr


def test_what_people_change_in_the_queue(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    (inbox / "P").mkdir()
    (inbox / "P" / "bad.nii").write_bytes(b"no scan")
    picture(inbox / "Q" / "a.png", 3)
    assert gliowatch(hospital, "queue", "pause").stdout == "Queue paused.\n"
    assert drain(inbox.parent).returncode == 1
    assert gliowatch(hospital, "queue", "list").stdout.splitlines() == [
        "1: P, nifti, waiting",
        "2: Q, image, waiting",
    ]
    assert gliowatch(hospital, "queue", "urgent", "2").stdout == "Marked urgent: 1.\n"
    assert gliowatch(hospital, "queue", "cancel", "2").stdout == "Cancelled: 1.\n"
    assert gliowatch(hospital, "queue", "resume").returncode == 0
    assert drain(inbox.parent).returncode == 1
    assert reasons(hospital)["a.png"] == "It was cancelled."
    assert gliowatch(hospital, "queue", "retry", "1", "2").stdout == "Queued for retry: 2.\n"
    assert left_in_inbox(hospital) == ["P/bad.nii", "Q/a.png"]
    assert reasons(hospital) == {}
    assert drain(inbox.parent).returncode == 1
    assert [report["patient_id"] for report in reports(hospital)] == ["Q"]
    assert list(reasons(hospital)) == ["bad.nii"]
    assert codes(hospital) == []
    for words, said in (
        (("cancel", "nobody"), "There is no scan nobody."),
        (("cancel",), "Name the scans"),
        (("pause", "3"), "takes no scans"),
        (("reprocess", "f" * 20), "no published scan"),
    ):
        refused = gliowatch(hospital, "queue", *words)
        assert refused.returncode == 2
        assert said in refused.stderr


def test_a_published_scan_is_analyzed_again_by_other_weights_only(
    busy: Settings, tmp_path: Path
) -> None:
    names = {str(report["scan_id"]) for report in reports(busy)}
    gliowatch(busy, "queue", "reprocess", *names)
    assert drain(busy.daemon.inbox.parent).returncode == 0
    assert len(reports(busy)) == 5  # and the one that waited; the weights are the same
    settings = busy.daemon.inbox.parent / "settings.toml"
    settings.write_text(settings.read_text().replace("[model]\n", "[model]\nthreshold = 0.4\n"))
    said = gliowatch(busy, "queue", "reprocess", *names).stdout
    assert said == f"Queued for reprocessing: {len(names)}.\n"
    assert drain(busy.daemon.inbox.parent).returncode == 0
    found = published(busy).values()
    again = [report for report in found if report["model"]["threshold"] == 0.4]
    assert {report["scan_id"] for report in again} == names
    assert {report["supersedes"] for report in again} == {1, 2}
    assert all("judged_again" in [n["code"] for n in report["quality"]] for report in again)
    newest = {report["scan_id"]: report["input"]["sha256"] for report in found}
    assert all(report["input"]["sha256"] == newest[report["scan_id"]] for report in again)
    assert codes(busy) == []


def test_below_the_reserve_nothing_begins_and_nothing_is_lost(hospital: Settings) -> None:
    picture(hospital.daemon.inbox / "P" / "a.png", 4)
    folder = hospital.daemon.inbox.parent
    done = drain(folder, GLIOWATCH_DAEMON__RESERVE_GB="1e9")
    assert done.returncode == 1
    assert "disk_low" in done.stderr
    assert left_in_inbox(hospital) == ["P/a.png"]
    assert reports(hospital) == []
    assert drain(folder).returncode == 0
    assert len(reports(hospital)) == 1
