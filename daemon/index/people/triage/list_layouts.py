"""How an account sees the worklist: its columns and the order of its rows, in the records."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.audit import changing


@dataclass(frozen=True)
class ListLayout:
    """columns: names in their order; sort, direction: of the rows, '' as shipped."""

    columns: tuple[str, ...] = ()
    sort: str = ""
    direction: str = ""


async def layout_of(records: Database, account_id: int) -> ListLayout:
    """The one of an account; an empty one if it has none."""
    row = await records.row(
        "SELECT columns, sort, direction FROM list_layouts WHERE account_id = ?", (account_id,)
    )
    if row is None:
        return ListLayout()
    return ListLayout(tuple(json.loads(row["columns"])), row["sort"], row["direction"])


async def keep_layout(
    records: Database, account_id: int, columns: Sequence[str], sort: str, direction: str
) -> None:
    """Keep it in the place of the one before."""
    async with changing(records):
        await records.change(
            "INSERT INTO list_layouts (account_id, columns, sort, direction, set_at)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET columns = excluded.columns,"
            " sort = excluded.sort, direction = excluded.direction, set_at = excluded.set_at",
            (account_id, json.dumps(list(columns)), sort, direction, now()),
        )


async def forget_layout(records: Database, account_id: int) -> None:
    """As shipped again."""
    async with changing(records):
        await records.change("DELETE FROM list_layouts WHERE account_id = ?", (account_id,))
