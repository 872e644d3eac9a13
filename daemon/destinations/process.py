"""The sender's process, which `run` starts beside the daemon, and `gliowatch send`."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.background import until_stopped
from daemon.destinations.fhir_standing import standing_now
from daemon.destinations.journal import LOCK, SENT
from daemon.destinations.send_status import counts_words
from daemon.destinations.sender import LOOK_SECONDS, Sender
from daemon.index.database import Database, open_index, open_records
from daemon.index.scans import find_scan
from daemon.index.sent_objects import (
    SendState,
    count_sent,
    grant,
    wish,
    wishes,
)
from daemon.logs import log_to_stderr, quiet_libraries
from daemon.outputs.catalogue import text
from daemon.outputs.fhir.standing import told
from daemon.pipeline.lost_index import IndexLost, file_mark, open_known_index, until_not_lost
from daemon.safe_files import AlreadyRunning, only_one_at
from daemon.settings import Settings
from model.errors import GliowatchError

log = logging.getLogger(__name__)

FAREWELL_SECONDS = 4.0  # for the object that is on its way when the end is wished for


class NothingToSendTo(GliowatchError):
    """The settings name no archive."""

    def __init__(self) -> None:
        super().__init__(text("sending.no_destination"))


class UnknownScan(GliowatchError):
    """There is no published scan of this id."""

    def __init__(self, scan_id: str) -> None:
        super().__init__(text("sending.no_scan", scan=scan_id))


class NoFiles(GliowatchError):
    """The files of a scan were removed."""

    def __init__(self) -> None:
        super().__init__(text("fault.no_files"))


def serve(settings: Settings) -> None:
    """Send until SIGTERM or the parent's end; the parent handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    try:
        with only_one_at(lock_of(settings.daemon.outbox)):
            asyncio.run(_serve(settings))
    except (GliowatchError, OSError) as error:
        log.error("sender_refused", extra={"reason": type(error).__name__})
        raise SystemExit(1) from None


def lock_of(outbox: Path) -> Path:
    """The file that the one sender of an outbox holds. Raises OSError where the outbox is away."""
    (outbox / SENT).mkdir(exist_ok=True)
    return outbox / SENT / LOCK


async def _serve(settings: Settings) -> None:
    await until_stopped(_work(settings), FAREWELL_SECONDS / 2)
    log.info("sender_stopped")


async def _work(settings: Settings) -> None:
    daemon = settings.daemon
    await until_not_lost(daemon)
    async with _senders(settings) as (index, senders):
        mark = file_mark(daemon.index)
        log.info("sender_started")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each.run()) for each in senders]
            while file_mark(daemon.index) == mark:
                await _meet_wishes(index, senders)
                await asyncio.sleep(LOOK_SECONDS)
            for task in tasks:
                task.cancel()
    raise IndexLost(text("intake.index_replaced", index=daemon.index))


@asynccontextmanager
async def _senders(settings: Settings) -> AsyncIterator[tuple[Database, list[Sender]]]:
    daemon = settings.daemon
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        yield (
            index,
            [await Sender.begin(index, records, daemon, to) for to in settings.receivers],
        )


async def _meet_wishes(index: Database, senders: Sequence[Sender]) -> None:
    """Each destination gets what is wished for, as far as it waits for such results."""
    for number, scan_id in await wishes(index):
        try:
            for sender in senders:
                await sender.want(scan_id)
        except OSError as error:  # the outbox is away: later
            log.warning("wish_waits", extra={"errno": error.errno})
            return
        await grant(index, number, scan_id)


def send_visibly(settings: Settings, scan_ids: list[str], say: Callable[[str], object]) -> int:
    """What waits, or these scans again, now; 1 if anything is not sent at the end, else 0.

    Where a sender runs, it is told, and 0 means that. Raises NothingToSendTo, UnknownScan.
    """
    if not settings.receivers:
        raise NothingToSendTo
    quiet_libraries()
    return asyncio.run(_send_now(settings, scan_ids, say))


def print_message(settings: Settings, scan_id: str, say: Callable[[str], object]) -> None:
    """A scan as it stands now, as a FHIR server would get it. Raises UnknownScan, NoFiles."""
    say(asyncio.run(_message(settings, scan_id)))


async def _message(settings: Settings, scan_id: str) -> str:
    daemon = settings.daemon
    async with open_known_index(daemon) as index, open_records(daemon.records) as records:
        now = await standing_now(index, records, scan_id)
    if now is None:
        raise UnknownScan(scan_id)
    folder = daemon.outbox / os.fsdecode(now.scan.folder)
    if now.scan.removed_at or not folder.is_dir():
        raise NoFiles
    return told(folder, now.scan.report, now.standing, settings.fhir.patient_system)


async def _send_now(settings: Settings, scan_ids: list[str], say: Callable[[str], object]) -> int:
    daemon = settings.daemon
    async with open_known_index(daemon) as index:
        for scan_id in scan_ids:
            if await find_scan(index, scan_id) is None:
                raise UnknownScan(scan_id)
        for scan_id in scan_ids or [""]:
            await wish(index, scan_id)
    try:
        with only_one_at(lock_of(daemon.outbox)):
            return await _drain(settings, say)
    except AlreadyRunning:
        say(text("sending.told"))
        return 0


async def _drain(settings: Settings, say: Callable[[str], object]) -> int:
    async with _senders(settings) as (index, senders):
        await _meet_wishes(index, senders)
        for sender in senders:
            await sender.look(is_whole=True)
        await asyncio.gather(*(sender.send_due() for sender in senders))
        for sender in senders:
            await sender.look_for_commitment()
        counts = await count_sent(index, [to.name for to in settings.receivers])
    for each in counts:
        say(counts_words(each))
    return int(any(each.waiting or each.states[SendState.GIVEN_UP] for each in counts))
