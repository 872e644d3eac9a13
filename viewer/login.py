"""Coming in and going out: the form, the link that lets in once, and the cookie between."""

from aiohttp import web

from daemon.index.audit import Action, note
from daemon.index.login_sessions import Limits, end_session, end_sessions_of, sweep_sessions
from daemon.logging_in import LoginRefused, log_in, log_in_by_link
from daemon.settings import ViewerSettings
from viewer.addresses import is_local, is_secure, peer_of
from viewer.keys import PASSWORDS, RECORDS, SESSION, SETTINGS
from viewer.pages import read_form, render

COOKIE = "gliowatch_session"
LOGIN_FIELDS = ("name", "password", "next")


def login_page(request: web.Request, status: int = 200, wrong: str = "") -> web.Response:
    """The form; after it one comes to the page that was asked for."""
    wanted = request.path_qs if request.method == "GET" and request.path != "/login" else "/"
    values = {"title": "Log in", "next": wanted, "wrong": wrong}
    response = render(request, "login.html", values, status)
    if "HX-Request" in request.headers:  # a part of a page whose session has ended
        response.headers["HX-Refresh"] = "true"
    return response


async def show_login(request: web.Request) -> web.StreamResponse:
    """`GET /login`."""
    return login_page(request)


async def take_login(request: web.Request) -> web.StreamResponse:
    """`POST /login`: a new session, whatever cookie came with it, or the form again."""
    posted = await request.post()
    name, password, wanted = (str(posted.get(field, "")) for field in LOGIN_FIELDS)
    records, passwords = request.app[RECORDS], request.app[PASSWORDS]
    try:
        key = await log_in(records, passwords, name, password, peer_of(request))
    except LoginRefused as error:
        return login_page(request, 403, str(error))
    return await _come_in(request, key, wanted)


async def enter(request: web.Request) -> web.StreamResponse:
    """`GET /enter?token=…`: the link that lets in once; the redirect takes it out of the address.

    A SameSite=Strict cookie survives it when the link is opened from a terminal or typed in,
    since no other site began the request.
    """
    try:
        key = await log_in_by_link(request.app[RECORDS], request.query.get("token", ""))
    except LoginRefused as error:
        raise web.HTTPForbidden(text=str(error)) from None
    return await _come_in(request, key, request.query.get("next", "/"))


async def log_out(request: web.Request) -> web.StreamResponse:
    """`POST /logout`; with `everywhere`, out of all sessions of the account."""
    form = await read_form(request)
    session, records = request[SESSION], request.app[RECORDS]
    if form.get("everywhere"):
        await end_sessions_of(records, session.account_id)
    else:
        await end_session(records, request.cookies.get(COOKIE, ""))
    await note(records, session.account, Action.LOGOUT, detail=form.get("everywhere", "")[:10])
    answer = web.HTTPSeeOther("/login")
    answer.del_cookie(COOKIE, path="/")
    raise answer


async def stay_active(request: web.Request) -> web.StreamResponse:
    """`POST /activity`: somebody moves on a page that asks for nothing; the guard has noted it."""
    await read_form(request)
    return web.Response(status=204)


async def _come_in(request: web.Request, key: str, wanted: str) -> web.StreamResponse:
    records = request.app[RECORDS]
    await end_session(records, request.cookies.get(COOKIE, ""))
    await sweep_sessions(records, limits_of(request.app[SETTINGS].viewer))
    answer = web.HTTPSeeOther(wanted if is_local(wanted) else "/")
    set_cookie(request, answer, key)
    raise answer


def limits_of(viewer: ViewerSettings) -> Limits:
    """How long sessions last."""
    return Limits(viewer.idle_minutes * 60, viewer.session_hours * 3600)


def set_cookie(request: web.Request, answer: web.StreamResponse, key: str) -> None:
    """Give the browser the key of its session."""
    answer.set_cookie(
        COOKIE, key, path="/", httponly=True, samesite="Strict", secure=is_secure(request)
    )
