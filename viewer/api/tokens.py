"""Who asks with a token: `Authorization: Bearer glw_…` (RFC 6750) in place of a session."""

from datetime import date

from aiohttp import web

from daemon.index.people.accounts import note_failure, seconds_to_wait
from daemon.index.people.audit import Action, note
from daemon.index.people.tokens import find_bearer
from daemon.records.accounts import NOBODY
from viewer.login import peer_of
from viewer.sessions import RECORDS, SESSIONS, Session

SCHEME = "bearer"
REFUSED = "This token does not count: it is wrong, revoked or past its end."
TOO_OFTEN = "There were too many wrong tokens from this address; please wait."


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
    subjects = (f"token address {peer_of(request)}",)
    wait = await seconds_to_wait(records, subjects)
    if wait > 0:
        raise web.HTTPTooManyRequests(text=TOO_OFTEN, headers={"Retry-After": f"{wait + 1:.0f}"})
    await note_failure(records, subjects)
    await note(records, NOBODY, Action.LOGIN_REFUSED, detail="token")
    raise web.HTTPUnauthorized(text=REFUSED, headers={"WWW-Authenticate": "Bearer"})
