"""`python -m tools.schemas`: writes report.schema.json and schema.sql as the code makes them now.

Run from the repository's folder after the report's types changed or a step was added.
"""

import asyncio
import json
import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from daemon import report
from daemon.index.database import open_index, open_records

REPORT_SCHEMA = Path(report.__file__).with_name("report.schema.json")
SCHEMA_SQL = Path("daemon") / "index" / "schema.sql"


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(report.report_schema(), indent=1) + "\n"


HEAD = """\
-- Both databases as they are today, for people to read: nothing runs this file.
-- Made from the steps in `migrations/` by `python -m tools.schemas`; a test compares it.
"""
# Columns that were added later stand on one line with the last that was there, before its comment.
ADDED = re.compile(r", (?=\w+ (?:TEXT|INTEGER|REAL|BLOB)\b)")


def main() -> None:
    """Write both files."""
    REPORT_SCHEMA.write_text(schema_text(), "utf-8")
    SCHEMA_SQL.write_text(schema(), "utf-8")


def schema() -> str:
    """The whole text of the file."""
    parts = [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("index", "records"):
            asyncio.run(_make(Path(folder), name))
            parts += [f"\n-- The {name}\n", *_statements(Path(folder) / name)]
    return "\n".join(parts)


async def _make(folder: Path, name: str) -> None:
    opened = {"index": open_index, "records": open_records}[name]
    async with opened(folder / name):
        pass


def _statements(path: Path) -> list[str]:
    """Tables and views in the order in which they came, each with its indexes and triggers."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, tbl_name, sql FROM sqlite_master ORDER BY rowid")
        kinds = connection.execute("SELECT name, type FROM pragma_table_list")
        hidden = {name for name, kind in kinds if kind == "shadow" or name.startswith("sqlite_")}
        of_table: dict[str, list[str]] = {}
        for name, table, sql in rows:
            if sql and name not in hidden:
                of_table.setdefault(table, []).append(_readable(sql))
    return [text for texts in of_table.values() for text in texts]


def _readable(sql: str) -> str:
    """A statement one level to the left, and each column that was added later on its own line."""
    text = sql.replace("\n    , ", ", ").replace("\n    ", "\n") + ";"
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if lines[0].startswith("CREATE TABLE"):
        lines = [apart for line in lines for apart in _columns(line)]
    return "".join(f"{line}\n" for line in lines)


def _columns(line: str) -> list[str]:
    """The columns of a line, each on its own; a comment belongs to the first."""
    code, dashes, comment = line.partition("--")
    first, *later = ADDED.split(code.rstrip())
    if not later:
        return [line]
    later = [f"    {each}," for each in later[:-1]] + [f"    {later[-1]}"]
    return [f"{first}, {dashes}{comment}".rstrip(), *later]


if __name__ == "__main__":
    main()
