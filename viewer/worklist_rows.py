"""The worklist's rows as HTML, kept: the same line is written once for all who look at it."""

from functools import lru_cache
from typing import cast

import aiohttp_jinja2
import jinja2
from aiohttp import web
from markupsafe import Markup

from viewer.worklist_words import Line

MOST_KEPT = 500  # lines, of about 3 kB each: ten pages


def rows_of(request: web.Request, lines: list[Line]) -> Markup:
    """The rows of the table, one a line; from `worklist_rows.html`."""
    environment = aiohttp_jinja2.get_env(request.app)
    return Markup("").join(_row(environment, line) for line in lines)


@lru_cache(MOST_KEPT)
def _row(environment: jinja2.Environment, line: Line) -> Markup:
    """A line holds all that its row shows, so an equal one looks the same."""
    return cast(Markup, environment.get_template("worklist_rows.html").module.row(line))  # type: ignore[attr-defined]
