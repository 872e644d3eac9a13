"""The queue in the index: order, attempts, and that each drop is in one state."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.drops import Drop, DropKind, DroppedFile, QueuedDrop, State
from daemon.index import ledger, queue
from daemon.index.database import Database, DatabaseError, now, open_index
from daemon.index.scans import ScanRow, find_scan, patients_with_content
from tests.phantoms.reports import make_report


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_index(tmp_path / "index.sqlite") as database:
        yield database


def a_drop(name: str, urgent: bool = False, patient: str = "P", arrived: int = 2) -> Drop:
    path = f"{patient}/{name}".encode()
    return Drop(path, patient, DropKind.NIFTI, urgent, (DroppedFile(path, 1, arrived, 3),))


def a_scan(scan_id: str) -> ScanRow:
    return ScanRow(
        scan_id=scan_id,
        revision=1,
        patient_id="P",
        folder=b"P/x",
        content_sha256="c",
        finding="no_tumor",
        volume_ml=0.0,
        acquired_at=None,
        published_at=now(),
        report_json=REPORT.as_column(),
    )


REPORT = make_report(finding="no_tumor", volume_ml=0.0, lesions=[])


async def claimed(index: Database) -> QueuedDrop:
    claim = await queue.claim_next(index)
    assert claim is not None
    return claim


async def test_only_rested_drops_are_handed_out_urgent_ones_first(index: Database) -> None:
    first = (await ledger.add_drops(index, [a_drop("a.nii")]))[0]
    urgent = (await ledger.add_drops(index, [a_drop("b.nii", urgent=True, patient="Q")]))[0]
    assert await queue.claim_next(index) is None
    await ledger.mark_rested(index, [first, urgent])
    claims = [await queue.claim_next(index) for _ in range(3)]
    assert [claim.drop_id if claim else None for claim in claims] == [urgent, first, None]


async def test_a_changed_drop_must_rest_anew(index: Database) -> None:
    drop_id = (await ledger.add_drops(index, [a_drop("a.nii")]))[0]
    await ledger.mark_rested(index, [drop_id])
    await ledger.change_files(index, drop_id, a_drop("a.nii"))
    assert await queue.claim_next(index) is None


async def test_a_crash_puts_running_drops_back_and_counts_the_attempt(index: Database) -> None:
    drop_id = (await ledger.add_drops(index, [a_drop("a.nii")]))[0]
    await ledger.mark_rested(index, [drop_id])
    await queue.claim_next(index)
    assert await ledger.put_back_all(index) == 1
    await ledger.mark_rested(index, [drop_id])
    assert (await claimed(index)).attempts == 2


async def test_a_finished_drop_has_its_scan_and_leaves_the_inbox_later(index: Database) -> None:
    drop_id = (await ledger.add_drops(index, [a_drop("a.nii")]))[0]
    await ledger.mark_rested(index, [drop_id])
    await ledger.finish(index, await claimed(index), a_scan("s1"), {b"P/a.nii": "hash"})
    assert (await ledger.count_states(index))[State.DONE] == 1
    found = await find_scan(index, "s1")
    assert found is not None
    assert (found.folder, found.report) == (b"P/x", REPORT)
    assert await patients_with_content(index, "c") == {"P"}
    ended = await ledger.ended_in_inbox(index)
    assert [queued.drop.files[0].path for queued in ended] == [b"P/a.nii"]
    await ledger.mark_left(index, drop_id, {b"P/a.nii": None})
    assert await ledger.ended_in_inbox(index) == []


async def test_the_same_name_may_be_dropped_again_after_it_ended(index: Database) -> None:
    for _ in range(2):
        drop_id = (await ledger.add_drops(index, [a_drop("a.nii")]))[0]
        await ledger.mark_rested(index, [drop_id])
        await ledger.reject(index, await claimed(index), "No.")
    states = await ledger.count_states(index)
    assert states[State.REJECTED] == 2


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with open_index(tmp_path / "new.sqlite") as database:
        await database.change("PRAGMA user_version = 99")
    with pytest.raises(DatabaseError, match="newer version"):
        async with open_index(tmp_path / "new.sqlite"):
            pass


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseError):
        async with open_index(tmp_path / "x.sqlite"):
            pass


async def test_a_new_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    async with open_index(tmp_path / "private.sqlite"):
        modes = modes_of(tmp_path)
    assert "private.sqlite" in modes
    assert all(mode & 0o077 == 0 for mode in modes.values()), modes


def modes_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode for path in folder.iterdir()}
