"""A site with news to tell, a way that notes what it is given, and receivers."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.drops import Drop, DropKind, DroppedFile, QueuedDrop
from daemon.index import ledger, queue
from daemon.index.database import Database, now, open_index, open_joined, open_records
from daemon.index.notices import InLine, Message, in_line, keep_targets, open_message
from daemon.index.statistics import RECONCILE, beat
from daemon.notifications.channels import Answer, Handing, Outcome
from daemon.notifications.delivery import Teller
from daemon.notifications.events import Watch, here
from daemon.notifications.messages import Written
from daemon.settings import Settings
from daemon.settings.notify import Event, NotifySettings, Receiver
from tests.viewer.test_house import scan_row, settings_in

DAEMON = 4711  # a process id
SENT = Answer(Outcome.SENT, "250", "sent")
QUICK: dict[str, Any] = {
    "group_seconds": 1.0,
    "prompt_seconds": 1.0,
    "first_pause_seconds": 0.01,
    "longest_pause_seconds": 0.02,
    "answer_seconds": 5.0,
}


def receiver(**changes: Any) -> Receiver:
    """One that wants to hear all."""
    values = {"name": "all", "addresses": ("ada@hospital.example",), "events": tuple(Event)}
    return Receiver(**values | changes)


def notify(*to: Receiver, **changes: Any) -> NotifySettings:
    """Quick settings."""
    values = {"mail_from": "gliowatch@hospital.example", "mail_host": "localhost"}
    return NotifySettings(**QUICK | values | changes, to=to)


@dataclass
class NotedWay:
    """It takes what it is given. answers: for the next tries, in their order."""

    came: list[Written] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    async def send(self, message: Written, address: str, handing: Handing) -> Answer:
        await handing()
        answer = self.answers.pop(0) if self.answers else SENT
        if answer.outcome is Outcome.SENT:
            self.came.append(message)
        return answer


@dataclass
class News:
    """Databases in which things happen."""

    settings: Settings
    joined: Database
    records: Database

    async def drop(self, name: str, urgent: bool = False) -> QueuedDrop:
        """A drop that a worker has taken."""
        path = os.fsencode(f"P{name}/{name}.nii.gz")
        files = (DroppedFile(path, 1, 1, 1),)
        (number,) = await ledger.add_drops(
            self.joined, [Drop(path, f"P{name}", DropKind.NIFTI, urgent, files)]
        )
        await ledger.mark_rested(self.joined, [number])
        claimed = await queue.claim_next(self.joined)
        assert claimed is not None
        return claimed

    async def publish(
        self, name: str, urgent: bool = False, moment: str = "", **report: Any
    ) -> str:
        """A scan that is done; its scan_id."""
        claim = await self.drop(name, urgent)
        scan_id = f"{name:0>20}"
        scan = scan_row(f"P{name}", scan_id, **report)
        entered = replace(scan, published_at=moment or now(), content_sha256=f"content-{name}")
        await ledger.finish(self.joined, claim, entered, {})
        return scan_id

    async def fail(self, name: str, urgent: bool = False) -> None:
        """A drop that cannot be read."""
        await ledger.reject(self.joined, await self.drop(name, urgent), "It cannot be read.")

    async def look(self) -> None:
        """The daemon gives a sign of life."""
        assert await beat(self.joined, RECONCILE)

    def watch(self, daemon: int = DAEMON, clock: Any = here) -> Watch:
        """One that looks for news."""
        return Watch(self.joined, self.records, self.settings, daemon, clock)

    def teller(self, way: NotedWay, to: Receiver | None = None) -> Teller:
        """Of the first address of a receiver, else of the first one."""
        to = to or self.settings.notify.to[0]
        return Teller(self.joined, self.settings.notify, to.name, to.addresses[0], way)

    async def told(self, name: str = "all") -> list[tuple[str, str]]:
        """Event and scan of each notice of a receiver."""
        rows = await self.joined.rows(
            "SELECT event || iif(kinds = 'over', '_over', '') AS event, scan_id FROM notices"
            " WHERE receiver = ? ORDER BY number",
            (name,),
        )
        return [(row["event"], row["scan_id"]) for row in rows]

    async def states(self) -> list[str]:
        """Of all messages, in the order in which they were made."""
        rows = await self.joined.rows("SELECT state FROM notify_messages ORDER BY made, rowid")
        return [row["state"] for row in rows]

    async def waiting(self) -> tuple[InLine | None, Message | None]:
        """What is in no message yet, and the message that waits, of the first address."""
        to = self.settings.notify.to[0]
        place = (to.name, to.addresses[0])
        return await in_line(self.joined, *place), await open_message(self.joined, *place)


@asynccontextmanager
async def news_in(
    folder: Path, settings: NotifySettings | None = None, begun: bool = True
) -> AsyncIterator[News]:
    """A site without a daemon, of which one looks for news from now on."""
    notified = settings or notify(receiver())
    site = settings_in(folder).model_copy(update={"notify": notified})
    daemon = site.daemon
    async with (
        open_index(daemon.index),
        open_records(daemon.records) as records,
        open_joined(daemon.index, daemon.records) as joined,
    ):
        news = News(site, joined, records)
        await keep_targets(joined, [(to.name, a) for to in notified.to for a in to.addresses])
        if begun:
            await news.look()
            await news.watch().begin()
        yield news


def at(text: str) -> datetime:
    """A local time with its zone."""
    return datetime.fromisoformat(text).astimezone()
