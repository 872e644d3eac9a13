"""Pages of patients: searched by name or ID, in any of three orders, each from a known place on."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from daemon.index.database import Database
from daemon.index.folding import fold
from daemon.index.patients import Patient, patient_of_row
from daemon.names import UNASSIGNED

MOST_FOUND = 5000  # patients that a search by the last scan takes to the index


class Order(StrEnum):
    """In which order patients are listed; of the last only those who have a scan."""

    NAME = "name"
    ID = "id"
    LAST_SCAN = "last"


@dataclass(frozen=True)
class ScanCount:
    """How many scans a patient has, and when the last was acquired, or else published."""

    count: int
    last: str


_LISTED = "deleted_at = '' AND patient_id != ? AND ({words})"
_BY_NAME = "(name = '', name COLLATE NOCASE, patient_id)"
_LAST = "coalesce(max(acquired_at), max(published_at))"


async def page_of_patients(
    records: Database, text: str, order: Order, after: Patient | None, limit: int
) -> list[Patient]:
    """Those whose name or ID holds every word of `text`, by name or by ID, after that one."""
    words, values = _words(text)
    by_name = order is Order.NAME
    terms, place = (_BY_NAME, "(?, ?, ?)") if by_name else ("patient_id", "?")
    start: list[str | int] = []
    if after is not None:
        start = [int(not after.name), after.name, after.patient_id] if by_name else []
        start = start or [after.patient_id]
    beyond = f" AND {terms} > {place}" if start else ""
    rows = await records.rows(
        f"SELECT * FROM patients WHERE {_LISTED.format(words=words)}{beyond}"
        f" ORDER BY {terms.strip('()')} LIMIT ?",
        [UNASSIGNED, *values, *start, limit],
    )
    return [patient_of_row(row) for row in rows]


async def count_patients(records: Database, text: str) -> int:
    """How many patients a search finds; all that are listed for ''."""
    words, values = _words(text)
    row = await records.row(
        f"SELECT count(*) AS n FROM patients WHERE {_LISTED.format(words=words)}",
        [UNASSIGNED, *values],
    )
    return int(row["n"]) if row else 0


async def found_ids(records: Database, text: str) -> list[str]:
    """The ids of the patients whom a search finds, at most so many as the index is asked for."""
    words, values = _words(text)
    rows = await records.rows(
        f"SELECT patient_id FROM patients WHERE {_LISTED.format(words=words)} LIMIT ?",
        [UNASSIGNED, *values, MOST_FOUND],
    )
    return [str(row["patient_id"]) for row in rows]


async def scan_counts(index: Database, patient_ids: Iterable[str]) -> dict[str, ScanCount]:
    """Number and time of the scans of these patients; without those who have none."""
    rows = await index.rows(
        f"SELECT patient_id, count(DISTINCT scan_id) AS n, {_LAST} AS last FROM shown_scans"
        " WHERE patient_id IN (SELECT value FROM json_each(?)) GROUP BY patient_id",
        (json.dumps(list(patient_ids)),),
    )
    return {row["patient_id"]: ScanCount(row["n"], row["last"]) for row in rows}


async def ids_by_last_scan(
    index: Database, among: list[str] | None, after: tuple[str, str] | None, limit: int
) -> list[str]:
    """Patients with scans, the latest scan first, after this one (last, patient_id).

    among: only these patients, or None for all.
    """
    last, patient_id = after or ("", "")
    rows = await index.rows(
        f"SELECT patient_id, {_LAST} AS last FROM shown_scans WHERE patient_id != ?1"
        " AND (?2 IS NULL OR patient_id IN (SELECT value FROM json_each(?2)))"
        " GROUP BY patient_id HAVING ?3 = '' OR last < ?3 OR (last = ?3 AND patient_id > ?4)"
        " ORDER BY last DESC, patient_id LIMIT ?5",
        (UNASSIGNED, None if among is None else json.dumps(among), last, patient_id, limit),
    )
    return [str(row["patient_id"]) for row in rows]


def _words(text: str) -> tuple[str, list[str]]:
    """A condition for SQL with its values: each word is in the name or in the ID."""
    words = fold(text).split()[:10]
    each = "(instr(fold(name), ?) > 0 OR instr(fold(patient_id), ?) > 0)"
    return " AND ".join([each] * len(words)) or "1", [word for word in words for _ in range(2)]
