"""A site goes on on another machine: what people entered, what was found, what they drew."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.index.database import open_records
from daemon.index.people.patients import add_patient, patients_by_id
from daemon.operations.live_copy import NAME, LiveCopy
from daemon.records.corrections import CORRECTIONS
from daemon.settings import Settings, load_settings
from tests.browser.chromium import copy_hospital
from tests.conftest import gliowatch, running_daemon, until

COMMAND = (sys.executable, "-m", "gliowatch")
ADA = "Ada Lovelace"


async def enter(records: Path, patient: str = "P1") -> None:
    async with open_records(records) as database:
        await add_patient(database, patient, {"name": ADA})


async def entered(records: Path, patient: str = "P1") -> str:
    async with open_records(records) as database:
        found = await patients_by_id(database, [patient])
    return found[patient].name if patient in found else ""


def drawn(outbox: Path) -> Path:
    mask = outbox / CORRECTIONS / "s1" / "mask.nii.gz"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(b"drawn by a person")
    return mask


@pytest.fixture
def site(analyzed_samples: Path, tmp_path: Path) -> Settings:
    """A hospital with published scans, a patient that somebody entered, and a drawn mask."""
    place = copy_hospital(analyzed_samples, tmp_path / "old")
    settings = load_settings(place / "settings.toml")
    asyncio.run(enter(settings.daemon.records))
    drawn(settings.daemon.outbox)
    return settings


def restore(backup: Path, place: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, "restore", str(backup), "--settings", str(place / "settings.toml")],
        capture_output=True,
        text=True,
        check=False,
    )


def test_another_machine_goes_on_from_a_backup(site: Settings, tmp_path: Path) -> None:
    done = gliowatch(site, "backup", str(tmp_path / "monday"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "monday").stat().st_mode & 0o077 == 0
    new = tmp_path / "new"
    shutil.copytree(site.daemon.outbox, new / "outbox")
    shutil.rmtree(new / "outbox" / CORRECTIONS)
    shutil.copytree(site.daemon.inbox, new / "inbox")
    assert restore(tmp_path / "monday", new).returncode == 0
    settings = load_settings(new / "settings.toml")
    assert asyncio.run(entered(settings.daemon.records)) == ADA
    assert (settings.daemon.outbox / CORRECTIONS / "s1" / "mask.nii.gz").read_bytes()
    (settings.daemon.outbox / CORRECTIONS / "s1" / "mask.nii.gz").unlink()  # of no record
    verified = gliowatch(settings, "verify")
    assert verified.returncode == 0, verified.stdout


def test_what_is_missing_is_told_and_nothing_is_overwritten(site: Settings, tmp_path: Path) -> None:
    gliowatch(site, "backup", str(tmp_path / "monday"))
    again = gliowatch(site, "backup", str(tmp_path / "monday"))
    assert (again.returncode, "there already" in again.stderr) == (2, True)
    done = restore(tmp_path / "monday", tmp_path / "new")
    assert done.returncode == 1
    assert "Files of the outbox are missing" in done.stdout
    over = restore(tmp_path / "monday", tmp_path / "new")
    assert (over.returncode, "is there already" in over.stderr) == (2, True)


def test_a_changed_backup_is_refused_whole(site: Settings, tmp_path: Path) -> None:
    gliowatch(site, "backup", str(tmp_path / "monday"))
    with (tmp_path / "monday" / "records.sqlite").open("r+b") as stream:
        stream.seek(100)
        stream.write(b"x")
    done = restore(tmp_path / "monday", tmp_path / "new")
    assert done.returncode == 2
    assert "records.sqlite of the backup is missing or was changed" in done.stderr
    assert not (tmp_path / "new").exists()
    assert restore(tmp_path, tmp_path / "new").returncode == 2  # no backup at all


def test_settings_that_are_there_count(site: Settings, tmp_path: Path) -> None:
    gliowatch(site, "backup", str(tmp_path / "monday"))
    new = tmp_path / "new"
    new.mkdir()
    (new / "settings.toml").write_text('[daemon]\nrecords = "people.sqlite"\n')
    restore(tmp_path / "monday", new)
    assert asyncio.run(entered(new / "people.sqlite")) == ADA


async def test_what_is_entered_is_copied_at_once(hospital: Settings, tmp_path: Path) -> None:
    away = tmp_path / "away"
    daemon = hospital.daemon.model_copy(update={"live_copy": str(away)})
    settings = hospital.model_copy(update={"daemon": daemon})
    async with running_daemon(settings):
        await until((away / NAME).exists)
        await enter(daemon.records, "P7")
        mask = drawn(daemon.outbox)
        await until((away / "s1" / mask.name).exists)
    assert await entered(away / NAME, "P7") == ADA
    assert (away / "s1" / mask.name).read_bytes() == mask.read_bytes()


async def test_a_share_that_is_away_stops_nobody(hospital: Settings, tmp_path: Path) -> None:
    await enter(hospital.daemon.records)
    copy = LiveCopy(hospital.daemon.records, hospital.daemon.outbox, tmp_path / "share" / "live")
    await copy.look()
    assert not (tmp_path / "share").exists()
    (tmp_path / "share").mkdir()
    await copy.look()
    assert await entered(tmp_path / "share" / "live" / NAME) == ADA


def test_a_copy_whose_maker_is_killed_is_whole(hospital: Settings, tmp_path: Path) -> None:
    """Killed at any moment, the name stands for a whole copy, and the next one replaces it."""
    asyncio.run(enter(hospital.daemon.records))
    code = (
        "import sys; from pathlib import Path; from daemon.operations.live_copy import LiveCopy\n"
        "copy = LiveCopy(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))\n"
        "print(flush=True)\n"
        "while True: copy._copied = None; copy.copy()\n"
    )
    away = tmp_path / "away"
    places = [str(hospital.daemon.records), str(hospital.daemon.outbox), str(away)]
    for number in range(5):
        process = subprocess.Popen([sys.executable, "-c", code, *places], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.read(1)
        asyncio.run(until((away / NAME).exists))
        time.sleep(0.02 * number)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert asyncio.run(entered(away / NAME)) == ADA
