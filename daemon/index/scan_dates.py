"""Dates of scans as people entered them, in the records, where the files do not say."""

from dataclasses import dataclass

from daemon.index.database import Database, now


@dataclass(frozen=True)
class EnteredDate:
    """What was entered last for a scan. acquired_on: ISO 8601, '' if it was taken back."""

    scan_id: str
    acquired_on: str
    entered_by: str
    entered_at: str


async def add_date(records: Database, scan_id: str, acquired_on: str, entered_by: str) -> None:
    """Enter a date, or '' to take it back; what was entered before stays on record."""
    async with records.transaction():
        await records.change(
            "INSERT INTO scan_dates (scan_id, acquired_on, entered_by, entered_at)"
            " VALUES (?, ?, ?, ?)",
            (scan_id, acquired_on, entered_by, now()),
        )


async def entered_date(records: Database, scan_id: str) -> EnteredDate | None:
    """What was entered last for a scan, or None if nothing ever was."""
    row = await records.row(
        "SELECT scan_id, acquired_on, entered_by, entered_at FROM scan_dates"
        " WHERE scan_id = ? ORDER BY entry DESC LIMIT 1",
        (scan_id,),
    )
    return EnteredDate(*row) if row else None


async def entered_dates(records: Database) -> dict[str, str]:
    """What was entered last for every scan for which anything was, by scan_id."""
    rows = await records.rows("SELECT scan_id, acquired_on FROM scan_dates ORDER BY entry")
    return {row["scan_id"]: row["acquired_on"] for row in rows}
