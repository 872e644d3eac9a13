"""The door: no page without a session, no change from another site, and how a session begins."""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from viewer.keys import SESSION, SESSIONS

COOKIE = "gliowatch_session"
OPEN_PATHS = frozenset({"/healthz", "/enter", "/metrics"})  # the last has a token of its own
READING = frozenset({"GET", "HEAD"})


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through if it has a session and, where it changes something, our own origin."""
    session = request.app[SESSIONS].find(request.cookies.get(COOKIE, ""))
    if session is not None:
        request[SESSION] = session
    elif request.path not in OPEN_PATHS:
        raise web.HTTPUnauthorized(
            text="Please open the link that `gliowatch run` printed when it started."
        )
    if request.method not in READING and not _from_our_pages(request):
        raise web.HTTPForbidden(text="This request came from another site and was refused.")
    return await handler(request)


async def enter(request: web.Request) -> web.StreamResponse:
    """Take the token of the printed link, open a session and lead on to `next`.

    The redirect takes the token out of the address bar. A SameSite=Strict cookie survives it
    when the link is opened from a terminal or typed in, since no other site began the request.
    """
    session = request.app[SESSIONS].enter(request.query.get("token", ""))
    if session is None:
        raise web.HTTPForbidden(text="This link is not valid; please open the newest one.")
    target = request.query.get("next", "/")
    answer = web.HTTPSeeOther(target if is_local(target) else "/")
    answer.set_cookie(
        COOKIE, session.key, path="/", httponly=True, samesite="Strict", secure=request.secure
    )
    raise answer


def is_local(target: str) -> bool:
    """Whether a browser that is sent to `target` stays here.

    Browsers read a backslash as a slash and skip tabs and line ends, so both are refused.
    """
    plain = all(" " < character < "\x7f" and character != "\\" for character in target)
    return plain and target.startswith("/") and not target.startswith("//")


def _from_our_pages(request: web.Request) -> bool:
    """Judge by the headers that a browser sets and no page can change; absent ones say nothing."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    return site == "same-origin" and (origin is None or urlsplit(origin).netloc == request.host)
