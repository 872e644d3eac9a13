"""One's own account: a new password, the way out of all sessions, tokens for the API."""

from datetime import date, timedelta

from aiohttp import web

from daemon.index.accounts import find_account, set_password
from daemon.index.api_tokens import add_token, revoke_token, tokens_of
from daemon.index.login_sessions import begin_session
from daemon.passwords import WeakPassword
from daemon.roles import RIGHTS, Role, roles_up_to
from viewer.keys import PASSWORDS, RECORDS, SESSION
from viewer.login import set_cookie
from viewer.pages import LONGEST_NAME, read_form, render

LONGEST_DAYS = 366  # that a token may live


async def show_account(request: web.Request) -> web.StreamResponse:
    """`GET /account`."""
    return await _page(request)


async def change_password(request: web.Request) -> web.StreamResponse:
    """`POST /account/password`: all sessions end, and this browser gets a new one."""
    form = await read_form(request)
    session, records = request[SESSION], request.app[RECORDS]
    account = await find_account(records, session.account)
    assert account is not None, "its session is open"
    passwords = request.app[PASSWORDS]
    kept = account.password_hash
    if kept and not await passwords.is_right(form.get("old", ""), kept):
        return await _page(request, 403, "The present password is not right.")
    if form.get("new", "") != form.get("again", ""):
        return await _page(request, 400, "The two new passwords differ.")
    try:
        new = await passwords.hash(form.get("new", ""), account.name)
    except WeakPassword as error:
        return await _page(request, 400, str(error))
    await set_password(records, account.account_id, new)
    answer = web.HTTPSeeOther("/account")
    set_cookie(request, answer, await begin_session(records, account.account_id))
    raise answer


async def make_token(request: web.Request) -> web.StreamResponse:
    """`POST /account/tokens`: a token, shown this once."""
    form = await read_form(request)
    session = request[SESSION]
    label = form.get("label", "").strip()
    if not label or len(label) > LONGEST_NAME:
        return await _page(request, 400, "Please say what the token is for.")
    role = _asked_role(form.get("role", ""), session.role)
    ends_on = _asked_day(form.get("ends_on", ""))
    if role is None or ends_on is None:
        return await _page(request, 400, "A token has a role of at most yours, and an end.")
    secret = await add_token(request.app[RECORDS], session.account_id, label, role, ends_on)
    return await _page(request, secret=secret)


async def revoke(request: web.Request) -> web.StreamResponse:
    """`POST /account/tokens/{token_id}/revoke`: one of one's own counts no longer."""
    await read_form(request)
    asked = request.match_info["token_id"]
    mine = await tokens_of(request.app[RECORDS], request[SESSION].account_id)
    if asked not in {str(token.token_id) for token in mine}:
        raise web.HTTPNotFound(text="There is no such token.")
    await revoke_token(request.app[RECORDS], int(asked))
    raise web.HTTPSeeOther("/account")


async def _page(
    request: web.Request, status: int = 200, wrong: str = "", secret: str = ""
) -> web.Response:
    session, records = request[SESSION], request.app[RECORDS]
    account = await find_account(records, session.account)
    today = date.today()
    values = {
        "title": "My account",
        "section": "account",
        "account": account,
        "rights": sorted(RIGHTS[session.role]),
        "roles": roles_up_to(session.role),
        "tokens": await tokens_of(records, session.account_id),
        "today": today.isoformat(),
        "latest": (today + timedelta(days=LONGEST_DAYS)).isoformat(),
        "wrong": wrong,
        "secret": secret,
    }
    return render(request, "account.html", values, status)


def _asked_role(asked: str, own: Role) -> Role | None:
    return Role(asked) if asked in roles_up_to(own) else None


def _asked_day(asked: str) -> date | None:
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        return None
    return day if date.today() <= day <= date.today() + timedelta(days=LONGEST_DAYS) else None
