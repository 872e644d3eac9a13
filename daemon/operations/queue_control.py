"""What `gliowatch queue` and the viewer's buttons do: each works while the daemon runs, or not."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from daemon.drops import QueuedDrop, State
from daemon.index import ledger, queue
from daemon.index.database import Database
from daemon.index.queue import failed_numbers
from daemon.index.scans import find_scan
from daemon.index.set_aside import find_set_aside
from daemon.intake.cleanup import come_back
from daemon.operations import set_aside
from daemon.outputs.catalogue import text
from daemon.pipeline.lost_index import open_known_index
from daemon.settings import Settings
from model.errors import GliowatchError

NUMBER_CHARACTERS = 19  # of what SQLite's integers hold; a scan_id has 20
MOST_RETRIED = 500  # at a time


class UnknownScan(GliowatchError):
    """There is no scan of this id, or no line of the worklist of this number."""


@dataclass(frozen=True)
class Queued:
    """One waiting or running drop, for a list."""

    number: int
    patient_id: str
    kind: str
    state: str
    urgent: bool
    attempts: int


async def listed(index: Database) -> list[Queued]:
    """Everything that waits or runs, in the order in which it was seen."""
    return [_queued(each) for each in await ledger.open_drops(index)]


async def cancel(index: Database, names: Iterable[str]) -> int:
    """Scans that wait or run are rejected, with that reason; how many it were."""
    return await queue.cancel(index, await numbers_of(index, names))


async def make_urgent(index: Database, names: Iterable[str]) -> int:
    """Scans that wait go first; how many it were."""
    return await queue.make_urgent(index, await numbers_of(index, names))


async def begin_now(index: Database, names: Iterable[str]) -> int:
    """Scans that still rest begin as they are; how many it were."""
    return await queue.rest_no_longer(index, await numbers_of(index, names))


async def retry_all(index: Database, inbox: Path) -> int:
    """The newest rejected scans, MOST_RETRIED at most, go back into the inbox; how many."""
    numbers = await failed_numbers(index, MOST_RETRIED)
    return await retry(index, inbox, [str(number) for number in numbers])


async def retry(index: Database, inbox: Path, names: Iterable[str]) -> int:
    """The files of rejected scans go back into the inbox, where they are new; how many scans.

    A corrected mask that was rejected, and never lay in the inbox, is queued once more.
    """
    count = 0
    for number in await numbers_of(index, names):
        if await queue.correct_again(index, number):
            count += 1
            continue
        files = await queue.rejected(index, number)
        if files is None or await _is_deleted(index, number):
            continue
        for path, aside in files:
            if aside is not None:
                await asyncio.to_thread(_bring_back, inbox, path, aside)
        await queue.forget_rejected(index, number)
        count += 1
    return count


async def reprocess(index: Database, names: Iterable[str]) -> int:
    """Published scans are analyzed again, with the weights and settings of now; how many."""
    count = 0
    for name in names:
        scan = await find_scan(index, name)
        if scan is None:
            raise UnknownScan(f"There is no published scan {name}.")
        count += await queue.add_reprocessing(index, scan.scan_id, scan.patient_id)
    return count


async def reprocess_older(index: Database, weights_sha256: str) -> int:
    """Every scan that other weights analyzed is analyzed again; how many."""
    return await queue.add_reprocessing_of_older(index, weights_sha256)


async def numbers_of(index: Database, names: Iterable[str]) -> list[int]:
    """Drops by scan_id, or by their number in the worklist. Raises UnknownScan."""
    numbers: list[int] = []
    for name in names:
        if name.isdecimal() and len(name) < NUMBER_CHARACTERS:
            numbers.append(int(name))
            continue
        found = await queue.drops_of_scan(index, name)
        if not found:
            raise UnknownScan(f"There is no scan {name}.")
        numbers += found
    return numbers


async def _is_deleted(index: Database, number: int) -> bool:
    """Whether nothing of a rejected drop is left, since it was deleted by age."""
    found = await find_set_aside(index, number)
    files = found.files if found else ()
    return any(f.removed_at for f in files) and not any(f.aside for f in files)


def run_queue_command(
    settings: Settings, action: str, names: list[str], failed: bool = False
) -> str:
    """Do what the command line asks; one line or more for the terminal. Raises UnknownScan."""
    if failed and action != "list":
        raise UnknownScan("--failed is for gliowatch queue list alone.")
    needs_names = action in ("cancel", "retry", "reprocess", "urgent", "now")
    if needs_names != bool(names):
        example = f"as in: gliowatch queue {action} 17."
        words = f"Name the scans, by id or by number, {example}"
        raise UnknownScan(words if needs_names else f"gliowatch queue {action} takes no scans.")
    return asyncio.run(_run(settings, "failed" if failed else action, names))


async def _run(settings: Settings, action: str, names: list[str]) -> str:
    async with open_known_index(settings.daemon) as index:
        if action in ("pause", "resume"):
            await queue.pause(index, action == "pause")
            return text(f"queue_said.{action}")
        if action == "failed":
            told = await set_aside.lines(index, (State.REJECTED, State.DUPLICATE))
            return "\n".join(told) or text("queue_said.none_aside")
        if action == "list":
            lines = [_line(each) for each in await listed(index)]
            return "\n".join(lines) or text("queue_said.empty")
        acts: dict[str, Callable[[], Awaitable[int]]] = {
            "cancel": lambda: cancel(index, names),
            "urgent": lambda: make_urgent(index, names),
            "now": lambda: begin_now(index, names),
            "retry": lambda: retry(index, settings.daemon.inbox, names),
            "reprocess": lambda: reprocess(index, names),
        }
        count = await acts[action]()
        if not count:
            raise UnknownScan(text("queue_said.nothing", action=action, scans=", ".join(names)))
        return text(f"queue_said.{action}", count=count)


def _line(each: Queued) -> str:
    urgent = ", urgent" if each.urgent else ""
    return f"{each.number}: {each.patient_id}, {each.kind}, {each.state}{urgent}"


def _bring_back(inbox: Path, path: bytes, aside: bytes) -> None:
    try:
        come_back(inbox, path, aside)
    except FileNotFoundError:  # it was brought back before a crash, or somebody took it
        return


def _queued(each: QueuedDrop) -> Queued:
    drop = each.drop
    return Queued(
        number=each.drop_id,
        patient_id=drop.patient_id,
        kind=drop.kind,
        state=each.state,
        urgent=drop.urgent,
        attempts=each.attempts,
    )
