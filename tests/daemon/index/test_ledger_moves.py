"""The ledger's moves in any order, with crashes between them: each drop is in one state."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from daemon.drops import QueuedDrop, State
from daemon.index import ledger, queue
from daemon.index.database import Database, open_index
from tests.daemon.index.test_ledger import a_drop, a_scan

NAMES = [f"{letter}.nii" for letter in "abcd"]


class Moves(RuleBasedStateMachine):
    """What the ledger says against a plain account of what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.stack = AsyncExitStack()
        self.index = self.runner.run(self._open())
        self.waiting: set[int] = set()
        self.running: dict[int, QueuedDrop] = {}
        self.stale: list[QueuedDrop] = []
        self.ended: dict[int, State] = {}
        self.published: set[str] = set()

    async def _open(self) -> Database:
        path = Path(self.folder.name) / "index.sqlite"
        return await self.stack.enter_async_context(open_index(path))

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(NAMES), urgent=st.booleans())
    def arrive(self, name: str, urgent: bool) -> None:
        known = {each.drop.unit for each in self.runner.run(ledger.open_drops(self.index))}
        drop = a_drop(name, urgent, patient=f"P{name}")
        if drop.unit not in known:
            drop_id = self.runner.run(ledger.add_drops(self.index, [drop]))[0]
            self.runner.run(ledger.mark_rested(self.index, [drop_id]))
            self.waiting.add(drop_id)

    @precondition(lambda self: self.waiting)
    @rule()
    def claim(self) -> None:
        claim = self.runner.run(queue.claim_next(self.index, "me"))
        assert claim is not None
        self.waiting.remove(claim.drop_id)
        self.running[claim.drop_id] = claim

    @precondition(lambda self: self.running)
    @rule(how=st.sampled_from([State.DONE, State.DUPLICATE, State.REJECTED]))
    def end(self, how: State) -> None:
        number, claim = self.running.popitem()
        if how is State.DONE:
            scan_id = f"scan{number}"
            self.runner.run(ledger.finish(self.index, claim, a_scan(scan_id), {}))
            self.published.add(scan_id)
        elif how is State.DUPLICATE:
            self.runner.run(ledger.finish_duplicate(self.index, claim, "other"))
        else:
            self.runner.run(ledger.reject(self.index, claim, "No."))
        self.ended[number] = how

    @precondition(lambda self: self.running)
    @rule()
    def put_back(self) -> None:
        number, claim = self.running.popitem()
        self.runner.run(ledger.put_back(self.index, claim, True, count_attempt=True))
        self.stale.append(claim)
        self.waiting.add(number)

    @rule()
    def crash(self) -> None:
        """The process ends at once; the next one opens what is on the disk."""
        self.runner.run(self.stack.aclose())
        self.index = self.runner.run(self._open())
        assert self.runner.run(ledger.put_back_all(self.index)) == len(self.running)
        self.runner.run(ledger.mark_rested(self.index, self.running))
        self.stale += self.running.values()
        self.waiting |= set(self.running)
        self.running = {}

    @precondition(lambda self: self.stale)
    @rule()
    def end_what_was_given_up(self) -> None:
        claim = self.stale[-1]
        try:
            self.runner.run(ledger.finish(self.index, claim, a_scan("stale"), {}))
        except ledger.LeaseLost:
            return
        raise AssertionError("a stale claim ended a drop")

    @precondition(lambda self: self.waiting)
    @rule()
    def cancel(self) -> None:
        number = self.waiting.pop()
        assert self.runner.run(queue.cancel(self.index, [number])) == 1
        self.ended[number] = State.REJECTED

    @invariant()
    def each_drop_is_in_one_state(self) -> None:
        rows = self.runner.run(self.index.rows("SELECT drop_id, state FROM drops"))
        told = {row["drop_id"]: State(row["state"]) for row in rows}
        expected = dict.fromkeys(self.waiting, State.WAITING)
        expected |= dict.fromkeys(self.running, State.RUNNING)
        assert told == expected | self.ended
        scans = self.runner.run(self.index.rows("SELECT scan_id FROM scans"))
        assert {row["scan_id"] for row in scans} == self.published


TestMoves = Moves.TestCase
TestMoves.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
