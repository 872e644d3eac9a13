"""The reconcile beside other tasks: what is tidied while folders are read is no new drop."""

import asyncio
import os
from collections.abc import Collection

import pytest

from daemon.drops import QueuedDrop, State
from daemon.index import ledger
from daemon.index.database import Database
from daemon.index.queue import claim_next
from daemon.intake import inbox_reconciler, inbox_scan
from daemon.intake.inbox_reconciler import Reconciler, pause_after_whole
from daemon.intake.inbox_scan import InboxScanner, Listing
from daemon.settings import Settings
from tests.daemon.intake.test_study_split import reconciler


async def claimed(inbox: Reconciler, index: Database) -> QueuedDrop:
    """The one drop, seen, rested and handed out."""
    for _ in range(2):
        await inbox.look()
    claim = await claim_next(index, "me")
    assert claim is not None
    return claim


@pytest.mark.parametrize("state", [State.DONE, State.DUPLICATE, State.REJECTED])
async def test_a_drop_tidied_between_listing_and_ledger_is_not_entered_again(
    hospital: Settings, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = hospital.daemon.inbox / "P" / "a.nii"
    file.parent.mkdir()
    file.write_bytes(b"x")
    async with reconciler(hospital, ()) as (inbox, index):
        claim = await claimed(inbox, index)
        async with index.transaction():
            await index.change("UPDATE drops SET state = ?", (state,))
        loop, listed = asyncio.get_running_loop(), InboxScanner.scan

        def list_then_tidy(self: InboxScanner, only: Collection[bytes] | None = None) -> Listing:
            listing = listed(self, only)
            tidied = asyncio.run_coroutine_threadsafe(inbox.tidy(claim.drop_id), loop)
            tidied.result(10)
            return listing

        monkeypatch.setattr(InboxScanner, "scan", list_then_tidy)
        await inbox.look()
        assert not file.exists()
        assert await ledger.open_drops(index) == []


async def test_a_file_rewritten_in_place_is_a_new_drop_at_the_next_look(
    hospital: Settings,
) -> None:
    file = hospital.daemon.inbox / "P" / "a.nii"
    file.parent.mkdir()
    file.write_bytes(b"old")
    async with reconciler(hospital, ()) as (inbox, index):
        claim = await claimed(inbox, index)
        before = file.stat()
        await asyncio.sleep(0.02)  # the system's clock for files goes in steps of up to 10 ms
        with file.open("r+b") as stream:
            stream.write(b"new")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        await ledger.finish_duplicate(
            index, claim, "s", hashes={claim.drop.files[0].path: "0" * 64}
        )
        await inbox.look()
        (again,) = await ledger.open_drops(index)
        assert (again.state, again.drop.place) == (State.WAITING, b"P/a.nii")
    assert file.read_bytes() == b"new"


async def test_empty_folders_of_finished_patients_go_if_the_owner_wants_it(
    hospital: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = hospital.daemon.inbox
    for name in ("finished", "waiting", "unknown"):
        (inbox / name).mkdir()
    (inbox / "waiting" / "a.nii").write_bytes(b"x")
    (inbox / "finished" / "a.nii").write_bytes(b"x")
    monkeypatch.setattr(inbox_scan, "SURE_SECONDS", 0.0)
    async with reconciler(hospital, ()) as (keeping, index):
        await keeping.look()
        async with index.transaction():
            finished = "patient_id = 'finished'"
            await index.change(f"UPDATE drops SET state = 'running' WHERE {finished}")
            await index.change(f"UPDATE drops SET state = 'done' WHERE {finished}")
        for _ in range(3):
            await keeping.look()
        await keeping.remove_empty()
        assert len(list(inbox.iterdir())) == 4  # and our own mark
        monkeypatch.setattr(keeping, "_keeps_folders", False)
        await keeping.remove_empty()  # they have not been empty for a day
        assert len(list(inbox.iterdir())) == 4
        monkeypatch.setattr(keeping, "_next_removal", 0.0)
        monkeypatch.setattr(inbox_reconciler, "EMPTY_SECONDS", -1.0)
        await keeping.remove_empty()
    left = {path.name for path in inbox.iterdir()}
    assert left == {"waiting", "unknown", ".gliowatch"}


def test_whole_looks_take_a_small_share_of_the_time_where_changes_are_told() -> None:
    assert pause_after_whole(0.01, 60.0, is_told=True) == 60.0
    assert pause_after_whole(1.0, 60.0, is_told=True) == 200.0
    assert pause_after_whole(9.0, 60.0, is_told=True) == 300.0
    assert pause_after_whole(9.0, 60.0, is_told=False) == 60.0
