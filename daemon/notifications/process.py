"""The notifier's process, which `run` starts beside the daemon, and `gliowatch notify test`."""

import asyncio
import logging
import multiprocessing
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.background import Background, until_stopped
from daemon.index.database import Database, open_index, open_joined, open_records
from daemon.index.notices import end_unwanted, forget_old, keep_targets, settle_handed
from daemon.index.people.triage.scan_labels import find_label
from daemon.logs import log_to_stderr, quiet_libraries
from daemon.notifications.channels import Answer, Outcome, answer_words
from daemon.notifications.delivery import Teller
from daemon.notifications.events import Watch
from daemon.notifications.messages import trial
from daemon.notifications.recipients import addresses_of, way_to
from daemon.outputs.catalogue import text
from daemon.pipeline.lost_index import IndexLost, file_mark, until_not_lost
from daemon.records.scan_triage import plain_label
from daemon.safe_files import only_one_at
from daemon.settings import Settings
from daemon.settings.notify import Receiver
from model.errors import GliowatchError

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # between two looks for news
HOUR = 3600.0
FAREWELL_SECONDS = 2.0  # that the daemon has died is told by the next start as well


class NobodyToTell(GliowatchError):
    """The settings name no receiver, or none of that name."""


def serve(settings: Settings, start: int) -> None:
    """Tell until SIGTERM or the parent's end; the parent handles Ctrl-C.

    start: the number of the parent's start, which no other start has.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    try:
        with only_one_at(lock_of(settings.daemon.index)):
            asyncio.run(_serve(settings, start))
    except (GliowatchError, OSError) as error:
        log.error("notifier_refused", extra={"reason": type(error).__name__})
        raise SystemExit(1) from None


def lock_of(index: Path) -> Path:
    """The file that the one notifier of an index holds."""
    return index.with_name(f"{index.name}.notifier")


async def _serve(settings: Settings, start: int) -> None:
    await until_not_lost(settings.daemon)
    async with _opened(settings) as (joined, records):
        notifier = Notifier(joined, records, settings, start)
        await until_stopped(notifier.run())
        await notifier.end()
    log.info("notifier_stopped")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Database, Database]]:
    """The index, joined with the records, and the records."""
    daemon = settings.daemon
    async with (
        open_index(daemon.index),  # both get their newest shape
        open_records(daemon.records) as records,
        open_joined(daemon.index, daemon.records) as joined,
    ):
        yield joined, records


class Notifier:
    """Looks for news, and tells every address by itself: one that hangs holds up no other."""

    def __init__(self, joined: Database, records: Database, settings: Settings, start: int) -> None:
        self._joined, self._records, self._settings = joined, records, settings
        self._watch = Watch(joined, records, settings, start)
        self._tellers: dict[tuple[str, str], tuple[Teller, Background]] = {}
        self._next_forgetting = 0.0

    async def begin(self) -> None:
        """What was in the hands of a process that was killed is sent again, or is unclear."""
        webhooks = [to.name for to in self._settings.notify.to if to.by == "webhook"]
        if unclear := await settle_handed(self._joined, webhooks):
            log.warning("messages_unclear", extra={"results": unclear})
        await self._find_addresses()
        await self._watch.begin()
        log.info("notifier_started")

    async def run(self) -> None:
        """Until cancelled. Raises IndexLost."""
        mark, is_held_up = file_mark(self._settings.daemon.index), False
        await self.begin()
        while file_mark(self._settings.daemon.index) == mark:
            try:
                await self.look()
                is_held_up = False
            except Exception:  # a database that is locked, a disk that is full: later
                if not is_held_up:
                    log.exception("notifier_held")
                is_held_up = True
            await asyncio.sleep(LOOK_SECONDS)
        raise IndexLost(text("intake.index_replaced", index=self._settings.daemon.index))

    async def look(self) -> None:
        """One look, and a round of each address that is not at work."""
        await self._find_addresses()
        await self._watch.look()
        for teller, background in self._tellers.values():
            background.begin(teller.look)
        if time.monotonic() >= self._next_forgetting:
            self._next_forgetting = time.monotonic() + HOUR
            await forget_old(self._joined)

    async def end(self) -> None:
        """Told to stop, or orphaned: who has no parent any more tells that the daemon is dead.

        A moment is left for what is on its way, or is to go then.
        """
        parent = multiprocessing.parent_process()
        if parent is None or parent.is_alive():
            await self._watch.end()
        else:
            log.error("daemon_died")
            await self._watch.tell_silent()
            for teller, background in self._tellers.values():
                background.begin(teller.look)
        end = time.monotonic() + FAREWELL_SECONDS
        while time.monotonic() < end and self._is_busy():  # noqa: ASYNC110 - until a time
            await asyncio.sleep(LOOK_SECONDS / 20)
        for _, background in self._tellers.values():
            await background.give_up()

    def _is_busy(self) -> bool:
        return any(background.is_busy for _, background in self._tellers.values())

    async def _find_addresses(self) -> None:
        """Accounts come and go, and so do lines of a file with chats."""
        found: dict[tuple[str, str], Receiver] = {}
        for to in self._settings.notify.to:
            try:
                found |= {(to.name, each): to for each in await addresses_of(self._records, to)}
            except OSError as error:
                log.warning("secret_away", extra={"receiver": to.name, "errno": error.errno})
                found |= {key: to for key in self._tellers if key[0] == to.name}
        if found.keys() == self._tellers.keys():
            return
        await keep_targets(self._joined, found)
        await end_unwanted(self._joined, found)
        for key in self._tellers.keys() - found.keys():
            await self._tellers.pop(key)[1].give_up()
        for key in found.keys() - self._tellers.keys():
            way = way_to(self._settings.notify, found[key])
            teller = Teller(self._joined, self._settings.notify, *key, way=way)
            self._tellers[key] = teller, Background("telling_failed")


def try_visibly(settings: Settings, name: str, say: Callable[[str], object]) -> int:
    """A trial to each address of one receiver, or of all: ''; 1 if one was not taken, else 0.

    Raises NobodyToTell.
    """
    receivers = [to for to in settings.notify.to if name in ("", to.name)]
    if not receivers:
        key = "notices.unknown_receiver" if name else "notices.no_receiver"
        raise NobodyToTell(text(key, name=name) if name else text(key))
    quiet_libraries()
    return asyncio.run(_try_all(settings, receivers, say))


async def _try_all(
    settings: Settings, receivers: list[Receiver], say: Callable[[str], object]
) -> int:
    failed = 0
    async with open_records(settings.daemon.records) as records:
        for to in receivers:
            for label in to.labels:
                if await find_label(records, plain_label(label)) is None:
                    say(text("notices.no_label", name=to.name, label=label))
            addresses = await addresses_of(records, to)
            if not addresses:
                say(text("notices.no_address", name=to.name))
                failed += 1
            for address in addresses:
                answer = await _try(settings, to, address)
                failed += answer.outcome is not Outcome.SENT
                say(_trial_words(to.name, address or to.url, answer))
    return int(failed > 0)


async def _try(settings: Settings, to: Receiver, address: str) -> Answer:
    async def handing() -> None:
        """A trial is noted nowhere."""

    message = trial(secrets.token_hex(16), settings.notify.link)
    return await way_to(settings.notify, to).send(message, address, handing)


def _trial_words(name: str, address: str, answer: Answer) -> str:
    if answer.outcome is Outcome.SENT:
        return text("notices.test_sent", name=name, address=address)
    reason = answer_words(answer.code, answer.reason)
    return text("notices.test_failed", name=name, address=address, reason=reason)
