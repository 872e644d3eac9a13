"""The name of whoever changes a record: asked in each form, remembered in the session."""

from weakref import WeakKeyDictionary

from aiohttp import web

from viewer.keys import SESSION
from viewer.pages import LONGEST_NAME
from viewer.sessions import Session

NO_NAME = f"Please give your name, in at most {LONGEST_NAME} characters."
_NAMES: WeakKeyDictionary[Session, str] = WeakKeyDictionary()


def signed(request: web.Request, form: dict[str, str]) -> str:
    """The name in the form, '' if it cannot be taken; a good one is remembered."""
    name = "".join(c for c in form.get("entered_by", "") if c.isprintable()).strip()
    if not name or len(name) > LONGEST_NAME:
        return ""
    _NAMES[request[SESSION]] = name
    return name


def required_name(request: web.Request, form: dict[str, str]) -> str:
    """The name in the form, or HTTPBadRequest."""
    name = signed(request, form)
    if not name:
        raise web.HTTPBadRequest(text=NO_NAME)
    return name


def last_name(request: web.Request) -> str:
    """Who signed last in this session, or ''."""
    return _NAMES.get(request[SESSION], "")
