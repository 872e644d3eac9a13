"""Login and logout: form, one-time link, cookie, API token, and where a request came from."""

import ipaddress
from datetime import date
from urllib.parse import urlsplit

from aiohttp import web

from daemon.index.people.accounts import end_all_of, find_bearer
from daemon.index.people.audit import Action, Told, note, telling
from daemon.index.people.logins import (
    Limits,
    count_attempt,
    end_session,
    find_session,
    sweep_sessions,
)
from daemon.outputs.catalogue import text
from daemon.records.accounts import NOBODY, CodeWanted, LoginRefused, log_in, log_in_by_link
from daemon.records.second_factor import HalfLost, log_in_with_code
from daemon.settings import ViewerSettings
from viewer.hospital_login.errors import ProviderAway
from viewer.hospital_login.providers import PROVIDERS
from viewer.request_forms import read_fields, read_form
from viewer.sessions import PASSWORDS, RECORDS, SESSION, SESSIONS, SETTINGS, Session
from viewer.templating import render


def is_local(target: str) -> bool:
    """Whether a browser that is sent to `target` stays here.

    Browsers read a backslash as a slash and skip tabs and line ends, so both are refused.
    """
    plain = all(" " < character < "\x7f" and character != "\\" for character in target)
    return plain and target.startswith("/") and not target.startswith("//")


def peer_of(request: web.Request) -> str:
    """The address that a login is counted against: the browser's, told by a trusted proxy if any.

    Of X-Forwarded-For only the last word counts, which is the proxy's own.
    """
    if _is_proxied(request):
        told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(told))
        except ValueError:
            return str(request.remote)
    return str(request.remote)


def is_secure(request: web.Request) -> bool:
    """Whether the browser speaks TLS, to us or to a trusted proxy."""
    return request.secure or (
        _is_proxied(request) and request.headers.get("X-Forwarded-Proto", "") == "https"
    )


def _is_proxied(request: web.Request) -> bool:
    return str(request.remote) in request.app[SETTINGS].viewer.trusted_proxies


COOKIE = "gliowatch_session"
SECURE_COOKIE = f"__Host-{COOKIE}"  # browsers take it by TLS alone, and from no other host


def cookie_name(request: web.Request) -> str:
    """What the session's cookie is called on the line by which the browser came."""
    return SECURE_COOKIE if is_secure(request) else COOKIE


LOGIN_FIELDS = ("name", "password", "next")
HOSPITALS = "hospital"  # whose account it is, by the form


def login_page(
    request: web.Request,
    status: int = 200,
    wrong: str = "",
    name: str = "",
    wanted: str = "",
    whose: str = HOSPITALS,
) -> web.Response:
    """The form; after it one comes to the page that was asked for, or whose form was sent.

    name, wanted, whose: what stood in the form before, of one that is shown again.
    """
    next_page = wanted or _asked_page(request)
    values = {
        "title": text("login.title"),
        "next": next_page,
        "wrong": wrong,
        "name": name,
        "providers": request.app[SETTINGS].login.oidc,
        "directory": request.app[SETTINGS].login.ldap,
        "whose": whose,
    }
    response = render(request, "login.html", values, status)
    if "HX-Request" in request.headers:  # a part of a page whose session has ended
        response.headers["HX-Refresh"] = "true"
    return response


def _asked_page(request: web.Request) -> str:
    if request.path.startswith("/login"):
        return request.query.get("next", "/")
    if request.method == "GET":
        return request.path_qs
    came_from = urlsplit(request.headers.get("Referer", ""))  # browsers tell it to our pages alone
    if came_from.netloc != request.host:
        return "/"
    return f"{came_from.path}?{came_from.query}" if came_from.query else came_from.path


async def show_login(request: web.Request) -> web.StreamResponse:
    """`GET /login`."""
    return login_page(request)


async def take_login(request: web.Request) -> web.StreamResponse:
    """`POST /login`: a new session, whatever cookie came with it, or the form again."""
    posted = await read_fields(request)
    name, password, wanted = (posted.get(field, "") for field in LOGIN_FIELDS)
    records, passwords = request.app[RECORDS], request.app[PASSWORDS]
    directory, whose = request.app[PROVIDERS].directory, posted.get("whose", "")
    try:
        if directory is not None and whose == HOSPITALS:
            key = await directory.log_in(records, name, password, peer_of(request))
        else:
            key = await log_in(records, passwords, name, password, peer_of(request))
    except ProviderAway as error:
        return login_page(request, 503, str(error), name=name, wanted=wanted, whose=whose)
    except LoginRefused as error:
        return login_page(request, 403, str(error), name=name, wanted=wanted, whose=whose)
    except CodeWanted as half:
        return _code_page(request, half.half, wanted)
    return await _come_in(request, key, wanted)


def _code_page(
    request: web.Request, half: str, wanted: str, status: int = 200, wrong: str = ""
) -> web.Response:
    values = {
        "title": text("second_factor.title"),
        "half": half,
        "next": wanted,
        "wrong": wrong,
    }
    return render(request, "login_code.html", values, status)


async def take_code(request: web.Request) -> web.StreamResponse:
    """`POST /login/code`: the second half of a login."""
    posted = await read_fields(request)
    half, wanted = posted.get("half", ""), posted.get("next", "/")
    try:
        key = await log_in_with_code(
            request.app[RECORDS], half, posted.get("code", ""), peer_of(request)
        )
    except HalfLost as error:
        return login_page(request, 403, str(error), wanted=wanted)
    except LoginRefused as error:
        return _code_page(request, half, wanted, 403, str(error))
    return await _come_in(request, key, wanted)


async def show_enter(request: web.Request) -> web.StreamResponse:
    """`GET /enter?token=…`: a button. Who only looks at a link, as programs do, lets nobody in."""
    asked = {name: request.query.get(name, "") for name in ("token", "next")}
    return render(request, "enter.html", {"title": text("enter.title"), **asked})


async def enter(request: web.Request) -> web.StreamResponse:
    """`POST /enter`: the link lets in once; the redirect takes it out of the address."""
    posted = await read_fields(request)
    records, peer = request.app[RECORDS], peer_of(request)
    try:
        key = await log_in_by_link(records, posted.get("token", ""), peer)
    except LoginRefused as error:
        raise web.HTTPForbidden(text=str(error)) from None
    except CodeWanted as half:
        return _code_page(request, half.half, posted.get("next", "/"))
    return await _come_in(request, key, posted.get("next", "/"))


async def is_open(request: web.Request) -> bool:
    """Whether the session of a request that lasts has not ended meanwhile."""
    key, limits = (
        request.cookies.get(cookie_name(request), ""),
        limits_of(request.app[SETTINGS].viewer),
    )
    return await find_session(request.app[RECORDS], key, limits, is_activity=False) is not None


async def log_out(request: web.Request) -> web.StreamResponse:
    """`POST /logout`; with `everywhere`, out of all sessions of the account."""
    form = await read_form(request)
    session, records = request[SESSION], request.app[RECORDS]
    detail = form.get("everywhere", "")[:10]
    with telling(Told(session.account, Action.LOGOUT, detail=detail)):
        if detail:
            await end_all_of(records, session.account_id)
        else:
            await end_session(records, request.cookies.get(cookie_name(request), ""))
    farewell = await request.app[PROVIDERS].farewell(session, address_of(request, "/login"))
    answer: web.Response = web.HTTPSeeOther("/login")
    if farewell:  # no redirect: browsers let a form of ours lead to nobody else
        del request[SESSION]  # the page is nobody's
        values = {"title": text("hospital_login.logged_out"), "farewell": farewell}
        answer = render(request, "logged_out.html", values)
    answer.del_cookie(cookie_name(request), path="/", secure=is_secure(request))
    if isinstance(answer, web.HTTPException):
        raise answer
    return answer


async def stay_active(request: web.Request) -> web.StreamResponse:
    """`POST /activity`: somebody moves on a page that asks for nothing; the guard has noted it."""
    await read_form(request)
    return web.Response(status=204)


async def _come_in(request: web.Request, key: str, wanted: str) -> web.StreamResponse:
    await end_earlier(request)
    answer = web.HTTPSeeOther(wanted if is_local(wanted) else "/")
    set_cookie(request, answer, key)
    raise answer


async def end_earlier(request: web.Request) -> None:
    """Before a new session: that of this browser ends, and those that have ended by themselves."""
    records = request.app[RECORDS]
    await end_session(records, request.cookies.get(cookie_name(request), ""))
    await sweep_sessions(records, limits_of(request.app[SETTINGS].viewer))


def address_of(request: web.Request, path: str) -> str:
    """A page as the person's browser has to ask for it, which may speak TLS to a proxy."""
    scheme = "https" if is_secure(request) else "http"
    return f"{scheme}://{request.host}{path}"


def limits_of(viewer: ViewerSettings) -> Limits:
    """How long sessions last."""
    return Limits(viewer.idle_minutes * 60, viewer.session_hours * 3600)


def set_cookie(request: web.Request, answer: web.StreamResponse, key: str) -> None:
    """Give the browser the key of its session."""
    name, is_tls = cookie_name(request), is_secure(request)
    answer.set_cookie(name, key, path="/", httponly=True, samesite="Strict", secure=is_tls)


SCHEME = "bearer"


async def bearer_session(request: web.Request) -> Session:
    """The session that a token stands for. Raises HTTPUnauthorized, HTTPTooManyRequests.

    A right token is never made to wait: nobody can lock others out of the same address.
    """
    scheme, _, secret = request.headers["Authorization"].partition(" ")
    records = request.app[RECORDS]
    named = secret.strip() if scheme.lower() == SCHEME else ""
    bearer = await find_bearer(records, named, date.today()) if named.isascii() else None
    if bearer is not None:
        return request.app[SESSIONS].of_token(bearer)
    attempt = await count_attempt(records, (f"token address {peer_of(request)}",))
    if attempt.wait > 0:
        raise web.HTTPTooManyRequests(
            text=text("api.bad_tokens"), headers={"Retry-After": f"{attempt.wait + 1:.0f}"}
        )
    await note(records, NOBODY, Action.LOGIN_REFUSED, detail="token")
    raise web.HTTPUnauthorized(text=text("api.bad_token"), headers={"WWW-Authenticate": "Bearer"})
