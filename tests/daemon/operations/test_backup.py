"""Copies of the records: whole, kept, and the way back after the file was damaged."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.index.database import Condition, condition_of, open_records
from daemon.index.people.patients import add_patient, list_patients
from daemon.operations.backup import CopyError, copies_in, make_copy
from daemon.safe_files import only_one
from daemon.settings import Settings
from tests.conftest import drain

PAGE = 4096  # bytes


def gliowatch(settings: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
    folder = settings.daemon.inbox.parent
    command = [sys.executable, "-m", "gliowatch", "records", *words, "--settings", "settings.toml"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )


async def enter(records: Path, first: int, count: int) -> None:
    async with open_records(records) as database:
        for number in range(first, first + count):
            entered = {"name": f"Patient {number}", "symptoms": "headache " * 20}
            assert await add_patient(database, f"P{number:03}", entered)


async def names(records: Path) -> list[str]:
    async with open_records(records) as database:
        return [patient.name for patient in await list_patients(database, limit=1000)]


def overwrite(file: Path, first_page: int, pages: int) -> None:
    """Garbage over some pages, as a dying disk would leave it."""
    with file.open("r+b") as stream:
        stream.seek(first_page * PAGE)
        stream.write(bytes(range(1, 256)) * 16 * pages)


async def test_damaged_records_stop_the_run_and_come_back_from_the_copy(
    hospital: Settings,
) -> None:
    records = hospital.daemon.records
    await enter(records, 0, 100)
    done = gliowatch(hospital, "copy")
    assert done.returncode == 0, done.stderr
    await enter(records, 100, 5)
    overwrite(records, 3, 6)
    damaged = records.read_bytes()
    run = drain(records.parent)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1] == (
        "gliowatch: The records, which hold what people entered, are damaged;"
        " `gliowatch records restore` goes back to the newest good copy of them."
    )
    assert records.read_bytes() == damaged
    back = gliowatch(hospital, "restore")
    assert back.returncode == 0, back.stderr
    assert len(back.stdout.splitlines()) == 1
    assert "what was entered after that is lost" in back.stdout
    (aside,) = records.parent.glob("records.sqlite.damaged-*Z")
    assert aside.read_bytes() == damaged
    assert aside.name in back.stdout
    assert sorted(await names(records)) == sorted(f"Patient {n}" for n in range(100))
    assert records.stat().st_mode & 0o777 == 0o600
    assert drain(records.parent).returncode == 0


async def test_a_damaged_header_and_a_lost_file_are_told_too(hospital: Settings) -> None:
    records = hospital.daemon.records
    await enter(records, 0, 1)
    make_copy(records, hospital.daemon.copies, 3)
    overwrite(records, 0, 1)
    assert "are damaged; `gliowatch records restore`" in drain(records.parent).stderr
    records.unlink()
    assert "are gone; `gliowatch records restore`" in drain(records.parent).stderr
    assert not records.exists()
    assert gliowatch(hospital, "restore").returncode == 0
    assert await names(records) == ["Patient 0"]


async def test_a_damaged_copy_is_skipped_and_said(hospital: Settings) -> None:
    records, copies = hospital.daemon.records, hospital.daemon.copies
    await enter(records, 0, 60)
    make_copy(records, copies, 9)
    await enter(records, 60, 1)
    newest = make_copy(records, copies, 9)
    overwrite(newest.path, 2, 5)
    overwrite(records, 2, 5)
    back = gliowatch(hospital, "restore")
    assert back.returncode == 0, back.stderr
    skipped, told = back.stdout.splitlines()
    assert skipped.endswith("is damaged itself and was skipped.")
    assert "what was entered after that is lost" in told
    assert len(await names(records)) == 60
    assert len(copies_in(copies)) == 2


async def test_without_any_good_copy_nothing_is_changed(hospital: Settings) -> None:
    records = hospital.daemon.records
    await enter(records, 0, 60)
    copy = make_copy(records, hospital.daemon.copies, 9)
    for file in (copy.path, records):
        overwrite(file, 2, 5)
    before = records.read_bytes()
    back = gliowatch(hospital, "restore")
    assert back.returncode == 2
    assert "There is no good copy of the records to go back to." in back.stderr
    assert records.read_bytes() == before
    assert not list(records.parent.glob("*.damaged-*"))


async def test_sound_records_are_left_alone_unless_a_file_is_named(hospital: Settings) -> None:
    records = hospital.daemon.records
    await enter(records, 0, 2)
    copy = make_copy(records, hospital.daemon.copies, 3)
    await enter(records, 2, 1)
    refused = gliowatch(hospital, "restore")
    assert refused.returncode == 2
    assert "not damaged, so nothing was changed" in refused.stderr
    wrong = gliowatch(hospital, "restore", "settings.toml")
    assert "is no whole copy of records, so nothing was changed" in wrong.stderr
    assert len(await names(records)) == 3
    assert gliowatch(hospital, "restore", str(copy.path)).returncode == 0
    assert len(await names(records)) == 2
    (aside,) = records.parent.glob("records.sqlite.damaged-*Z")
    assert gliowatch(hospital, "restore", str(aside)).returncode == 0
    assert len(await names(records)) == 3


def test_restore_refuses_while_a_daemon_runs(hospital: Settings) -> None:
    with only_one(hospital.daemon.index):
        done = gliowatch(hospital, "restore")
    assert done.returncode == 2
    assert "Another gliowatch runs on this inbox already." in done.stderr


async def test_a_copy_is_made_while_others_write_and_holds_only_what_is_committed(
    tmp_path: Path,
) -> None:
    records = tmp_path / "records.sqlite"
    async with open_records(records) as database:
        await add_patient(database, "P1", {"name": "committed"})
        async with database.transaction():
            await database.change("UPDATE patients SET name = 'not yet'")
            copy = make_copy(records, tmp_path / "copies", 2)
    assert [path.name for path in (tmp_path / "copies").iterdir()] == [copy.path.name]
    assert await names(copy.path) == ["committed"]


async def test_only_the_newest_are_kept_whatever_the_clock_said(tmp_path: Path) -> None:
    records, folder = tmp_path / "records.sqlite", tmp_path / "copies"
    await enter(records, 0, 1)
    first = make_copy(records, folder, 3)
    ahead = first.path.rename(folder / "records-20990101T000000Z-000001.sqlite")
    (folder / "a note.txt").write_text("ours")
    made = [make_copy(records, folder, 3).path for _ in range(3)]
    assert [copy.path for copy in copies_in(folder)] == made[::-1]
    assert not ahead.exists()
    assert (folder / "a note.txt").exists()


async def test_damaged_records_make_no_copy_and_drive_none_out(tmp_path: Path) -> None:
    records, folder = tmp_path / "records.sqlite", tmp_path / "copies"
    await enter(records, 0, 60)
    good = make_copy(records, folder, 1)
    overwrite(records, 2, 5)
    with pytest.raises(CopyError, match="gliowatch records restore"):
        make_copy(records, folder, 1)
    assert list(folder.iterdir()) == [good.path]
    assert condition_of(good.path) is Condition.SOUND


def test_before_anything_was_entered_there_is_nothing_to_copy(hospital: Settings) -> None:
    done = gliowatch(hospital, "copy")
    assert done.returncode == 2
    assert done.stderr == "gliowatch: There are no records to copy yet.\n"
