"""Rendering: a template with what every page shows, and reading a form that must be ours."""

from collections.abc import Mapping
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from daemon.outputs.sentences import RESEARCH_USE
from daemon.roles import RIGHTS
from viewer.keys import SESSION
from viewer.sessions import Session, same_secret

LONGEST_NAME = 100  # characters, of whoever signs a form
CSRF_HEADER = "X-CSRF-Token"  # what htmx sends with each of its requests
STALE_FORM = "This form is out of date; please open it again."


def render(
    request: web.Request, template: str, values: Mapping[str, Any], status: int = 200
) -> web.Response:
    """A page; `values` needs `title`, and `section` where the navigation marks one."""
    session = request.get(SESSION)
    common = {
        "research_use": RESEARCH_USE,
        "signed_in": session is not None,
        "csrf": session.csrf if session else "",
        "who": session.full_name if session else "",
        "rights": RIGHTS[session.role] if session else (),
    }
    return aiohttp_jinja2.render_template(template, request, {**common, **values}, status=status)


async def read_form(request: web.Request) -> dict[str, str]:
    """The text fields of a posted form of this session; HTTPForbidden for any other."""
    posted = await request.post()
    form = {name: value for name, value in posted.items() if isinstance(value, str)}
    check_csrf(request[SESSION], form.get("csrf", request.headers.get(CSRF_HEADER, "")))
    return form


def check_csrf(session: Session, claimed: str) -> None:
    """HTTPForbidden unless the form came from one of this session's own pages."""
    if not same_secret(claimed, session.csrf):
        raise web.HTTPForbidden(text=STALE_FORM)
