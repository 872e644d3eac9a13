"""Patients searched by name or ID through trigrams, and listed in pages.

SQLite's FTS5 finds three letters or more anywhere in a word without reading every row (its
tokenizer `trigram`); one or two letters are the beginning of some trigrams, which its vocabulary
lists in order. Found rows are never ranked: bm25 would read all that match.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from daemon.drops import UNASSIGNED
from daemon.index.database import LAST_LETTER, Database, fold
from daemon.index.people.patients import Patient, patients_by_id

MOST_FOUND = 200  # patients that one search may find; beyond, "more than" is all that is told
MOST_WORDS = 10


@dataclass(frozen=True)
class Match:
    """FROM and WHERE of the listed patients `l` that hold all words, and the values of both."""

    table: str
    condition: str
    values: tuple[str, ...]


def match_of(text: str, schema: str = "main") -> Match:
    """The patients in whose name or ID each of the words stands, through the trigrams."""
    words = _words(text)
    long = [word for word in words if len(word) >= 3]
    if not long:
        return _short_match(words, schema) if words else walk_of(text, schema)
    phrases = " ".join('"{}"'.format(word.replace('"', '""')) for word in long)
    short = [word for word in words if len(word) < 3]
    return Match(
        f"{schema}.patient_names CROSS JOIN {schema}.listed_patients l"
        " ON l.number = patient_names.rowid",
        " AND ".join(["patient_names MATCH ?", *["instr(l.words, ?) > 0"] * len(short)]),
        (phrases, *short),
    )


def _short_match(words: list[str], schema: str) -> Match:
    """The longest word through the trigrams that begin with it, the others in each such row."""
    first, *others = sorted(words, key=len, reverse=True)
    return Match(
        f"(SELECT DISTINCT doc FROM {schema}.patient_grams WHERE term >= ? AND term < ?) g"
        f" CROSS JOIN {schema}.listed_patients l ON l.number = g.doc",
        " AND ".join(["instr(l.words, ?) > 0"] * len(others)) or "1",
        (first, first + LAST_LETTER, *others),
    )


def walk_of(text: str, schema: str = "main") -> Match:
    """The same patients for a query that walks an order anyway; all of them for ''."""
    words = _words(text)
    condition = " AND ".join(["instr(l.words, ?) > 0"] * len(words)) or "1"
    return Match(f"{schema}.listed_patients l", condition, tuple(words))


async def find_patients(joined: Database, text: str) -> tuple[str, ...]:
    """The ids of those whom a search finds, at most MOST_FOUND; none for a text without words.

    joined: the connection that has the records attached as `records`.
    """
    return await _ids(joined, match_of(text, "records")) if _words(text) else ()


async def found_ids(records: Database, text: str) -> tuple[str, ...]:
    """The same from the records alone; the first of all for a text without words."""
    return await _ids(records, match_of(text))


async def _ids(database: Database, match: Match) -> tuple[str, ...]:
    rows = await database.rows(
        f"SELECT l.patient_id FROM {match.table} WHERE {match.condition} LIMIT ?",
        (*match.values, MOST_FOUND),
    )
    return tuple(str(row["patient_id"]) for row in rows)


def _words(text: str) -> list[str]:
    return fold(text).split()[:MOST_WORDS]


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
