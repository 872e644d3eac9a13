"""The steps of both databases: frozen once they were released, and what comes of them all."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from daemon.index import migrations
from tests.conftest import ROOT
from tools.schemas import SCHEMA_SQL, schema

FOLDER = ROOT / "daemon" / "index" / "migrations"
RELEASED = Path(__file__).with_name("released_steps.sha256")


def test_a_released_step_is_never_edited() -> None:
    """A new step gets a line in that file, as sha256sum writes it; no line there ever changes."""
    released = RELEASED.read_text("utf-8").splitlines()
    steps = {path.relative_to(FOLDER): path.read_bytes() for path in FOLDER.rglob("*.sql")}
    assert sorted(f"{sha256(step).hexdigest()}  {name}" for name, step in steps.items()) == sorted(
        released
    )


def test_steps_run_in_the_order_of_their_numbers() -> None:
    for database, steps in (("index", migrations.INDEX), ("records", migrations.RECORDS)):
        files = sorted((FOLDER / database).iterdir())
        assert [int(path.name[:4]) for path in files] == list(range(1, len(steps) + 1))
        assert [path.read_text("utf-8") for path in files] == list(steps)


def test_the_schema_that_people_read_is_that_of_today() -> None:
    assert (ROOT / SCHEMA_SQL).read_text("utf-8") == schema(), "run python -m tools.schemas"


def test_the_schema_that_people_read_is_whole() -> None:
    text = (ROOT / SCHEMA_SQL).read_text("utf-8")
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(text)
        made = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert {"drops", "worklist", "list_scan", "shown_scans", "accounts", "patient_names"} <= made
