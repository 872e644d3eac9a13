"""The name with which somebody signs, remembered while the session lasts."""

from aiohttp import web

from viewer.keys import SESSION
from viewer.pages import LONGEST_NAME

NAMES = web.AppKey("names", dict[str, str])  # by the key of the session
MOST_NAMES = 1000
WHO = "Please give your name, in at most 100 characters."


def remembered_name(request: web.Request) -> str:
    """The name that was given last in this session, or ''."""
    return request.app[NAMES].get(request[SESSION].key, "")


def signed(request: web.Request, name: str) -> str:
    """The name as it was given, without spaces around it; HTTPBadRequest without one."""
    given = name.strip()
    if not given or len(given) > LONGEST_NAME:
        raise web.HTTPBadRequest(text=WHO)
    names = request.app[NAMES]
    names[request[SESSION].key] = given
    if len(names) > MOST_NAMES:
        del names[next(iter(names))]
    return given
