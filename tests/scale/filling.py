"""Fills a new index and new records in bulk: rows first, then what the index derives from them.

With triggers and indexes at work a million scans take much longer. So both are put aside, the
rows entered, the worklist derived by one statement from the migration's own views, and both put
back. `verifying.py` shows that the rows are those that the triggers make.
"""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from daemon.drops import shown_id
from daemon.index.database import fold, open_index, open_records
from daemon.index.worklist_rows import REVIEWS_SEEN
from daemon.settings import DaemonSettings
from tests.scale import people, scans

FAST = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "foreign_keys = OFF")


async def make(daemon: DaemonSettings, scan_count: int, patient_count: int) -> dict[str, float]:
    """Databases with so many scans and patients; the seconds that each part took."""
    async with open_index(daemon.index), open_records(daemon.records):
        pass
    seconds: dict[str, float] = {}
    with _timed(seconds, "patients"):
        _fill_patients(daemon.records, patient_count)
    made = scans.scans(scan_count, patient_count, random.Random(8))
    with _timed(seconds, "reviews"), _bulk(daemon.records) as records:
        records.executemany(scans.REVIEWS, scans.review_rows(made, random.Random(9)))
    with _timed(seconds, "index"), _bulk(daemon.index) as index:
        with _timed(seconds, "index: scans"):
            index.executemany(scans.SCANS, scans.scan_rows(made, random.Random(10)))
        with _timed(seconds, "index: drops"):
            index.executemany(scans.DROPS, scans.drop_rows(made))
            index.executemany(scans.FILES, scans.file_rows(scans.drop_rows(made)))
        with _timed(seconds, "index: worklist"):
            index.execute("ATTACH DATABASE ? AS records", (str(daemon.records),))
            derive(index)
    return seconds


def derive(index: sqlite3.Connection) -> None:
    """What the index keeps beside drops and scans, from these."""
    for statement in _DERIVED:
        index.execute(statement)


def _fill_patients(path: Path, count: int) -> None:
    with _bulk(path) as records:
        records.executemany(people.INSERT, people.patients(count, random.Random(7)))
        for statement in _LISTED:
            records.execute(statement)


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[part] = round(time.monotonic() - began, 1)


@contextmanager
def _bulk(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection while indexes and triggers are put aside; they come back at the end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in FAST:
            database.execute(f"PRAGMA {pragma}")
        database.create_function("fold", 1, fold, deterministic=True)
        database.create_function("shown_id", 1, shown_id, deterministic=True)
        aside = database.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger')"
            " AND sql IS NOT NULL AND (type = 'trigger' OR name NOT IN ('reviews_by_scan'))"
        ).fetchall()
        for kind, name, _ in aside:
            database.execute(f"DROP {kind} {name}")
        database.execute("BEGIN")
        yield database
        for _, _, sql in sorted(aside):
            database.execute(sql)
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")


_LISTED = (
    "INSERT INTO listed_patients (patient_id, is_nameless, name, words) SELECT patient_id,"
    " name = '', name, fold(name) || char(10) || fold(patient_id)"
    " || char(10, 10) FROM patients",
    "INSERT INTO patient_names (patient_names) VALUES ('rebuild')",
)
_NOT_FILES = "('again', 'compare', 'correct')"
_COLUMNS = (
    "patient_id, finding, volume_ml, side, acquired_at, accession, growth, flags, is_doubtful,"
    " corrected_by, judged, revision"
)
_FLAGS = """
    INSERT INTO worklist_flags SELECT DISTINCT json_extract(q.value, '$.code'), w.scan_id, w.row_id,
        w.urgency, w.growth_order, w.arrived_at
        FROM worklist w CROSS JOIN json_each(w.brief, '$.quality') q
        WHERE w.scan_id IS NOT NULL AND q.type = 'object' ORDER BY 1, 2
"""
_DERIVED = (
    f"INSERT INTO worklist (drop_id, scan_id, arrived_at, stage, decision, reviewer, looked_up,"
    f" mark, brief, folder, content_sha256, {_COLUMNS})"
    " SELECT d.drop_id, d.scan_id, d.seen_at, 'done',"
    " coalesce(v.decision, iif(f.corrected_by IS NULL, '', 'accepted')),"
    " coalesce(v.reviewer, f.corrected_by), 1, d.drop_id, b.brief, b.folder, b.content_sha256,"
    f" {', '.join(f'f.{name.strip()}' for name in _COLUMNS.split(','))}"
    " FROM drops d CROSS JOIN scan_facts f ON f.scan_id = d.scan_id AND f.revision ="
    " (SELECT max(revision) FROM scans WHERE scan_id = d.scan_id)"
    " CROSS JOIN scan_briefs b ON b.scan_id = f.scan_id AND b.revision = f.revision"
    " LEFT JOIN records.reviews v ON v.review_id = (SELECT max(review_id) FROM records.reviews n"
    f" WHERE n.scan_id = d.scan_id AND n.revision = f.judged) WHERE d.state = 'done'"
    f" AND d.kind NOT IN {_NOT_FILES} ORDER BY d.drop_id",
    "INSERT INTO worklist (drop_id, patient_id, arrived_at, stage, looked_up, mark)"
    " SELECT drop_id, patient_id, seen_at, stage, 1, drop_id FROM drop_stages ORDER BY drop_id",
    "UPDATE worklist_changes SET count = (SELECT max(drop_id) FROM drops)",
    _FLAGS,
    "INSERT INTO totals SELECT finding, count(*), 0.5 * count(*), 7.25 * count(*), count(*)"
    " FROM scans GROUP BY finding",
    f"INSERT INTO switches SELECT '{REVIEWS_SEEN}', max(review_id) FROM records.reviews",
    "INSERT INTO patient_scans SELECT * FROM counted_scans",
    "INSERT INTO scan_figures SELECT scan_id, month, scanner, f.finding, is_flagged, confidence,"
    " coalesce(iif(dice IS NULL, iif(w.decision IN ('', 'settled') OR w.corrected_by IS NOT NULL,"
    " NULL, w.decision), 'corrected'), ''), dice FROM first_figures f LEFT JOIN worklist w"
    " USING (scan_id)",
    "INSERT INTO month_figures SELECT * FROM counted_figures",
    "INSERT INTO hidden_patients VALUES ('P000003'), ('P000004')",
)
