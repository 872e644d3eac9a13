"""Whether the rows that were made in bulk are those that the triggers make, scan by scan."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from daemon.index.database import open_index, open_joined, open_records
from daemon.index.worklist_rows import catch_up
from daemon.settings import DaemonSettings

_KEPT = (
    "scan_id, drop_id, patient_id, arrived_at, stage, revision, judged, finding, volume_ml, side,"
    " acquired_at, accession, growth, flags, is_doubtful, trouble, corrected_by, decision,"
    " coalesce(reviewer, '') AS reviewer, state, urgency, growth_order,"
    " brief, folder, content_sha256"
)
_COMPARED = {
    "worklist": f"SELECT {_KEPT} FROM worklist WHERE scan_id IN (SELECT scan_id FROM sample)",
    "scan_figures": "SELECT * FROM scan_figures WHERE scan_id IN (SELECT scan_id FROM sample)",
    "worklist_flags": "SELECT code, scan_id, urgency, growth_order, arrived_at FROM worklist_flags"
    " WHERE scan_id IN (SELECT scan_id FROM sample)",
}


async def differences(daemon: DaemonSettings, count: int) -> int:
    """How many rows of a sample of scans are not as the triggers make them in a new index."""
    with TemporaryDirectory() as folder:
        small = Path(folder) / "index.sqlite"
        await _enter_sample(daemon, small, count)
        with closing(sqlite3.connect(daemon.index)) as index:
            index.execute("ATTACH DATABASE ? AS small", (str(small),))
            index.execute("CREATE TEMP TABLE sample AS SELECT DISTINCT scan_id FROM small.scans")
            return sum(_unlike(index, sql, table) for table, sql in _COMPARED.items())


async def _enter_sample(daemon: DaemonSettings, small: Path, count: int) -> None:
    """Drops and scans as the daemon enters them, one after the other, triggers at work."""
    async with open_index(small), open_records(daemon.records) as records:
        with closing(sqlite3.connect(small)) as plain, plain:
            plain.execute("ATTACH DATABASE ? AS large", (str(daemon.index),))
            plain.execute(
                "CREATE TEMP TABLE sample AS SELECT DISTINCT scan_id FROM (SELECT scan_id,"
                " row_id FROM large.worklist WHERE row_id % (SELECT max(1, max(row_id) / ?)"
                " FROM large.worklist) = 0) WHERE scan_id IS NOT NULL",
                (count,),
            )
            for table, order in (("scans", "scan_id, revision"), ("drops", "drop_id")):
                plain.execute(
                    f"INSERT INTO {table} SELECT * FROM large.{table}"
                    f" WHERE scan_id IN (SELECT scan_id FROM sample) ORDER BY {order}"
                )
        async with open_joined(small, daemon.records) as joined:
            while await catch_up(joined, records):
                pass


def _unlike(index: sqlite3.Connection, sql: str, table: str) -> int:
    """Rows that are in one of the two and not in the other."""
    here: set[Any] = set(index.execute(sql).fetchall())
    there = set(index.execute(sql.replace(f"FROM {table} ", f"FROM small.{table} ")).fetchall())
    assert here, f"the sample of {table} is empty"
    return len(here ^ there)
