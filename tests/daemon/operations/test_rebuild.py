"""An index that is lost, damaged or half made again: never taken for a new or a whole one."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from daemon.index.database import open_index
from daemon.operations import rebuild as rebuilding
from daemon.operations.rebuild import rebuild, unfinished_file
from daemon.pipeline.lost_index import IndexLost, is_lost
from daemon.service import run_daemon
from daemon.settings import Settings
from tests.conftest import drain, gliowatch, reports, until
from tests.daemon.operations.test_verify import busy, picture
from tests.daemon.test_systemd import Supervisor, supervisor

__all__ = ["busy", "supervisor"]

LISTS = {
    "worklist": "scan_id, patient_id, stage, finding, volume_ml, side, acquired_at, accession,"
    " growth, flags, is_doubtful, corrected_by, judged, revision, decision, looked_up, brief,"
    " folder, content_sha256",
    "worklist_flags": "code, scan_id",
    "patient_scans": "patient_id, scans",
    "totals": "finding, scans, round(read_seconds, 3), round(write_seconds, 3)",
    "sqlite_master": "type, name, tbl_name, sql",
}


def lists(index: Path) -> dict[str, set[tuple[object, ...]]]:
    """What the index derives, without numbers that count changes and times of entry."""
    with closing(sqlite3.connect(index)) as database:
        return {
            table: set(database.execute(f"SELECT {columns} FROM {table}"))
            for table, columns in LISTS.items()
        }


def lose(index: Path) -> None:
    for path in index.parent.glob(f"{index.name}*"):
        path.unlink()


@pytest.mark.parametrize("emptied", [False, True])
def test_a_lost_index_is_refused_by_commands_and_made_again_at_the_start(
    busy: Settings, emptied: bool
) -> None:
    index = busy.daemon.index
    with closing(sqlite3.connect(index, isolation_level=None)) as database:
        database.execute("UPDATE worklist SET looked_up = 0")
    before = lists(index)
    lose(index)
    if emptied:  # as `gliowatch queue list` once did
        asyncio.run(make_empty(index))
    for words in (("queue", "list"), ("verify",), ("export",)):
        refused = gliowatch(busy, *words)
        assert refused.returncode == 2
        assert "is missing or empty, but the outbox is full" in refused.stderr
    assert index.exists() is emptied
    done = drain(busy.daemon.inbox.parent)
    assert "index_lost" in done.stderr
    assert done.returncode == 0, done.stderr
    assert len(reports(busy)) == 5
    after = lists(index)
    new = {row for row in after["worklist"] if row not in before["worklist"]}
    assert [row[1] for row in new if row[2] == "done"] == ["C"]  # that waited, and is done now
    assert before["worklist_flags"] <= after["worklist_flags"]
    assert after["sqlite_master"] == before["sqlite_master"]


async def make_empty(index: Path) -> None:
    async with open_index(index):
        pass


async def test_the_lists_are_those_that_the_triggers_made(busy: Settings) -> None:
    index = busy.daemon.index
    with closing(sqlite3.connect(index, isolation_level=None)) as database:
        database.execute("UPDATE worklist SET looked_up = 0")  # reviews are looked up anew
    before = lists(index)
    await rebuild(busy.daemon)
    after = lists(index)
    scans = {row for row in before["worklist"] if row[0]}
    assert scans == {row for row in after["worklist"] if row[0]}
    for table in ("worklist_flags", "patient_scans", "totals", "sqlite_master"):
        assert after[table] == before[table], table


async def test_a_duplicate_knows_its_scan_again(busy: Settings) -> None:
    ask = "SELECT patient_id, scan_id FROM drops WHERE state = 'duplicate'"
    with closing(sqlite3.connect(busy.daemon.index)) as database:
        before = list(database.execute(ask))
    await rebuild(busy.daemon)
    with closing(sqlite3.connect(busy.daemon.index)) as database:
        assert list(database.execute(ask)) == before
        assert before[0][1] is not None


async def test_half_an_index_is_never_taken_for_a_whole_one_and_goes_on(
    busy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lists(busy.daemon.index)
    read: list[bytes] = []
    really = rebuilding._found_in

    def noted(outbox: Path, folders: list[bytes]) -> object:
        read.extend(folders)
        return really(outbox, folders)

    monkeypatch.setattr(rebuilding, "_found_in", noted)
    with monkeypatch.context() as cut_off:
        cut_off.setattr(rebuilding, "queue_all_stale", None)  # all but the very end is done
        with pytest.raises(TypeError):
            await rebuild(busy.daemon)
    assert len(read) == 4
    assert not busy.daemon.index.exists()
    assert await is_lost(busy.daemon)
    await rebuild(busy.daemon)
    assert len(read) == 4  # nothing was read twice
    assert not unfinished_file(busy.daemon.index).exists()
    again = lists(busy.daemon.index)
    assert again["totals"] == whole["totals"]
    with closing(sqlite3.connect(busy.daemon.index)) as database:
        states = dict(database.execute("SELECT state, count(*) FROM drops GROUP BY state"))
    assert states == {"done": 4, "duplicate": 1, "rejected": 1}


async def test_the_daemon_notices_that_its_index_is_gone(hospital: Settings) -> None:
    picture(hospital.daemon.inbox / "A" / "a.png", 1)
    stop = asyncio.Event()
    work = asyncio.create_task(run_daemon(hospital, False, stop))
    await until(lambda: reports(hospital))
    lose(hospital.daemon.index)
    with pytest.raises(IndexLost, match="was deleted or replaced while gliowatch ran"):
        await asyncio.wait_for(work, 30)
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    checked = await asyncio.to_thread(gliowatch, hospital, "verify")
    assert checked.returncode == 0, checked.stdout


async def test_systemd_is_asked_for_time_and_told_how_far_it_is(
    busy: Settings, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(busy.daemon.index)
    monkeypatch.setenv("NOTIFY_SOCKET", str(busy.daemon.inbox.parent / "notify"))
    assert await run_daemon(busy, True, asyncio.Event()) == 0
    heard = supervisor.messages
    ready = heard.index("READY=1")
    assert "EXTEND_TIMEOUT_USEC=60000000" in heard[:ready]
    assert "STATUS=Making the index again: 4 of 4 results." in heard[:ready]
