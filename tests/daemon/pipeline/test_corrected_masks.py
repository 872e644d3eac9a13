"""A corrected mask becomes a revision that is measured like the first, once, whatever crashes."""

import asyncio
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.index.database import open_index, open_records
from daemon.records.corrections import settle
from daemon.settings import Settings, load_settings
from tests.browser.chromium import copy_hospital
from tests.conftest import gliowatch, hospital_in, reports
from tests.daemon.pipeline.corrections import (
    block,
    drop_picture,
    drop_volume,
    keep,
    mask_in,
    newest,
    on_record,
    published,
    run,
    save,
    send,
)
from tests.daemon.pipeline.test_crash_recovery import wait_for

Start = Callable[[Path], "subprocess.Popen[bytes]"]
ML = 5.0 / 1000  # of a voxel of the small scan


@pytest.fixture(scope="module")
def analyzed_once(small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume of P and a picture of Q, published."""
    hospital = hospital_in(tmp_path_factory.mktemp("judged"), small_weights)
    drop_volume(hospital.daemon.inbox, "P")
    drop_picture(hospital.daemon.inbox, "Q")
    run(hospital)
    return hospital.daemon.inbox.parent


@pytest.fixture
def hospital(analyzed_once: Path, tmp_path: Path) -> Settings:
    """The same, a test's own."""
    return load_settings(copy_hospital(analyzed_once, tmp_path / "hospital") / "settings.toml")


@pytest.fixture
def analyzed(hospital: Settings) -> dict[str, str]:
    """The scan_id by patient."""
    return {str(report["patient_id"]): str(report["scan_id"]) for report in reports(hospital)}


def codes(report: dict[str, Any]) -> list[str]:
    return [note["code"] for note in report["quality"]]


def test_masks_become_revisions_with_the_persons_numbers_and_leave_as_cases(
    hospital: Settings, analyzed: dict[str, str], tmp_path: Path
) -> None:
    first, before = newest(hospital, analyzed["P"])
    drawn = np.zeros((60, 64), np.uint8)
    drawn[10:20, 30:50] = 255
    Image.fromarray(drawn).save(tmp_path / "q.png")
    send(hospital, analyzed["P"], save(block(), tmp_path / "p.nii.gz"), "Dr. <b>Ada</b>")
    send(hospital, analyzed["P"], save(block(20, 25), tmp_path / "p2.nii.gz"), "Bob")
    send(hospital, analyzed["P"], save(block() * 0, tmp_path / "empty.nii.gz"), "Eve")
    send(hospital, analyzed["Q"], tmp_path / "q.png")
    run(hospital, 1)  # the empty one, of which nobody said that there is no tumor
    assert published(hospital, "P") == ["", "-r2", "-r3"]
    folder, report = newest(hospital, analyzed["P"])
    assert np.array_equal(mask_in(folder), block(20, 25) > 0)
    assert report["volume_ml"] == pytest.approx(100 * ML)
    assert (report["volume_ml_range"], report["confidence"]) == (None, None)
    assert [lesion["mean_probability"] for lesion in report["lesions"]] == [None]
    assert (report["supersedes"], report["mask"]["by"]) == (2, "Bob")
    assert report["mask"]["agreement"]["revision"] == 1  # not with the other person's mask
    assert report["model"] == before["model"]
    assert codes(report).count("corrected") == 1
    assert {"_overlay.png", "_report.pdf", "_planes.png", "_lesion1.png"} <= {
        path.name[20:] for path in folder.iterdir()
    }
    picture = newest(hospital, analyzed["Q"])[1]
    assert (picture["area_px"], picture["volume_ml"]) == (200, None)
    ada, bob, eve, _ = on_record(hospital)
    assert (ada["revision"], bob["revision"], eve["revision"]) == (2, 3, None)
    assert "tick that there is none" in eve["refused"]
    model = mask_in(first)
    both = 2 * (model & (block() > 0)).sum() / (model.sum() + block().sum())
    assert ada["dice"] == pytest.approx(both, abs=1e-4)
    assert gliowatch(hospital, "verify").returncode == 0
    done = gliowatch(hospital, "export", "--masks", str(tmp_path / "cases"))
    assert "1 accepted masks" in done.stdout  # P's newest; Q's is a picture
    (case,) = (tmp_path / "cases").iterdir()
    assert np.array_equal(mask_in(case), block(20, 25) > 0)
    reprocess_on_top(hospital, analyzed["P"])
    gliowatch(hospital, "export", "--masks", str(tmp_path / "cases"))
    assert np.array_equal(mask_in(case), block(20, 25) > 0)  # nobody has looked at the newest


def reprocess_on_top(hospital: Settings, scan_id: str) -> None:
    """The network's new mask is the newest, and the corrected one stays in its revision."""
    assert gliowatch(hospital, "queue", "reprocess", scan_id).returncode == 0
    other = hospital.model.model_copy(update={"threshold": 0.4})
    run(hospital.model_copy(update={"model": other}))
    assert published(hospital, "P") == ["", "-r2", "-r3", "-r4"]
    _, report = newest(hospital, scan_id)
    assert "mask" not in report
    assert "corrected" not in codes(report)


def test_no_tumor_is_a_correction_and_the_same_mask_again_is_none(
    hospital: Settings, analyzed: dict[str, str], tmp_path: Path
) -> None:
    empty = save(block() * 0, tmp_path / "empty.nii.gz")
    send(hospital, analyzed["P"], empty, empty=True)
    send(hospital, analyzed["P"], empty, empty=True)
    run(hospital, 1)
    report = newest(hospital, analyzed["P"])[1]
    assert (report["finding"], report["volume_ml"], report["revision"]) == ("no_tumor", 0.0, 2)
    assert [row["refused"] is None for row in on_record(hospital)] == [True, False]
    assert "accept that one" in on_record(hospital)[1]["refused"]
    assert gliowatch(hospital, "verify", "--rebuild").returncode == 0
    settle_again(hospital)
    with sqlite3.connect(hospital.daemon.index) as index:
        told = "SELECT count(*) FROM drops WHERE kind = 'correct'"
        assert index.execute(told).fetchone() == (0,)  # neither waits again
    assert gliowatch(hospital, "verify").returncode == 0
    (kept,) = (hospital.daemon.outbox / ".corrections").glob("*/*.nii.gz")
    kept.write_bytes(b"another")
    (kept.parent / "stray.nii.gz").write_bytes(b"of nobody")
    told = gliowatch(hospital, "verify").stdout
    assert "no_correction" in told
    assert "unknown_correction" in told


def settle_again(settings: Settings) -> None:
    """What the daemon does at each look."""

    async def look() -> None:
        daemon = settings.daemon
        async with open_index(daemon.index) as index, open_records(daemon.records) as records:
            await settle(index, records)

    asyncio.run(look())


def lose_note(settings: Settings) -> None:
    """As if a crash had come before the records knew what became of a correction."""
    with sqlite3.connect(settings.daemon.records) as records:
        records.execute("UPDATE corrections SET revision = NULL, dice = NULL")


def lose_commit(settings: Settings) -> None:
    """As if a crash had come before that, and before the index knew the revision."""
    lose_note(settings)
    with sqlite3.connect(settings.daemon.index) as index:
        index.execute("DELETE FROM scans WHERE revision = 2")
        index.execute("DELETE FROM drops WHERE kind = 'correct'")


def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(
    hospital: Settings, analyzed: dict[str, str], tmp_path: Path, start_daemon: Start
) -> None:
    mask = save(block(), tmp_path / "p.nii.gz")
    keep(hospital, analyzed["P"], mask)  # and the crash came before it was on record: it is told of
    assert "unknown_correction" in gliowatch(hospital, "verify").stdout
    send(hospital, analyzed["P"], mask)
    process = start_daemon(hospital.daemon.inbox.parent)
    staging = hospital.daemon.outbox / ".staging"
    wait_for(lambda: list(staging.glob("*/source/*")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert published(hospital, "P") in ([""], ["", "-r2"])
    run(hospital)
    assert published(hospital, "P") == ["", "-r2"]
    lose_note(hospital)
    settle_again(hospital)
    assert on_record(hospital)[0]["revision"] == 2
    lose_commit(hospital)
    run(hospital)
    assert published(hospital, "P") == ["", "-r2"]
    (row,) = on_record(hospital)
    assert (row["revision"], row["refused"]) == (2, None)
    assert row["dice"] is not None
    with sqlite3.connect(hospital.daemon.index) as index:
        told = "SELECT count(*) FROM drops WHERE kind = 'correct' AND state = 'done'"
        assert index.execute(told).fetchone() == (1,)
    assert gliowatch(hospital, "verify").returncode == 0
