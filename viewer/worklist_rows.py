"""The worklist's rows as HTML, kept: the same row is written once for all who look at it."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import aiohttp_jinja2
from aiohttp import web
from markupsafe import Markup

from daemon.index.patients import ensure_patients
from daemon.index.worklist import Row, worklist_rows
from viewer.keys import JOINED, KEPT_ROWS, RECORDS, SETTINGS
from viewer.scan_files import ROLES
from viewer.worklist_words import Line, line_of

MOST_KEPT = 500  # rows, of about 3 kB each with their HTML: ten pages


class KeptRows:
    """HTML by row: a Row holds all that may change its words, so an equal one looks the same."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Row, Markup] = OrderedDict()

    def of(self, row: Row) -> Markup | None:
        """What was kept of this row; it becomes the last one to go."""
        if row in self._kept:
            self._kept.move_to_end(row)
        return self._kept.get(row)

    def keep(self, row: Row, html: Markup) -> None:
        """Keep this, and forget what was wanted least lately."""
        self._kept[row] = html
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


async def known_rows(request: web.Request, row_ids: list[int]) -> list[Row]:
    """These rows in this order, without those that are gone; each patient has a record now."""
    rows = await worklist_rows(request.app[JOINED], row_ids)
    unknown = {row.patient_id for row in rows if row.patient_key is None}
    if not unknown:
        return rows
    await ensure_patients(request.app[RECORDS], unknown)
    return await worklist_rows(request.app[JOINED], row_ids)


async def html_of(request: web.Request, rows: list[Row]) -> Markup:
    """The rows of the table, one a line; from `worklist_rows.html`."""
    kept = request.app[KEPT_ROWS]
    html = {row: kept.of(row) for row in rows}
    missing = [row for row, found in html.items() if found is None]
    for row, line in zip(missing, await _lines(request, missing), strict=True):
        html[row] = _written(request, line)
        kept.keep(row, html[row] or Markup(""))
    return Markup("").join(found or "" for found in html.values())


async def _lines(request: web.Request, rows: list[Row]) -> list[Line]:
    if not rows:
        return []
    outbox = request.app[SETTINGS].daemon.outbox
    pictured = await asyncio.to_thread(_pictured, outbox, rows)
    return [line_of(row, row.row_id in pictured) for row in rows]


def _pictured(outbox: Path, rows: Iterable[Row]) -> set[int]:
    """The rows whose overlay is in the outbox."""
    name = ROLES["overlay.png"].name
    return {
        row.row_id
        for row in rows
        if row.folder and (outbox / os.fsdecode(row.folder) / f"{row.scan_id}_{name}").is_file()
    }


def _written(request: web.Request, line: Line) -> Markup:
    template = aiohttp_jinja2.get_env(request.app).get_template("worklist_rows.html")
    return cast(Markup, template.module.row(line))  # type: ignore[attr-defined]
