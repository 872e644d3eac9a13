"""What the worklist's rows take over from the records: who reviewed, and that a patient is known.

The records are another file, so this comes after the fact: rows that nobody has looked up yet, and
those of reviews that were added since, are looked up, the newest first, until none is left.
"""

import sqlite3

from daemon.index.database import Database
from daemon.index.people.patients import ensure_patients
from daemon.index.queue import switch

REVIEWS_SEEN = "worklist_reviews_seen"
AT_ONCE = 500  # rows of one transaction: the daemon writes to the index as well


async def catch_up(joined: Database, records: Database) -> bool:
    """Look up the newest rows that need it, AT_ONCE at most; whether any was left or looked up.

    Quick where nothing is new. On a disk that is full the rows stay as they are, and the list
    can still be read; a database that cannot be read is told by whatever reads it next.
    """
    try:
        news = await joined.row(NEWS, (REVIEWS_SEEN,))
        if news is None or not (news["is_reviewed"] or news["is_new"]):
            return False
        todo = await _to_look_up(joined)
        await ensure_patients(records, {row["patient_id"] for row in todo if row["is_new"]})
        await _look_up(joined, news["newest"])
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


async def _look_up(joined: Database, newest: int) -> None:
    """One round: a transaction that writes to the index alone."""
    async with joined.transaction():
        await joined.change(
            "UPDATE worklist SET looked_up = 0 WHERE scan_id IN"
            " (SELECT scan_id FROM records.reviews WHERE review_id > ?)",
            (await switch(joined, REVIEWS_SEEN),),
        )
        await joined.change(
            "UPDATE worklist SET decision = r.decision, reviewer = r.reviewer FROM ("
            " SELECT w.row_id AS at, coalesce(v.decision,"
            "   iif(w.corrected_by IS NULL, '', 'accepted')) AS decision,"  # by who drew it
            "   coalesce(v.reviewer, w.corrected_by) AS reviewer"
            f" FROM (SELECT * FROM worklist WHERE row_id IN ({_ROUND})) w"
            " LEFT JOIN records.reviews v ON v.review_id = (SELECT max(review_id)"
            " FROM records.reviews n WHERE n.scan_id = w.scan_id AND n.revision = w.judged)"
            " ) r WHERE row_id = r.at AND (worklist.decision, worklist.reviewer)"
            " IS NOT (r.decision, r.reviewer)",
            (AT_ONCE,),
        )
        await joined.change(
            f"UPDATE worklist SET looked_up = 1 WHERE row_id IN ({_ROUND})", (AT_ONCE,)
        )
        await joined.change(
            "INSERT INTO switches VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (REVIEWS_SEEN, newest),
        )


NEWS = (
    "SELECT newest, newest > seen AS is_reviewed, EXISTS (SELECT 1 FROM worklist"
    " INDEXED BY worklist_to_look_up WHERE NOT looked_up) AS is_new FROM"
    " (SELECT coalesce((SELECT max(review_id) FROM records.reviews), 0) AS newest,"
    " coalesce((SELECT value FROM switches WHERE name = ?), 0) AS seen)"
)
_ROUND = (
    "SELECT row_id FROM worklist INDEXED BY worklist_to_look_up WHERE NOT looked_up"
    " ORDER BY row_id DESC LIMIT ?"
)
