"""What people measured on scans by hand, and which of it is to be left as DICOM SR: the records."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from daemon.index.database import Database, now
from daemon.index.people.audit import changing
from model.drawn_shapes import Drawn, Figures, Shape

MOST_KEPT = 200  # that stand, of one scan


@dataclass(frozen=True)
class Measurement:
    """One statement. revision: the one that was shown; grid: of its voxels; times: UTC, ISO 8601;
    removed_by: '' while it stands.
    """

    measurement_id: int
    scan_id: str
    revision: int
    grid: str
    drawn: Drawn
    figures: Figures
    account_id: int
    measured_by: str
    measured_at: str
    removed_by: str
    removed_at: str


async def add_measurement(
    records: Database,
    scan_id: str,
    revision: int,
    grid: str,
    drawn: Drawn,
    figures: Figures,
    account_id: int,
    measured_by: str,
) -> bool:
    """Keep it; False if the scan has MOST_KEPT already."""
    async with changing(records):
        row = await records.row(
            "INSERT INTO measurements (scan_id, revision, grid, shape, points, figures, account_id,"
            " measured_by, measured_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
            " WHERE (SELECT count(*) FROM measurements"
            " WHERE scan_id = ?1 AND removed_at = '') < ?10"
            " RETURNING measurement_id",
            (
                *(scan_id, revision, grid, drawn.shape.value, json.dumps(drawn.points)),
                *(json.dumps(asdict(figures)), account_id, measured_by, now(), MOST_KEPT),
            ),
        )
    return row is not None


async def remove_measurement(
    records: Database, scan_id: str, measurement_id: int, account_id: int | None, who: str
) -> bool:
    """It stands no longer, and is kept. False if there is none, or it is somebody else's.

    account_id: whose it must be; None: anybody's. One that was removed before stays as it is.
    """
    async with changing(records):
        row = await records.row(
            "SELECT account_id, removed_at FROM measurements WHERE scan_id = ?"
            " AND measurement_id = ?",
            (scan_id, measurement_id),
        )
        if row is None or account_id not in (None, row["account_id"]):
            return False
        await records.change(
            "UPDATE measurements SET removed_by = ?, removed_at = ? WHERE measurement_id = ?"
            " AND removed_at = ''",
            (who, now(), measurement_id),
        )
    return True


async def measurements_of(records: Database, scan_id: str) -> list[Measurement]:
    """All of a scan, removed ones too, in the order in which they were made."""
    rows = await records.rows(
        f"SELECT {_COLUMNS} FROM measurements WHERE scan_id = ? ORDER BY measurement_id",
        (scan_id,),
    )
    return [_measurement(row) for row in rows]


async def measurements_by_number(records: Database, numbers: Iterable[int]) -> list[Measurement]:
    """Those of these numbers, in their order."""
    rows = await records.rows(
        f"SELECT {_COLUMNS} FROM measurements WHERE measurement_id IN"
        " (SELECT value FROM json_each(?)) ORDER BY measurement_id",
        (json.dumps(list(numbers)),),
    )
    return [_measurement(row) for row in rows]


async def measured_so_far(records: Database, scan_id: str) -> int:
    """A number that is another one after each change of a scan's measurements and documents."""
    row = await records.row(
        "SELECT (SELECT count(*) + sum(removed_at != '') FROM measurements WHERE scan_id = ?1),"
        " (SELECT count(*) FROM measurement_documents WHERE scan_id = ?1)",
        (scan_id,),
    )
    return sum(each or 0 for each in row) if row else 0


_COLUMNS = (
    "measurement_id, scan_id, revision, grid, shape, points, figures, account_id, measured_by,"
    " measured_at, removed_by, removed_at"
)


def _measurement(row: sqlite3.Row) -> Measurement:
    number, scan_id, revision, grid, shape, points, figures, *rest = row
    drawn = Drawn(Shape(shape), tuple((i, j, k) for i, j, k in json.loads(points)))
    known = json.loads(figures)
    place = known.pop("place")
    told = Figures(**known, place=tuple(place) if place else None)
    return Measurement(number, scan_id, revision, grid, drawn, told, *rest)


@dataclass(frozen=True)
class Document:
    """A wish that a person's measurements be left as DICOM SR. numbers: those that stood then."""

    document_id: int
    scan_id: str
    revision: int
    account_id: int
    asked_by: str
    asked_at: str
    numbers: tuple[int, ...]


async def add_document(
    records: Database,
    scan_id: str,
    revision: int,
    account_id: int,
    asked_by: str,
    numbers: Iterable[int],
) -> None:
    """Note the wish."""
    async with changing(records):
        await records.change(
            "INSERT INTO measurement_documents (scan_id, revision, account_id, asked_by, asked_at,"
            " measurements) VALUES (?, ?, ?, ?, ?, ?)",
            (scan_id, revision, account_id, asked_by, now(), json.dumps(list(numbers))),
        )


async def documents_of(records: Database, scan_id: str) -> list[Document]:
    """All wishes of a scan, latest first."""
    rows = await records.rows(
        f"SELECT {_WISH} FROM measurement_documents WHERE scan_id = ? ORDER BY document_id DESC",
        (scan_id,),
    )
    return [_document(row) for row in rows]


async def documents_after(records: Database, document_id: int, most: int) -> list[Document]:
    """Wishes after that one, in their order, `most` of them at once."""
    rows = await records.rows(
        f"SELECT {_WISH} FROM measurement_documents WHERE document_id > ?"
        " ORDER BY document_id LIMIT ?",
        (document_id, most),
    )
    return [_document(row) for row in rows]


_WISH = "document_id, scan_id, revision, account_id, asked_by, asked_at, measurements"


def _document(row: sqlite3.Row) -> Document:
    number, scan_id, revision, account_id, by, at, numbers = row
    return Document(number, scan_id, revision, account_id, by, at, tuple(json.loads(numbers)))
