"""Pages of patients: searched by name or ID, in any of three orders, each from a known place on."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from daemon.index.database import Database
from daemon.index.patient_search import MOST_FOUND, match_of, walk_of
from daemon.index.patients import Patient, patients_by_id
from daemon.names import UNASSIGNED


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


_KEYS = {Order.NAME: ("l.is_nameless", "l.name", "l.patient_id"), Order.ID: ("l.patient_id",)}


async def page_of_patients(
    records: Database, text: str, order: Order, after: Patient | None, limit: int
) -> list[Patient]:
    """Those whose name or ID holds every word of `text`, by name or by ID, after that one.

    Few who match are sorted; among many the order is walked until the page is full.
    """
    is_few = bool(text) and await count_patients(records, text) <= MOST_FOUND
    match, keys = match_of(text) if is_few else walk_of(text), _KEYS[order]
    start: tuple[int | str, ...] = ()
    if after is not None:
        start = (int(not after.name), after.name, after.patient_id)[-len(keys) :]
    marks = ", ".join("?" * len(keys))
    beyond = f" AND ({', '.join(keys)}) > ({marks})" if start else ""
    rows = await records.rows(
        f"SELECT l.patient_id FROM {match.table} WHERE {match.condition} AND l.patient_id != ?"
        f"{beyond} ORDER BY {', '.join(keys)} LIMIT ?",
        (*match.values, UNASSIGNED, *start, limit),
    )
    ids = [str(row["patient_id"]) for row in rows]
    known = await patients_by_id(records, ids)
    return [known[each] for each in ids if each in known]


async def count_patients(records: Database, text: str) -> int:
    """How many patients a search finds, counted up to MOST_FOUND + 1; all who are listed for ''."""
    match = match_of(text)
    inner = f"SELECT 1 FROM {match.table} WHERE {match.condition}"
    row = await records.row(
        f"SELECT count(*) AS n FROM ({inner} AND l.patient_id != ? LIMIT ?)"
        if text
        else "SELECT count(*) - (SELECT count(*) FROM listed_patients WHERE patient_id = ?) AS n"
        " FROM listed_patients",
        (*match.values, UNASSIGNED, MOST_FOUND + 1) if text else (UNASSIGNED,),
    )
    return int(row["n"]) if row else 0


async def scan_counts(index: Database, patient_ids: Iterable[str]) -> dict[str, ScanCount]:
    """Number and time of the scans of these patients; without those who have none."""
    rows = await index.rows(
        "SELECT patient_id, scans, last FROM patient_scans"
        " WHERE patient_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(patient_ids)),),
    )
    return {row["patient_id"]: ScanCount(row["scans"], row["last"]) for row in rows}


async def ids_by_last_scan(
    index: Database, among: Iterable[str] | None, after: tuple[str, str] | None, limit: int
) -> list[str]:
    """Patients with scans, the latest scan first, after this one (last, patient_id).

    among: only these patients, or None for all.
    """
    chosen = "" if among is None else " AND patient_id IN (SELECT value FROM json_each(?))"
    beyond = " AND (last, patient_id) < (?, ?)" if after else ""
    rows = await index.rows(
        "SELECT patient_id FROM patient_scans"
        f" WHERE patient_id NOT IN (SELECT patient_id FROM hidden_patients){chosen}{beyond}"
        " ORDER BY last DESC, patient_id DESC LIMIT ?",
        (*([] if among is None else [json.dumps(list(among))]), *(after or ()), limit),
    )
    return [str(row["patient_id"]) for row in rows]
