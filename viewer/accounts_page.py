"""Accounts, for administrators: who there is, a new one with a link that lets in once, changes."""

from aiohttp import web

from daemon.index import accounts
from daemon.index.login_links import add_link
from daemon.index.login_sessions import end_sessions_of
from daemon.roles import Role
from daemon.users_command import AccountFault, checked_name
from viewer.keys import RECORDS, SESSION
from viewer.pages import LONGEST_NAME, read_form, render

LINK_SECONDS = 24 * 3600.0
OWN = "This is your own account: another administrator has to do that."


async def show_accounts(request: web.Request) -> web.StreamResponse:
    """`GET /accounts`."""
    return await _page(request)


async def add_account(request: web.Request) -> web.StreamResponse:
    """`POST /accounts`: a new account without a password, and the link by which it gets one."""
    form = await read_form(request)
    records = request.app[RECORDS]
    full_name = form.get("full_name", "").strip()[:LONGEST_NAME]
    try:
        name = checked_name(form.get("name", ""))
    except AccountFault as error:
        return await _page(request, 400, str(error))
    role = _asked_role(form)
    made = await accounts.add_account(records, name, full_name or name, role, "")
    if made is None:
        return await _page(request, 409, "There is an account of this name already.")
    return await _page(request, link=await _link(request, made.account_id))


async def change_account(request: web.Request) -> web.StreamResponse:
    """`POST /accounts/{account_id}`: `do` is disable, enable, role, link or end."""
    form = await read_form(request)
    records = request.app[RECORDS]
    account = await _asked(request)
    do = form.get("do", "")
    if account.account_id == request[SESSION].account_id and do in ("disable", "role"):
        return await _page(request, 400, OWN)
    if do in ("disable", "enable"):
        await accounts.set_enabled(records, account.account_id, do == "enable")
    elif do == "role":
        await accounts.set_role(records, account.account_id, _asked_role(form))
    elif do == "end":
        await end_sessions_of(records, account.account_id)
    elif do == "link":
        await accounts.set_password(records, account.account_id, "")
        return await _page(request, link=await _link(request, account.account_id))
    else:
        raise web.HTTPBadRequest(text="There is no such change of an account.")
    raise web.HTTPSeeOther("/accounts")


async def _page(
    request: web.Request, status: int = 200, wrong: str = "", link: str = ""
) -> web.Response:
    values = {
        "title": "Accounts",
        "section": "accounts",
        "accounts": await accounts.list_accounts(request.app[RECORDS]),
        "own": request[SESSION].account_id,
        "roles": list(Role),
        "wrong": wrong,
        "link": link,
    }
    return render(request, "accounts.html", values, status)


async def _link(request: web.Request, account_id: int) -> str:
    secret = await add_link(request.app[RECORDS], account_id, LINK_SECONDS)
    return f"{request.url.origin()}/enter?token={secret}&next=/account"


async def _asked(request: web.Request) -> accounts.Account:
    asked = request.match_info["account_id"]
    number = int(asked) if asked.isdecimal() and len(asked) < 10 else -1
    account = await accounts.account_by_id(request.app[RECORDS], number)
    if account is None:
        raise web.HTTPNotFound(text="There is no such account.")
    return account


def _asked_role(form: dict[str, str]) -> Role:
    asked = form.get("role", "")
    if asked not in list(Role):
        raise web.HTTPBadRequest(text="There is no such role.")
    return Role(asked)
