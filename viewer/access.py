"""The guard before every page: a session, the right that the page needs, and our own origin.

A token stands for a session below `/api/` and nowhere else; there a session alone only reads.

What a page needs stands beside its address in `viewer/routes.py`; one that is not there is refused.
"""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.index.audit import Action, note
from daemon.index.login_sessions import find_session
from daemon.roles import may
from viewer.api.bearer import bearer_session
from viewer.api.problems import is_api
from viewer.auditing import audited
from viewer.doors import DOORS, Door
from viewer.keys import RECORDS, SESSION, SESSIONS, SETTINGS
from viewer.login import COOKIE, limits_of, login_page
from viewer.sessions import Session

READING = frozenset({"GET", "HEAD"})
NO_LOGIN = "The API needs a token of your account, or an open session."
NEEDS_TOKEN = "The API changes things only for who asks with a token."
BACKGROUND = frozenset({"empty", "image", "script", "style"})  # what pages ask by themselves


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler, or say who may."""
    door = _door(request)
    session = await (bearer_session(request) if _has_token(request) else _session(request))
    if session is not None:
        request[SESSION] = session
    if door is None or door.needs is not None:
        if session is None:
            return _refuse_nobody(request)
        if door is not None:
            await _check_right(request, session, door)
    if request.method not in READING and not _from_our_pages(request):
        raise web.HTTPForbidden(text="This request came from another site and was refused.")
    return await audited(request, handler, door) if door else await handler(request)


def _has_token(request: web.Request) -> bool:
    return is_api(request) and "Authorization" in request.headers


def _refuse_nobody(request: web.Request) -> web.StreamResponse:
    if is_api(request):
        raise web.HTTPUnauthorized(text=NO_LOGIN, headers={"WWW-Authenticate": "Bearer"})
    return login_page(request, 401)


def _door(request: web.Request) -> Door | None:
    """What stands in the table for this address; None for an address that there is not.

    Raises HTTPForbidden for one that was forgotten there.
    """
    resource = request.match_info.route.resource
    if resource is None:
        return None
    method = "GET" if request.method == "HEAD" else request.method
    door = request.app[DOORS].get((method, resource.canonical))
    if door is None:
        raise web.HTTPForbidden(text="Nobody may open this page.")
    return door


async def _session(request: web.Request) -> Session | None:
    key = request.cookies.get(COOKIE, "")
    if not key:
        return None
    limits = limits_of(request.app[SETTINGS].viewer)
    by_itself = request.headers.get("Sec-Fetch-Dest", "document") in BACKGROUND
    is_activity = request.method not in READING or not by_itself
    login = await find_session(request.app[RECORDS], key, limits, is_activity)
    return request.app[SESSIONS].of(login) if login else None


async def _check_right(request: web.Request, session: Session, door: Door) -> None:
    if door.needs is not None and not may(session.role, door.needs):
        await note(
            request.app[RECORDS], session.account, Action.REFUSED, door.subject(request), door.path
        )
        raise web.HTTPForbidden(
            text=f"Your account may not do this: it is a {session.role}, and has no right to"
            f" {door.needs}."
        )
    if is_api(request) and request.method not in READING and not session.token_id:
        raise web.HTTPForbidden(text=NEEDS_TOKEN)


def _from_our_pages(request: web.Request) -> bool:
    """Judge by the headers that a browser sets and no page can change; absent ones say nothing."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    return site == "same-origin" and (origin is None or urlsplit(origin).netloc == request.host)
