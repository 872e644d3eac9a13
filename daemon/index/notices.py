"""What receivers are to be told, the messages that tell it, and what in the index is news.

A notice is entered once for each receiver, under a key that is never entered again. A message tells
one address the notices from one number to another; only its next one tells later ones.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from daemon.index.database import Database, now
from daemon.index.worklist_pages import SHOWN
from daemon.settings.notify import AT_ONCE, Event, ScanKind, folded

MARK = "notify_mark"  # of the worklist, up to which it was looked through
SINCE = "notify_since"  # Unix seconds: nothing that happened before is told
KEEP_DAYS = 30  # of notices and messages that ended
NEWS_DAYS = 7  # what is older is no news; less than KEEP_DAYS, so that nothing is told twice
_DAY = 86400.0


@dataclass(frozen=True)
class ScanNews:
    """A scan, or a drop that failed, whose row of the worklist has changed.

    judged: the revision in which its mask was made; at: when that one was published, or the drop
    ended, UTC, ISO 8601; is_first: whether its first result is news as well; labels: those that
    are on it now, folded, for rules alone: people type them, so no notice holds one.
    """

    mark: int
    state: str
    scan_id: str
    drop_id: int
    finding: str
    judged: int
    is_doubtful: bool
    is_urgent: bool
    is_cancelled: bool
    at: str
    is_first: bool
    labels: frozenset[str]

    @property
    def kinds(self) -> frozenset[ScanKind]:
        """What it is, for rules."""
        if self.state == "failed":
            return frozenset({ScanKind.FAILED})
        names = {"tumor": ScanKind.TUMOR, "no_tumor": ScanKind.NO_TUMOR}
        kind = names.get(self.finding, ScanKind.NOT_ANALYZED)
        is_flagged = self.is_doubtful and kind is not ScanKind.NOT_ANALYZED
        return frozenset({kind, ScanKind.FLAGGED} if is_flagged else {kind})


@dataclass(frozen=True)
class NightCounts:
    """A summary's numbers: what arrived, and what became of it; waiting: of all that is there."""

    received: int
    done: int
    review: int
    failed: int
    waiting: int


@dataclass(frozen=True)
class Notice:
    """One thing to be told. is_over: the disk has room, the daemon works again."""

    key: str
    event: Event
    at: str
    kinds: frozenset[ScanKind] = frozenset()
    scan_id: str = ""
    is_over: bool = False
    counts: NightCounts | None = None


class MessageState(StrEnum):
    """waiting: to be sent, or again; handed: given to the other side, without an answer yet;
    unclear: no answer came, so that it may have arrived, and it is not sent again."""

    WAITING = "waiting"
    HANDED = "handed"
    SENT = "sent"
    GIVEN_UP = "given_up"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Message:
    """A message to an address that is not sent yet. made: Unix seconds; next_try as well."""

    message_id: str
    receiver: str
    first: int
    last: int
    tries: int
    next_try: float
    made: float


@dataclass(frozen=True)
class InLine:
    """Notices that no message holds yet. oldest: when the first was entered, Unix seconds;
    last_made: when the address's last message was made, 0 without any."""

    last: int
    oldest: float
    at_once: bool
    last_made: float


@dataclass(frozen=True)
class ReceiverCounts:
    """How it stands with one receiver. waiting: notices in no message yet, of its latest address;
    oldest: Unix seconds since when a message waits, 0 if none; code, reason: of the last failure
    that no success followed, '' without one; sent_at: UTC, ISO 8601, '' = never."""

    name: str
    messages: Mapping[MessageState, int]
    waiting: int
    oldest: float
    code: str
    reason: str
    sent_at: str


async def begin_notices(joined: Database) -> None:
    """On an index that was never looked through, all that is there is old."""
    async with joined.transaction():
        await joined.change_many(
            "INSERT OR IGNORE INTO main.switches VALUES (?, ?)",
            [(SINCE, int(time.time())), (MARK, await newest_mark(joined))],
        )


async def newest_mark(joined: Database) -> int:
    """The mark of the worklist's last change."""
    row = await joined.row("SELECT count FROM worklist_changes")
    return int(row["count"]) if row else 0


async def scan_news(joined: Database, since: int, mark: int, limit: int) -> list[ScanNews]:
    """Rows that changed after a mark, in that order; since: Unix seconds, older ones are none."""
    earliest = max(since, time.time() - NEWS_DAYS * _DAY)
    moment = datetime.fromtimestamp(earliest, UTC).isoformat(timespec="milliseconds")
    rows = await joined.rows(
        "SELECT * FROM (SELECT w.mark, w.state, coalesce(w.scan_id, ''), coalesce(w.drop_id, 0),"
        " coalesce(w.finding, ''), w.judged, w.is_doubtful, coalesce(d.urgent, 0),"
        " coalesce(d.cancelled, 0),"
        " coalesce((SELECT published_at FROM scans s WHERE s.scan_id = w.scan_id"
        "   AND s.revision = w.judged), d.ended_at, '') AS at,"
        " coalesce((SELECT min(published_at) FROM scans s WHERE s.scan_id = w.scan_id),"
        "   d.ended_at, '') >= ?1 AS is_first,"
        " (SELECT json_group_array(name) FROM records.scan_labels n INDEXED BY labels_of_scan"
        "   JOIN records.labels USING (label_id)"
        "   WHERE n.scan_id = w.scan_id AND n.removed_at = '') AS labels"
        " FROM worklist w INDEXED BY worklist_by_mark LEFT JOIN drops d ON d.drop_id = w.drop_id"
        f" WHERE w.mark > ?2 AND w.stage IN ('done', 'failed') AND {SHOWN})"
        " WHERE at >= ?1 ORDER BY mark LIMIT ?3",
        (moment, mark, limit),
    )
    return [_news(row) for row in rows]


def _news(row: sqlite3.Row) -> ScanNews:
    mark, state, scan_id, drop_id, finding, judged, doubtful, urgent, cancelled, at = row[:10]
    return ScanNews(
        mark=mark,
        state=state,
        scan_id=scan_id,
        drop_id=drop_id,
        finding=finding,
        judged=judged,
        is_doubtful=bool(doubtful),
        is_urgent=bool(urgent),
        is_cancelled=bool(cancelled),
        at=at,
        is_first=bool(row["is_first"]),
        labels=frozenset(map(folded, json.loads(row["labels"]))),
    )


async def enter_notices(
    joined: Database,
    notices: Iterable[tuple[str, Notice]],
    switches: Mapping[str, int],
) -> None:
    """Enter (receiver, notice) pairs that are new, and with them how far one has looked."""
    async with joined.transaction():
        await joined.change_many(
            "INSERT OR IGNORE INTO notices (receiver, key, event, kinds, scan_id, at, entered,"
            " at_once, counts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_values(receiver, notice) for receiver, notice in notices],
        )
        await joined.change_many(
            "INSERT INTO main.switches VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET value = excluded.value",
            switches.items(),
        )


def _values(receiver: str, notice: Notice) -> tuple[object, ...]:
    kinds = "over" if notice.is_over else " ".join(sorted(notice.kinds))
    counts = json.dumps(asdict(notice.counts)) if notice.counts else ""
    return (
        *(receiver, notice.key, notice.event, kinds, notice.scan_id, notice.at, time.time()),
        *(notice.event in AT_ONCE, counts),
    )


async def notices_of(joined: Database, message: Message) -> list[Notice]:
    """What a message tells, in the order in which it happened."""
    rows = await joined.rows(
        "SELECT key, event, at, kinds, scan_id, counts FROM notices"
        " WHERE receiver = ? AND number BETWEEN ? AND ? ORDER BY number",
        (message.receiver, message.first, message.last),
    )
    return [_notice(row) for row in rows]


def _notice(row: Sequence[str]) -> Notice:
    key, event, at, kinds, scan_id, counts = row
    is_over = kinds == "over"
    return Notice(
        key=key,
        event=Event(event),
        at=at,
        kinds=frozenset() if is_over else frozenset(ScanKind(each) for each in kinds.split()),
        scan_id=scan_id,
        is_over=is_over,
        counts=NightCounts(**json.loads(counts)) if counts else None,
    )


async def keep_targets(joined: Database, targets: Iterable[tuple[str, str]]) -> None:
    """Each (receiver, address): a new one is told what comes from now on."""
    known = {
        tuple(row) for row in await joined.rows("SELECT receiver, address FROM notify_targets")
    }
    if new := [target for target in targets if target not in known]:
        async with joined.transaction():
            await joined.change_many(
                "INSERT OR IGNORE INTO notify_targets SELECT ?, ?,"
                " coalesce((SELECT max(number) FROM notices), 0)",
                new,
            )


async def in_line(joined: Database, receiver: str, address: str) -> InLine | None:
    """What waits for a message to an address; None where nothing does."""
    row = await joined.row(
        "SELECT max(n.number) AS last, min(n.entered) AS oldest, max(n.at_once) AS at_once,"
        " coalesce((SELECT max(made) FROM notify_messages m WHERE m.receiver = t.receiver"
        "   AND m.address = t.address), 0) AS last_made"
        " FROM notify_targets t JOIN notices n ON n.receiver = t.receiver AND n.number > t.told"
        " WHERE t.receiver = ? AND t.address = ?",
        (receiver, address),
    )
    if row is None or row["last"] is None:
        return None
    return InLine(row["last"], row["oldest"], bool(row["at_once"]), row["last_made"])


async def make_message(joined: Database, receiver: str, address: str, last: int) -> None:
    """A message of all that waits for an address, up to a number."""
    async with joined.transaction():
        await joined.change(
            "INSERT INTO notify_messages (message_id, receiver, address, first, last, state, made)"
            " SELECT ?1, receiver, address, told + 1, ?4, 'waiting', ?5 FROM notify_targets"
            " WHERE receiver = ?2 AND address = ?3",
            (secrets.token_hex(16), receiver, address, last, time.time()),
        )
        await joined.change(
            "UPDATE notify_targets SET told = ? WHERE receiver = ? AND address = ?",
            (last, receiver, address),
        )


async def open_message(joined: Database, receiver: str, address: str) -> Message | None:
    """The message to an address that is not sent yet: there is one at most."""
    row = await joined.row(
        "SELECT message_id, receiver, first, last, tries, next_try, made FROM notify_messages"
        " WHERE receiver = ? AND address = ? AND state = 'waiting'",
        (receiver, address),
    )
    return Message(*row) if row else None


async def note_handed(joined: Database, message_id: str) -> None:
    """It is about to be given to the other side: from here on it may have arrived."""
    async with joined.transaction():
        await joined.change(
            "UPDATE notify_messages SET state = 'handed' WHERE message_id = ?", (message_id,)
        )


async def note_try(
    joined: Database, message_id: str, state: MessageState, pause: float, code: str, reason: str
) -> None:
    """What became of a try. pause: seconds until the next one, where it waits again."""
    ended = None if state is MessageState.WAITING else now()
    async with joined.transaction():
        await joined.change(
            "UPDATE notify_messages SET state = ?, tries = tries + 1, next_try = ?, code = ?,"
            " reason = ?, ended_at = ? WHERE message_id = ?",
            (state, time.time() + pause, code, reason, ended, message_id),
        )


async def settle_handed(joined: Database, repeatable: Iterable[str]) -> int:
    """At the start: what was handed over when its process was killed; how many are unclear.

    repeatable: receivers that know a message by its id, and get it once more.
    """
    names = json.dumps(list(repeatable))
    async with joined.transaction():
        await joined.change(
            "UPDATE notify_messages SET state = 'waiting' WHERE state = 'handed'"
            " AND receiver IN (SELECT value FROM json_each(?))",
            (names,),
        )
        return await joined.change(
            "UPDATE notify_messages SET state = 'unclear', reason = 'killed', ended_at = ?"
            " WHERE state = 'handed'",
            (now(),),
        )


async def end_unwanted(joined: Database, targets: Iterable[tuple[str, str]]) -> None:
    """Addresses that nobody wants told any more are forgotten, and messages to them given up."""
    wanted = json.dumps([list(each) for each in targets])
    async with joined.transaction():
        await joined.change(
            "DELETE FROM notify_targets WHERE NOT EXISTS (SELECT 1 FROM json_each(?) w"
            " WHERE w.value ->> 0 = receiver AND w.value ->> 1 = address)",
            (wanted,),
        )
        await joined.change(
            "UPDATE notify_messages SET state = 'given_up', reason = 'unwanted', ended_at = ?"
            " WHERE state = 'waiting' AND NOT EXISTS (SELECT 1 FROM json_each(?) w"
            " WHERE w.value ->> 0 = receiver AND w.value ->> 1 = address)",
            (now(), wanted),
        )


async def forget_old(joined: Database) -> None:
    """What ended long ago goes. Nothing so old is news any more, so none is told again."""
    earliest = time.time() - KEEP_DAYS * _DAY
    moment = (datetime.now(UTC) - timedelta(days=KEEP_DAYS)).isoformat(timespec="milliseconds")
    async with joined.transaction():
        await joined.change("DELETE FROM notify_messages WHERE ended_at < ?", (moment,))
        await joined.change(
            "DELETE FROM notices WHERE entered < ? AND NOT EXISTS (SELECT 1 FROM notify_messages m"
            " WHERE m.state IN ('waiting', 'handed') AND m.receiver = notices.receiver"
            " AND notices.number BETWEEN m.first AND m.last)",
            (earliest,),
        )


async def count_notices(index: Database, names: Iterable[str]) -> list[ReceiverCounts]:
    """For each receiver of the settings, in their order."""
    return [await _counts(index, name) for name in names]


async def _counts(index: Database, name: str) -> ReceiverCounts:
    states = await index.rows(
        "SELECT state, count(*) AS n, min(made) AS oldest, coalesce(max(ended_at), '') AS ended"
        " FROM notify_messages WHERE receiver = ? GROUP BY state",
        (name,),
    )
    by_state = {MessageState(row["state"]): row for row in states}
    waiting = await index.row(
        "SELECT count(*) AS n FROM notices WHERE receiver = ?1 AND number >"
        " coalesce((SELECT min(told) FROM notify_targets WHERE receiver = ?1), 1e18)",
        (name,),
    )
    failed = await index.row(
        "SELECT code, reason FROM notify_messages m WHERE receiver = ? AND reason != ''"
        " AND state != 'sent' AND NOT EXISTS (SELECT 1 FROM notify_messages s"
        "  WHERE s.receiver = m.receiver AND s.address = m.address AND s.made > m.made"
        "  AND s.state = 'sent') ORDER BY made DESC LIMIT 1",
        (name,),
    )
    sent, open_ = by_state.get(MessageState.SENT), by_state.get(MessageState.WAITING)
    return ReceiverCounts(
        name=name,
        messages={s: by_state[s]["n"] if s in by_state else 0 for s in MessageState},
        waiting=waiting["n"] if waiting else 0,
        oldest=open_["oldest"] if open_ else 0.0,
        code=failed["code"] if failed else "",
        reason=failed["reason"] if failed else "",
        sent_at=sent["ended"] if sent else "",
    )
