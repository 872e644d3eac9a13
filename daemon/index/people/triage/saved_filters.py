"""Filters of the worklist that somebody gave a name, for one account or for all: the records."""

from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.audit import changing

MOST_SAVED = 50  # of one account


@dataclass(frozen=True)
class SavedFilter:
    """One of them. query: of the list's address; account: who saved it."""

    filter_id: int
    account: str
    name: str
    query: str
    is_shared: bool


async def save_filter(
    records: Database, account: str, name: str, query: str, is_shared: bool
) -> bool:
    """Keep it under this name; the same name of the same account is replaced.

    False if the account has MOST_SAVED others.
    """
    async with changing(records):
        await records.change(
            "UPDATE saved_filters SET removed_at = ?"
            " WHERE account = ? AND name = ? AND removed_at = ''",
            (now(), account, name),
        )
        row = await records.row(
            "INSERT INTO saved_filters (account, name, query, is_shared, saved_at)"
            " SELECT ?1, ?2, ?3, ?4, ?5 WHERE (SELECT count(*) FROM saved_filters"
            " WHERE account = ?1 AND removed_at = '') < ?6 RETURNING filter_id",
            (account, name, query, is_shared, now(), MOST_SAVED),
        )
    return row is not None


async def remove_filter(
    records: Database, filter_id: int, account: str, may_remove_shared: bool
) -> bool:
    """Show it no longer. False if there is none, or it is another account's and not to be removed.

    may_remove_shared: a shared one of anybody may go.
    """
    async with changing(records):
        changed = await records.change(
            "UPDATE saved_filters SET removed_at = ? WHERE filter_id = ? AND removed_at = ''"
            " AND (account = ? OR (is_shared AND ?))",
            (now(), filter_id, account, may_remove_shared),
        )
    return changed > 0


async def filters_for(records: Database, account: str) -> list[SavedFilter]:
    """Those of an account and those that all share, by name."""
    rows = await records.rows(
        "SELECT filter_id, account, name, query, is_shared FROM saved_filters"
        " WHERE removed_at = '' AND (account = ? OR is_shared) ORDER BY name COLLATE NOCASE",
        (account,),
    )
    return [
        SavedFilter(
            row["filter_id"], row["account"], row["name"], row["query"], bool(row["is_shared"])
        )
        for row in rows
    ]
