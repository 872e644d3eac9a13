"""Searches for patients by name or ID: in a table of folded words with an index of trigrams.

SQLite's FTS5 finds three letters or more anywhere in a word without reading every row (its
tokenizer `trigram`); one or two letters are the beginning of some trigrams, which its vocabulary
lists in order. Found rows are never ranked: bm25 would read all that match.
"""

from dataclasses import dataclass

from daemon.index.database import Database
from daemon.index.folding import LAST_LETTER, fold

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
