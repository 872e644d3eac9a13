"""The worklist's rows as HTML, kept: the same row is written once for all who look at it."""

from collections import OrderedDict
from typing import cast

import aiohttp_jinja2
from aiohttp import web
from markupsafe import Markup

from daemon.index.patients import ensure_patients
from daemon.index.worklist import Row, worklist_rows
from viewer.keys import JOINED, RECORDS
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


def html_of(request: web.Request, rows: list[Row]) -> Markup:
    """The rows of the table, one a line; from `worklist_rows.html`."""
    kept = request.app[KEPT_ROWS]
    html = []
    for row in rows:
        written = kept.of(row)
        if written is None:
            written = _written(request, line_of(row))
            kept.keep(row, written)
        html.append(written)
    return Markup("").join(html)


def _written(request: web.Request, line: Line) -> Markup:
    template = aiohttp_jinja2.get_env(request.app).get_template("worklist_rows.html")
    return cast(Markup, template.module.row(line))  # type: ignore[attr-defined]


KEPT_ROWS = web.AppKey("kept_rows", KeptRows)
