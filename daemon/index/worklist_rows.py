"""The worklist's rows, the counts above them, and what they take over from the records.

The records are another file, so this comes after the fact: rows that nobody has looked up yet, and
those of reviews and settled scans that were added since, are looked up, the newest first, until
none is left.

All functions take the connection that reads both databases (`daemon/index/database.py`).
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from daemon.index.database import LAST_LETTER, Database
from daemon.index.people.patients import ensure_patients
from daemon.index.queue import switch
from daemon.index.statistics import RECONCILE
from daemon.index.worklist_pages import SHOWN

REVIEWS_SEEN, SETTLED_SEEN = "worklist_reviews_seen", "worklist_settled_seen"
AT_ONCE = 500  # rows of one transaction: the daemon writes to the index as well


async def catch_up(joined: Database, records: Database) -> bool:
    """Look up the newest rows that need it, AT_ONCE at most; whether any was left or looked up.

    Quick where nothing is new. On a disk that is full the rows stay as they are, and the list
    can still be read; a database that cannot be read is told by whatever reads it next.
    """
    try:
        news = await joined.row(NEWS, (REVIEWS_SEEN, SETTLED_SEEN))
        if news is None or not (news["is_reviewed"] or news["is_new"]):
            return False
        todo = await _to_look_up(joined)
        await ensure_patients(records, {row["patient_id"] for row in todo if row["is_new"]})
        await _look_up(joined, news["review"], news["settled"])
    except sqlite3.DatabaseError:
        return False
    return True


async def _to_look_up(joined: Database) -> list[sqlite3.Row]:
    return await joined.rows(
        "SELECT patient_id, NOT EXISTS (SELECT 1 FROM records.patients p"
        " WHERE p.patient_id = w.patient_id) AS is_new"
        " FROM worklist w INDEXED BY worklist_to_look_up WHERE NOT looked_up"
        " ORDER BY row_id DESC LIMIT ?",
        (AT_ONCE,),
    )


async def _look_up(joined: Database, review: int, settled: int) -> None:
    """One round: a transaction that writes to the index alone. The newest entry of both tables."""
    async with joined.transaction():
        await joined.change(
            "UPDATE worklist SET looked_up = 0 WHERE scan_id IN"
            " (SELECT scan_id FROM records.reviews WHERE review_id > ?"
            " UNION SELECT scan_id FROM records.settled_scans WHERE entry > ?)",
            (await switch(joined, REVIEWS_SEEN), await switch(joined, SETTLED_SEEN)),
        )
        await joined.change(
            "UPDATE worklist SET decision = r.decision, reviewer = r.reviewer FROM ("
            " SELECT w.row_id AS at, coalesce(v.decision,"
            "   iif(w.corrected_by IS NULL, iif(s.reason > '', 'settled', ''), 'accepted'))"
            "   AS decision,"  # accepted by who drew it
            "   coalesce(v.reviewer, w.corrected_by, iif(s.reason > '', s.settled_by, NULL))"
            "   AS reviewer"
            f" FROM (SELECT * FROM worklist WHERE row_id IN ({_ROUND})) w"
            " LEFT JOIN records.reviews v ON v.review_id = (SELECT max(review_id)"
            " FROM records.reviews n WHERE n.scan_id = w.scan_id AND n.revision = w.judged)"
            " LEFT JOIN records.settled_scans s ON w.finding = 'not_judged' AND s.entry = ("
            " SELECT max(entry) FROM records.settled_scans n WHERE n.scan_id = w.scan_id"
            " AND n.revision = w.judged)"
            " ) r WHERE row_id = r.at AND (worklist.decision, worklist.reviewer)"
            " IS NOT (r.decision, r.reviewer)",
            (AT_ONCE,),
        )
        await joined.change(
            f"UPDATE worklist SET looked_up = 1 WHERE row_id IN ({_ROUND})", (AT_ONCE,)
        )
        await joined.change_many(
            "INSERT INTO switches VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [(REVIEWS_SEEN, review), (SETTLED_SEEN, settled)],
        )


NEWS = (
    "SELECT review, settled, review > review_seen OR settled > settled_seen AS is_reviewed,"
    " EXISTS (SELECT 1 FROM worklist INDEXED BY worklist_to_look_up WHERE NOT looked_up) AS is_new"
    " FROM (SELECT coalesce((SELECT max(review_id) FROM records.reviews), 0) AS review,"
    " coalesce((SELECT value FROM switches WHERE name = ?), 0) AS review_seen,"
    " coalesce((SELECT max(entry) FROM records.settled_scans), 0) AS settled,"
    " coalesce((SELECT value FROM switches WHERE name = ?), 0) AS settled_seen)"
)
_ROUND = (
    "SELECT row_id FROM worklist INDEXED BY worklist_to_look_up WHERE NOT looked_up"
    " ORDER BY row_id DESC LIMIT ?"
)


@dataclass(frozen=True)
class Row:
    """One line of the worklist: a scan, or files that are none yet. Moments: UTC, ISO 8601.

    state: copying, waiting, running, failed, duplicate, review (a person should look) or done.
    patient_key: None if the records do not know the patient yet. scan_id: of a duplicate that of
    the scan it repeats. brief: JSON, what is shown of the newest revision's report; None of what
    is no scan. folder: of that revision, below the outbox; None once retention has taken the
    files away.
    is_first: it is compared with no scan, and no other of the patient is older, or could be; never
    of patients who were merged: the records of the one are shown for both.
    """

    row_id: int
    state: str
    patient_id: str
    patient_key: str | None
    patient_name: str
    arrived_at: str
    scan_id: str | None
    acquired_at: str | None
    reason: str | None
    number: int | None  # of the drop, of what is no scan
    started_at: str | None
    decision: str
    reviewer: str | None
    brief: str | None
    folder: bytes | None
    is_first: bool
    is_again: bool  # queued for another analysis
    filed_twice: bool
    settled: str  # why it needs no person, a short code
    labels: tuple[str, ...]
    assignee: str  # whose turn it is, as reviews are signed; '' = nobody's


NAMES = tuple(field.name for field in fields(Row))


async def worklist_rows(joined: Database, row_ids: Sequence[int]) -> list[Row]:
    """These rows, in this order; those that are gone are left out."""
    rows = await joined.row(_ROWS, (json.dumps(row_ids),))
    found = {values[0]: _row(values) for values in json.loads(rows[0])} if rows else {}
    return [found[row_id] for row_id in row_ids if row_id in found]


async def listed_scans(index: Database, scan_ids: Iterable[str]) -> list[str]:
    """Those of these scans that there are, each once."""
    rows = await index.rows(
        "SELECT scan_id FROM worklist WHERE scan_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(scan_ids)),),
    )
    return [str(row["scan_id"]) for row in rows]


async def touch_rows(index: Database, scan_ids: Sequence[str]) -> None:
    """Something that a row shows of the records has changed: open lists ask for it again."""
    async with index.transaction():
        await index.change(
            "UPDATE worklist SET trouble = trouble"
            " WHERE scan_id IN (SELECT value FROM json_each(?))",
            (json.dumps(scan_ids),),
        )


async def begins_accession(joined: Database, text: str) -> bool:
    """Whether any accession number begins so."""
    found = await joined.row(
        "SELECT 1 FROM worklist WHERE accession >= ? AND accession < ? LIMIT 1",
        (text, text + LAST_LETTER),
    )
    return found is not None


async def row_of_scan(joined: Database, scan_id: str) -> int | None:
    """The row in which a scan stands."""
    row = await joined.row("SELECT row_id FROM worklist WHERE scan_id = ?", (scan_id,))
    return int(row["row_id"]) if row else None


# All rows as one text: sqlite3 takes Python's lock for each row that it gives back, and the thread
# of the pages has it. A drop says nothing more once its scan is there. Equal scan_ids have equal
# patients. In the order of Row's fields.
_ROWS = """
    SELECT json_group_array(json_array(
        w.row_id, w.state, coalesce(m.into_id, w.patient_id), p.patient_key,
        coalesce(p.name, ''), w.arrived_at,
        coalesce(w.scan_id, d.scan_id), w.acquired_at, coalesce(w.trouble, d.reason),
        d.drop_id, d.started_at, w.decision, w.reviewer, w.brief, hex(w.folder),
        w.growth IS NULL AND m.patient_id IS NULL
            AND NOT EXISTS (SELECT 1 FROM merged_patients WHERE into_id = w.patient_id)
            AND NOT EXISTS (SELECT 1 FROM worklist o
            WHERE o.patient_id = w.patient_id AND o.row_id != w.row_id AND o.scan_id IS NOT NULL
            AND o.scan_id NOT IN (SELECT scan_id FROM unlisted_scans)
            AND coalesce(o.acquired_at < w.acquired_at, 1)),
        w.scan_id IN (SELECT a.scan_id FROM drops a INDEXED BY drops_again
            WHERE a.kind = 'again' AND a.state IN ('waiting', 'running')),
        EXISTS (SELECT 1 FROM scans o WHERE o.content_sha256 = w.content_sha256
            AND o.scan_id != w.scan_id AND o.patient_id != w.patient_id
            AND EXISTS (SELECT 1 FROM shown_scans t WHERE t.scan_id = o.scan_id)),
        iif(w.decision = 'settled', coalesce((SELECT reason FROM records.settled_scans n
            WHERE n.scan_id = w.scan_id AND n.revision = w.judged ORDER BY entry DESC LIMIT 1), ''),
            ''),
        json((SELECT json_group_array(name) FROM (SELECT name FROM records.scan_labels n
            INDEXED BY labels_of_scan JOIN records.labels USING (label_id)
            WHERE n.scan_id = w.scan_id AND n.removed_at = '' ORDER BY name))),
        coalesce((SELECT full_name FROM records.scan_assignees n INDEXED BY assignee_of_scan
            JOIN records.accounts USING (account_id)
            WHERE n.scan_id = w.scan_id AND n.ended_at = ''), '')))
    FROM json_each(?) asked CROSS JOIN worklist w ON w.row_id = asked.value
    LEFT JOIN merged_patients m ON m.patient_id = w.patient_id
    LEFT JOIN records.patients p ON p.patient_id = coalesce(m.into_id, w.patient_id)
    LEFT JOIN drops d ON d.drop_id = iif(w.stage = 'done', NULL, w.drop_id)
"""


def _row(values: list[Any]) -> Row:
    row: dict[str, Any] = dict(zip(NAMES, values, strict=True))
    flags = {name: bool(row[name]) for name in ("is_first", "is_again", "filed_twice")}
    labels = tuple(row["labels"])
    return Row(**row | flags | {"folder": bytes.fromhex(row["folder"]) or None, "labels": labels})


@dataclass(frozen=True)
class Situation:
    """As of one moment. mark: grows with every change of any row; arrived: rows by state.

    is_empty: nothing has ever arrived; is_behind: rows wait for `catch_up`; looked_at: Unix
    seconds of the daemon's last look through the inbox, None if there was none.
    """

    mark: int
    is_empty: bool
    is_behind: bool
    is_paused: bool
    is_disk_low: bool
    looked_at: float | None
    arrived: dict[str, int]


async def situation_of(joined: Database, since: str) -> Situation:
    """As it is now; since: UTC, ISO 8601, from which on arrivals are counted."""
    row = await joined.row(_SITUATION, (REVIEWS_SEEN, SETTLED_SEEN, RECONCILE, since))
    assert row is not None  # a SELECT without FROM has one row
    return Situation(
        mark=row["mark"] or 0,
        is_empty=bool(row["is_empty"]),
        is_behind=bool(row["is_behind"]),
        is_paused=bool(row["is_paused"]),
        is_disk_low=bool(row["is_disk_low"]),
        looked_at=row["looked_at"],
        arrived=json.loads(row["arrived"]),
    )


_SITUATION = f"""
    SELECT (SELECT count FROM worklist_changes) AS mark,
        NOT EXISTS (SELECT 1 FROM worklist) AS is_empty,
        (SELECT is_reviewed OR is_new FROM ({NEWS})) AS is_behind,
        (SELECT value FROM switches WHERE name = 'paused') AS is_paused,
        (SELECT value FROM switches WHERE name = 'disk_low') AS is_disk_low,
        (SELECT at FROM heartbeats WHERE name = ?) AS looked_at,
        (SELECT json_group_object(state, n) FROM (SELECT state, count(*) AS n
            FROM worklist w INDEXED BY worklist_by_arrived
            WHERE arrived_at >= ? AND {SHOWN} GROUP BY state)) AS arrived
"""
