"""Scan dates and pixel sizes that people entered, and what they want analyzed, in the records."""

import sqlite3
from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.audit import changing
from model.rules import AskedSeries, Spacing


@dataclass(frozen=True)
class EnteredDate:
    """What was entered last for a scan. acquired_on: ISO 8601, '' if it was taken back."""

    scan_id: str
    acquired_on: str
    entered_by: str
    entered_at: str


async def add_date(
    records: Database, scan_id: str, acquired_on: str, entered_by: str, only_first: bool = False
) -> None:
    """Enter a date, or '' to take it back; what was entered before stays on record.

    only_first: not where anything ever was entered.
    """
    async with changing(records):
        await records.change(
            "INSERT INTO scan_dates (scan_id, acquired_on, entered_by, entered_at)"
            " SELECT ?1, ?2, ?3, ?4 WHERE NOT ?5"
            " OR NOT EXISTS (SELECT 1 FROM scan_dates WHERE scan_id = ?1)",
            (scan_id, acquired_on, entered_by, now(), only_first),
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


_COLUMNS = "scan_id, across_mm, down_mm, between_mm, entered_by, entered_at"


@dataclass(frozen=True)
class EnteredSpacing:
    """What was entered last for a scan. spacing: None if it was taken back."""

    scan_id: str
    spacing: Spacing | None
    entered_by: str
    entered_at: str


async def add_spacing(
    records: Database, scan_id: str, spacing: Spacing | None, entered_by: str
) -> None:
    """Enter a spacing, or None to take it back; what was entered before stays on record."""
    numbers = spacing.numbers if spacing else [None, None, None]
    async with changing(records):
        await records.change(
            f"INSERT INTO scan_spacings ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            (scan_id, *numbers, entered_by, now()),
        )


async def entered_spacing(records: Database, scan_id: str) -> EnteredSpacing | None:
    """What was entered last for a scan, or None if nothing ever was."""
    row = await records.row(
        f"SELECT {_COLUMNS} FROM scan_spacings WHERE scan_id = ? ORDER BY entry DESC LIMIT 1",
        (scan_id,),
    )
    return _entered(row) if row else None


async def entered_spacings(records: Database) -> list[EnteredSpacing]:
    """What was entered last for every scan for which anything was."""
    rows = await records.rows(
        f"SELECT {_COLUMNS} FROM scan_spacings WHERE entry IN"
        " (SELECT max(entry) FROM scan_spacings GROUP BY scan_id)"
    )
    return [_entered(row) for row in rows]


def _entered(row: sqlite3.Row) -> EnteredSpacing:
    scan_id, across, down, between, entered_by, entered_at = row
    spacing = None if across is None else Spacing(across, down, between)
    return EnteredSpacing(scan_id, spacing, entered_by, entered_at)


@dataclass(frozen=True)
class Wish:
    """What a person said last of how a scan is to be analyzed. is_wanted: anyway, whatever it looks
    like; False: no longer. series: of its study, if another one than usual, and the reason."""

    scan_id: str
    is_wanted: bool
    wished_by: str
    wished_at: str
    series: AskedSeries | None = None
    reason: str = ""


async def add_wish(
    records: Database,
    scan_id: str,
    is_wanted: bool,
    who: str,
    series: AskedSeries | None = None,
    reason: str = "",
) -> None:
    """Note that a scan is to be analyzed anyway, or no longer; what was said before stays."""
    told = (series.number, series.description, series.slices) if series else (None, None, None)
    async with changing(records):
        await records.change(
            f"INSERT INTO analysis_wishes ({_WISH}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (scan_id, is_wanted, who, now(), *told, reason),
        )


_WISH = (
    "scan_id, is_wanted, wished_by, wished_at,"
    " series_number, series_description, series_slices, reason"
)


async def wanted_before_series(records: Database, scan_id: str) -> bool:
    """Whether the last that was said of a scan, choices of a series aside, is: anyway."""
    row = await records.row(
        "SELECT is_wanted FROM analysis_wishes WHERE scan_id = ? AND series_slices IS NULL"
        " ORDER BY entry DESC LIMIT 1",
        (scan_id,),
    )
    return row is not None and bool(row["is_wanted"])


async def find_wish(records: Database, scan_id: str) -> Wish | None:
    """What was said last of a scan, or None if nothing ever was."""
    row = await records.row(
        f"SELECT {_WISH} FROM analysis_wishes WHERE scan_id = ? ORDER BY entry DESC LIMIT 1",
        (scan_id,),
    )
    return _wish(row) if row else None


async def all_wishes(records: Database) -> list[Wish]:
    """What was said last of every scan of which anything was."""
    rows = await records.rows(
        f"SELECT {_WISH} FROM analysis_wishes WHERE entry IN"
        " (SELECT max(entry) FROM analysis_wishes GROUP BY scan_id)"
    )
    return [_wish(row) for row in rows]


def _wish(row: sqlite3.Row) -> Wish:
    scan_id, is_wanted, by, at, number, description, slices, reason = row
    series = None if slices is None else AskedSeries(number, description, slices, by)
    return Wish(scan_id, bool(is_wanted), by, at, series, reason)
