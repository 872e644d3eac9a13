"""The queue: order, leases and tokens, pause, retries, and that only the moves there are happen."""

import sqlite3
import time
from datetime import time as clock

import pytest

from daemon.drops import MOVES, State
from daemon.index import ledger, queue
from daemon.index.database import Database
from daemon.operations.status import is_quiet
from tests.daemon.index.test_ledger import a_drop, a_scan, claimed, index

__all__ = ["index"]  # the fixture


async def fill(index: Database, *arrivals: int, urgent: tuple[int, ...] = ()) -> None:
    for number, arrived in enumerate(arrivals):
        drop = a_drop("a.nii", number in urgent, f"P{number}", arrived)
        await ledger.mark_rested(index, [(await ledger.add_drops(index, [drop]))[0]])


async def patients(index: Database, count: int) -> list[str]:
    return [(await claimed(index)).drop.patient_id for _ in range(count)]


async def test_urgent_first_then_the_newest_and_each_fourth_turn_the_oldest(
    index: Database,
) -> None:
    await fill(index, 1, 2, 9, 8, 7, 3, urgent=(1,))
    assert await patients(index, 6) == ["P1", "P2", "P3", "P0", "P4", "P5"]


async def test_two_drops_of_one_patient_never_run_together(index: Database) -> None:
    for name in ("a.nii", "b.nii"):
        await ledger.mark_rested(index, [(await ledger.add_drops(index, [a_drop(name)]))[0]])
    first = await claimed(index)
    assert await queue.claim_next(index) is None
    await ledger.reject(index, first, "No.")
    assert (await claimed(index)).drop.unit != first.drop.unit


async def test_a_holder_whose_claim_was_given_to_another_can_end_nothing(index: Database) -> None:
    await fill(index, 1)
    stale = await claimed(index)
    await index.change("UPDATE drops SET lease_until = ?", (time.time() - 1,))
    assert await queue.put_back_expired(index, "somebody else") == 1
    await ledger.mark_rested(index, [stale.drop_id])
    fresh = await claimed(index)
    assert fresh.token > stale.token
    with pytest.raises(ledger.LeaseLost):
        await ledger.finish(index, stale, a_scan("stale"), {})
    await ledger.put_back(index, stale, rested=True, count_attempt=True)
    assert [each.state for each in await ledger.open_drops(index)] == [State.RUNNING]
    assert await index.rows("SELECT * FROM scans") == []
    await ledger.finish(index, fresh, a_scan("fresh"), {})


async def test_a_lease_that_is_kept_does_not_expire(index: Database) -> None:
    await fill(index, 1)
    assert await queue.claim_next(index, "me", seconds=-1) is not None
    assert await queue.put_back_expired(index, "me") == 0
    await queue.beat(index, "me", 60)
    assert await queue.put_back_expired(index, "other") == 0


async def test_a_retry_waits_and_a_clock_that_was_set_back_does_not_hold_it(
    index: Database,
) -> None:
    await fill(index, 1)
    await ledger.put_back(index, await claimed(index), True, count_attempt=True, delay=30)
    assert await queue.claim_next(index) is None
    due = await queue.seconds_to_next(index)
    assert due is not None
    assert 25 < due <= 30
    await index.change("UPDATE drops SET not_before = ?", (time.time() + 86400,))
    assert (await claimed(index)).attempts == 2


async def test_a_paused_queue_hands_out_nothing(index: Database) -> None:
    await fill(index, 1)
    await queue.pause(index, True)
    assert await queue.claim_next(index) is None
    await queue.pause(index, False)
    assert await queue.claim_next(index) is not None


async def test_in_quiet_hours_urgent_ones_alone_begin(index: Database) -> None:
    await fill(index, 1, 2, urgent=(0,))
    first = await queue.claim_next(index, urgent_only=True)
    assert first is not None
    assert first.drop.patient_id == "P0"
    assert await queue.claim_next(index, urgent_only=True) is None
    when = [f"{hour:02}:30" for hour in range(24)]
    quiet = [hour for hour in when if is_quiet("22:00-06:00", clock.fromisoformat(hour))]
    assert quiet == [*when[:6], *when[22:]]
    assert [hour for hour in when if is_quiet("07:00-09:00", clock.fromisoformat(hour))] == when[
        7:9
    ]
    assert not is_quiet("", clock.fromisoformat("12:00"))


async def test_cancelled_drops_are_rejected_or_marked(index: Database) -> None:
    await fill(index, 1, 2)
    running = await claimed(index)
    numbers = [each.drop_id for each in await ledger.open_drops(index)]
    assert await queue.cancel(index, numbers) == 2
    assert await queue.asked_to_cancel(index) == {running.drop_id}
    states = await ledger.count_states(index)
    assert (states[State.REJECTED], states[State.RUNNING]) == (1, 1)


async def test_only_the_moves_in_the_table_happen(index: Database) -> None:
    told = {(row["before"], row["after"]) for row in await index.rows("SELECT * FROM moves")}
    assert told == {(before, after) for before, afters in MOVES.items() for after in afters}
    await fill(index, 1)
    for before in State:
        for after in State:
            await _force(index, before)
            if after in MOVES[before]:
                await index.change("UPDATE drops SET state = ?", (after,))
            else:
                with pytest.raises(sqlite3.IntegrityError, match="cannot move so"):
                    await index.change("UPDATE drops SET state = ?", (after,))


async def _force(index: Database, state: State) -> None:
    """Put the one drop into a state by a new row, which no rule forbids."""
    await index.change("DELETE FROM drops")
    await index.change(
        "INSERT INTO drops (unit, patient_id, kind, state, seen_at) VALUES (x'50', 'P', 'nifti',"
        " ?, '')",
        (state,),
    )
