"""Who may come in: the right that an address needs, the guard before it, and the audit.

Repeated views within ten minutes are logged once, so that a live page or the
pictures of a list do not fill the audit.

A token stands for a session below `/api/` and `/dicom-web/`, nowhere else; there a session alone
only reads.

What a page needs stands beside its address in `viewer/routes.py`; one that is not there is refused.
"""

import re
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.index.people.audit import Action, Told, begin_entry, end_entry, note, telling
from daemon.index.people.logins import find_session
from daemon.outputs.catalogue import text
from daemon.permissions import Right, Role, may
from viewer.api.openapi import is_api
from viewer.login import bearer_session, cookie_name, limits_of, login_page
from viewer.request_forms import check_head
from viewer.sessions import RECORDS, SESSION, SESSIONS, SETTINGS, Session

IDS = ("scan_id", "patient_key", "account_id", "token_id")  # opaque, so they may be noted
OPAQUE = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True)
class RouteRule:
    """needs: the right to come in, None = anybody may; notes: the action, None = nothing.

    is_elsewhere: what it changes is in the index or on the disk, so that it has no transaction in
    common with the audit.
    """

    needs: Right | None
    route: web.RouteDef
    notes: Action | None = None
    is_elsewhere: bool = False

    @property
    def path(self) -> str:
        """The address with names in place of ids."""
        return self.route.path

    def subject(self, request: web.Request) -> str:
        """The opaque id in an address, or what page it is."""
        found = (request.match_info.get(name, "") for name in IDS)
        return next((each for each in found if OPAQUE.fullmatch(each)), self.path)


def route_rules(doors: tuple[RouteRule, ...]) -> dict[tuple[str, str], RouteRule]:
    """The table of the guard, by method and address."""
    return {(door.route.method, door.path): door for door in doors}


ROUTE_RULES = web.AppKey("doors", dict[tuple[str, str], RouteRule])


AGAIN_SECONDS = 600.0
MOST_SEEN = 20_000


class ViewLog:
    """What was noted lately, by session and subject; the oldest is forgotten."""

    def __init__(self) -> None:
        self._noted: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def is_new(self, *what: str) -> bool:
        """Whether this has not been noted for a while; from now on it has."""
        moment = time.monotonic()
        is_new = moment - self._noted.get(what, -AGAIN_SECONDS) >= AGAIN_SECONDS
        if is_new:
            self._noted[what] = moment
            self._noted.move_to_end(what)
        if len(self._noted) > MOST_SEEN:
            self._noted.popitem(last=False)
        return is_new


async def audited(request: web.Request, handler: Handler, door: RouteRule) -> web.StreamResponse:
    """Handle the request and note it, as its door says; what cannot be noted is not done."""
    if door.notes is None or SESSION not in request:
        return await handler(request)
    told = _told(request, door, door.notes)
    if request.method in READING:
        seen, session = request.app[VIEW_LOG], request[SESSION].key
        if told.action is not Action.VIEW or seen.is_new(session, told.subject):
            await _note(request, told)
        return await handler(request)
    if door.is_elsewhere:
        return await _by_journal(request, handler, told)
    with telling(told):
        response = await _taken(request, handler)
    if _is_done(response) and not told.is_noted:  # it was asked for, and changed nothing
        await _note(request, told)
    return _given(response)


async def _by_journal(request: web.Request, handler: Handler, told: Told) -> web.StreamResponse:
    """What changes the index or the disk is in the journal before, and in the audit after.

    After a fault nobody knows whether it was done: it stays in the journal until the next start.
    Where it changes the records too, as a patient who comes with an upload, the entry goes along.
    """
    records = request.app[RECORDS]
    number = await begin_entry(records, told)
    try:
        with telling(told):
            response = await _taken(request, handler)
    except (web.HTTPException, ConnectionError):
        await end_entry(records, number, is_done=False)
        raise
    await end_entry(records, number, _is_done(response) and not told.is_noted)
    return _given(response)


async def _taken(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer, also where it is a redirect: that is how a form that was taken ends."""
    try:
        return await handler(request)
    except web.HTTPRedirection as moved:
        return moved


def _given(response: web.StreamResponse) -> web.StreamResponse:
    if isinstance(response, web.HTTPException):
        raise response
    return response


def _is_done(response: web.StreamResponse) -> bool:
    return response.status < 400


def _told(request: web.Request, door: RouteRule, action: Action) -> Told:
    session, subject = request[SESSION], door.subject(request)
    by = f" by token {session.token_id}" if session.token_id else ""
    detail = "" if subject == door.path else door.path
    role = request.match_info.get("role", "")  # which file: a fixed word of ours
    words = f"{detail} {role}".strip()[:150] + by
    return Told(session.account, action, subject, words.strip(), by=by.strip())


async def _note(request: web.Request, told: Told) -> None:
    await note(request.app[RECORDS], told.account, told.action, told.subject, told.detail)


VIEW_LOG = web.AppKey("seen", ViewLog)


MOST_AT_ONCE = 100  # requests of one account that are being answered: a ward may share it
LASTING = "/live"  # has a limit of its own


class AtOnce:
    """How many requests of each account are being answered just now."""

    def __init__(self) -> None:
        self._by_account: Counter[int] = Counter()

    @contextmanager
    def one_more(self, account_id: int) -> Iterator[None]:
        """HTTPTooManyRequests where one account asks for so much that others have to wait."""
        if self._by_account[account_id] >= MOST_AT_ONCE:
            raise web.HTTPTooManyRequests(
                text=text("fault.many_requests"), headers={"Retry-After": "2"}
            )
        self._by_account[account_id] += 1
        try:
            yield
        finally:
            self._by_account[account_id] -= 1
            self._by_account += Counter()  # without those at 0


AT_ONCE = web.AppKey("at_once", AtOnce)


READING = frozenset({"GET", "HEAD"})
OF_A_VISIT = frozenset({"/logout", "/activity", "/searches"})
OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1", socket.gethostname().lower()})
BACKGROUND = frozenset({"empty", "image", "script", "style"})  # what pages ask by themselves


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler, or say who may."""
    if not is_our_name(request):
        raise web.HTTPMisdirectedRequest(text=text("fault.other_name"))
    check_head(request)
    door = _door(request)
    session = await (bearer_session(request) if _has_token(request) else _session(request))
    if session is not None:
        request[SESSION] = session
    if door is None or door.needs is not None:
        if session is None:
            return _refuse_nobody(request)
        if door is not None:
            await _check_right(request, session, door)
    if request.app[SETTINGS].viewer.read_only and _changes_something(request, door):
        raise web.HTTPForbidden(text=text("fault.read_only"))
    if request.method not in READING and not _from_our_pages(request):
        raise web.HTTPForbidden(text=text("fault.other_site"))
    if door is None:
        return await handler(request)
    if session is None or door.path == LASTING:
        return await audited(request, handler, door)
    with request.app[AT_ONCE].one_more(session.account_id):
        return await audited(request, handler, door)


def _changes_something(request: web.Request, door: RouteRule | None) -> bool:
    """All that is sent does, but what lets in and out, and a search, which is no address."""
    may_be_sent = door is not None and (door.needs is None or door.path in OF_A_VISIT)
    return request.method not in READING and not may_be_sent


def _has_token(request: web.Request) -> bool:
    return is_api(request) and "Authorization" in request.headers


def _refuse_nobody(request: web.Request) -> web.StreamResponse:
    if is_api(request):
        raise web.HTTPUnauthorized(
            text=text("api.needs_token"), headers={"WWW-Authenticate": "Bearer"}
        )
    return login_page(request, 401)


def _door(request: web.Request) -> RouteRule | None:
    """What stands in the table for this address; None for an address that there is not.

    Raises HTTPForbidden for one that was forgotten there.
    """
    resource = request.match_info.route.resource
    if resource is None:
        return None
    method = "GET" if request.method == "HEAD" else request.method
    door = request.app[ROUTE_RULES].get((method, resource.canonical))
    if door is None:
        raise web.HTTPForbidden(text=text("fault.closed_page"))
    return door


async def _session(request: web.Request) -> Session | None:
    key = request.cookies.get(cookie_name(request), "")
    if not key:
        return None
    limits = limits_of(request.app[SETTINGS].viewer)
    by_itself = request.headers.get("Sec-Fetch-Dest", "document") in BACKGROUND
    is_activity = request.method not in READING or not by_itself
    login = await find_session(request.app[RECORDS], key, limits, is_activity)
    return request.app[SESSIONS].of(login) if login else None


async def _check_right(request: web.Request, session: Session, door: RouteRule) -> None:
    if door.needs is not None and not may(session.role, door.needs):
        await note(
            request.app[RECORDS], session.account, Action.REFUSED, door.subject(request), door.path
        )
        raise web.HTTPForbidden(text=_no_right(session.role, door.needs))
    if is_api(request) and request.method not in READING and not session.token_id:
        raise web.HTTPForbidden(text=text("api.writes_need_token"))


def _no_right(role: Role, right: Right) -> str:
    key = "fault.no_right_review" if right is Right.REVIEW else "fault.no_right"
    return text(key, role=text(f"role.{role}"), right=text(f"right.{right}"))


def is_our_name(request: web.Request) -> bool:
    """Whether the browser asked for this machine: another site's name may be made to lead here."""
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    viewer, place = request.app[SETTINGS].viewer, request.get_extra_info("sockname")
    own = {*OWN_NAMES, viewer.host.lower(), *(each.lower() for each in viewer.host_names)}
    asked = {str(place[0]).removeprefix("::ffff:")} if place else set[str]()
    return name in own | asked


def _from_our_pages(request: web.Request) -> bool:
    """Tell by the headers that a browser sets and no page can change; absent ones say nothing."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    return site == "same-origin" and (origin is None or urlsplit(origin).netloc == request.host)
