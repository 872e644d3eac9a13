"""waitress and Flask with the worklist's first page: the same SQL, rows, words and template."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import jinja2

from daemon.index.database import Database
from daemon.index.worklist_pages import Asked, Filters, page_of
from daemon.index.worklist_rows import worklist_rows
from daemon.settings import Settings
from viewer.app import HERE
from viewer.templating import stored
from viewer.worklist.rows import line_of

THREADS = 4  # of waitress, as it comes


class Plain(Database):
    """The same queries without a thread between: a connection for each request, as demos do."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._plain = connection

    async def rows(self, sql: str, values: Any = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._plain.execute(sql, tuple(values)).fetchall()

    async def row(self, sql: str, values: Any = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        found: sqlite3.Row | None = self._plain.execute(sql, tuple(values)).fetchone()
        return found


def serve_flask(settings: Settings, port: int) -> None:
    """Serve `/` until the process is ended."""
    import flask
    import waitress

    loader = jinja2.FileSystemLoader(HERE / "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(PAGE)
    app = flask.Flask("plain")

    def first_page() -> str:
        with closing(sqlite3.connect(settings.daemon.index)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute(
                "ATTACH DATABASE ? AS records", (f"{settings.daemon.records.absolute()}",)
            )
            lines = asyncio.run(_lines(Plain(connection), settings.viewer.recent_days))
        return template.render(lines=lines)

    app.add_url_rule("/", view_func=first_page)
    waitress.serve(app, host="127.0.0.1", port=port, threads=THREADS, _quiet=True)


async def _lines(joined: Plain, days: int) -> list[Any]:
    since = stored(datetime.now().astimezone() - timedelta(days=days))
    shown = (await page_of(joined, Asked(Filters(arrived_since=since)), 51))[:50]
    rows = await worklist_rows(joined, shown)
    return [line_of(row) for row in rows]


PAGE = """{% from "worklist_rows.html" import row %}<!doctype html><title>Worklist</title>
<table>{% for line in lines %}{{ row(line) }}{% endfor %}</table>"""
