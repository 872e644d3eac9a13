"""Masks that people draw in the browser and have not sent yet: one a person and scan.

A draft is no statement: no page but its person's own and no export knows what is marked in it.
"""

import sqlite3
from dataclasses import dataclass

from daemon.index.database import Database, now


@dataclass(frozen=True)
class MaskDraft:
    """One person's draft. revision: whose mask it began with; times are UTC, ISO 8601."""

    scan_id: str
    account_id: int
    full_name: str
    revision: int
    begun_at: str
    kept_at: str


async def put_draft(
    records: Database, scan_id: str, account_id: int, revision: int, mask: bytes
) -> None:
    """Keep a person's draft in place of the one before; when that was begun still counts."""
    async with records.transaction():
        await records.change(
            "INSERT INTO mask_drafts (scan_id, account_id, revision, begun_at, kept_at, mask)"
            " VALUES (?1, ?2, ?3, ?4, ?4, ?5) ON CONFLICT (scan_id, account_id) DO UPDATE"
            " SET revision = excluded.revision, kept_at = excluded.kept_at, mask = excluded.mask",
            (scan_id, account_id, revision, now(), mask),
        )


async def remove_draft(records: Database, scan_id: str, account_id: int) -> None:
    """It was sent, or given up."""
    async with records.transaction():
        await records.change(
            "DELETE FROM mask_drafts WHERE scan_id = ? AND account_id = ?", (scan_id, account_id)
        )


async def drafts_of(records: Database, scan_id: str) -> list[MaskDraft]:
    """Everybody's drafts of a scan's mask, without the masks; first who began first."""
    rows = await records.rows(
        "SELECT scan_id, account_id, full_name, revision, begun_at, kept_at"
        " FROM mask_drafts JOIN accounts USING (account_id) WHERE scan_id = ?"
        " ORDER BY begun_at, account_id",
        (scan_id,),
    )
    return [_draft(row) for row in rows]


async def drawn_mask(records: Database, scan_id: str, account_id: int) -> bytes | None:
    """The mask of a person's draft as a packed NIfTI file; None where there is none."""
    row = await records.row(
        "SELECT mask FROM mask_drafts WHERE scan_id = ? AND account_id = ?", (scan_id, account_id)
    )
    return bytes(row["mask"]) if row else None


def _draft(row: sqlite3.Row) -> MaskDraft:
    return MaskDraft(*row)
