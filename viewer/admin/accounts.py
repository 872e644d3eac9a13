"""Accounts, for administrators, and one's own: passwords, roles, sessions, tokens."""

from collections.abc import Sequence
from datetime import date, timedelta

from aiohttp import web

from daemon.index.people import accounts
from daemon.index.people.accounts import (
    LastAdmin,
    OfHospital,
    Superseded,
    add_token,
    end_all_of,
    find_account,
    revoke_token,
    set_password,
    tokens_of,
)
from daemon.index.people.logins import LONGEST_LINK, add_link, begin_session, reset_by_link
from daemon.index.people.second_factors import accounts_with_factor, find_factor, turn_off
from daemon.outputs.catalogue import text
from daemon.permissions import RIGHTS, Right, Role, roles_up_to
from daemon.records.accounts import AccountFault, LoginRefused, WeakPassword, checked_name, prove
from viewer.login import address_of, peer_of, set_cookie
from viewer.request_forms import read_form, whole_number
from viewer.sessions import PASSWORDS, RECORDS, SESSION
from viewer.templating import LONGEST_NAME, render


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
        return await _page(request, 409, text("account_fault.name_taken"))
    secret = await add_link(records, made.account_id, LONGEST_LINK)
    return await _page(request, link=_link(request, secret))


async def change_account(request: web.Request) -> web.StreamResponse:
    """`POST /accounts/{account_id}`: `do` is disable, enable, role, link, end or factor."""
    form = await read_form(request)
    account = await _asked(request)
    do = form.get("do", "")
    if account.account_id == request[SESSION].account_id and do in (
        "disable",
        "role",
        "factor",
    ):
        return await _page(request, 400, text("accounts.own"))
    try:
        return await _changed(request, account, do, form)
    except (OfHospital, LastAdmin) as error:
        return await _page(request, 403, str(error))


async def _changed(
    request: web.Request, account: accounts.Account, do: str, form: dict[str, str]
) -> web.StreamResponse:
    """Raises OfHospital, LastAdmin."""
    records = request.app[RECORDS]
    if do in ("disable", "enable"):
        await accounts.set_enabled(records, account.account_id, do == "enable")
    elif do == "role":
        await accounts.set_role(records, account.account_id, _asked_role(form))
    elif do == "factor":
        await turn_off(records, account.account_id)
    elif do == "end":
        await end_all_of(records, account.account_id)
    elif do == "link":
        secret = await reset_by_link(records, account.account_id, LONGEST_LINK)
        return await _page(request, link=_link(request, secret))
    else:
        raise web.HTTPBadRequest(text=text("accounts.no_such_change"))
    raise web.HTTPSeeOther("/accounts")


async def _page(
    request: web.Request, status: int = 200, wrong: str = "", link: str = ""
) -> web.Response:
    values = {
        "title": text("accounts.title"),
        "section": "accounts",
        "accounts": await accounts.list_accounts(request.app[RECORDS]),
        "own": request[SESSION].account_id,
        "with_factor": await accounts_with_factor(request.app[RECORDS]),
        "roles": list(Role),
        "wrong": wrong,
        "link": link,
    }
    return render(request, "accounts.html", values, status)


def _link(request: web.Request, secret: str) -> str:
    return address_of(request, f"/enter?token={secret}&next=/account")


async def _asked(request: web.Request) -> accounts.Account:
    number = whole_number(request.match_info["account_id"], or_else=-1)
    account = await accounts.account_by_id(request.app[RECORDS], number)
    if account is None:
        raise web.HTTPNotFound(text=text("fault.no_account"))
    return account


def _asked_role(form: dict[str, str]) -> Role:
    asked = form.get("role", "")
    if asked not in list(Role):
        raise web.HTTPBadRequest(text=text("fault.no_role"))
    return Role(asked)


LONGEST_DAYS = 366  # that a token may live


async def show_account(request: web.Request) -> web.StreamResponse:
    """`GET /account`."""
    return await own_page(request)


async def change_password(request: web.Request) -> web.StreamResponse:
    """`POST /account/password`: all sessions end, and this browser gets a new one."""
    form = await read_form(request)
    account, records = await own_account(request), request.app[RECORDS]
    try:
        if account.password_hash:
            await prove_password(request, account, form)
        if form.get("new", "") != form.get("again", ""):
            return await own_page(request, 400, text("account.passwords_differ"))
        new = await request.app[PASSWORDS].hash(form.get("new", ""), account.name)
        number = account.account_id
        await set_password(records, number, new, checked=account.password_hash)
        key = await begin_session(records, number, new)
    except (LoginRefused, Superseded, OfHospital) as error:
        return await own_page(request, 403, str(error))
    except WeakPassword as error:
        return await own_page(request, 400, str(error))
    answer = web.HTTPSeeOther("/account")
    set_cookie(request, answer, key)
    raise answer


async def make_token(request: web.Request) -> web.StreamResponse:
    """`POST /account/tokens`: a token, shown this once, for who knows the password."""
    form = await read_form(request)
    account, label = await own_account(request), form.get("label", "").strip()
    if not account.password_hash:
        return await own_page(request, 403, text("account.no_password"))
    if not label or len(label) > LONGEST_NAME:
        return await own_page(request, 400, text("account.no_purpose"))
    role = _token_role(form.get("role", ""), request[SESSION].role)
    ends_on = _asked_day(form.get("ends_on", ""))
    if role is None or ends_on is None:
        return await own_page(request, 400, text("account.token_limits"))
    kept = account.password_hash
    try:
        await prove_password(request, account, form)
        secret = await add_token(
            request.app[RECORDS], account.account_id, label, role, ends_on, kept
        )
    except (LoginRefused, Superseded) as error:
        return await own_page(request, 403, str(error))
    return await own_page(request, secret=secret)


async def own_account(request: web.Request) -> accounts.Account:
    """The account of who asks."""
    account = await find_account(request.app[RECORDS], request[SESSION].account)
    assert account is not None, "its session is open"
    return account


async def prove_password(
    request: web.Request, account: accounts.Account, form: dict[str, str]
) -> None:
    """Whoever has the session must know the password as well. Raises LoginRefused, TooBusy."""
    await prove(
        request.app[RECORDS],
        request.app[PASSWORDS],
        account.name,
        account.password_hash,
        form.get("old", ""),
        peer_of(request),
        wrong="account.wrong_password",
    )


async def revoke(request: web.Request) -> web.StreamResponse:
    """`POST /account/tokens/{token_id}/revoke`: one of one's own counts no longer."""
    await read_form(request)
    asked = request.match_info["token_id"]
    mine = await tokens_of(request.app[RECORDS], request[SESSION].account_id)
    if asked not in {str(token.token_id) for token in mine}:
        raise web.HTTPNotFound(text=text("fault.no_token"))
    await revoke_token(request.app[RECORDS], int(asked))
    raise web.HTTPSeeOther("/account")


async def own_page(
    request: web.Request,
    status: int = 200,
    wrong: str = "",
    secret: str = "",
    codes: Sequence[str] = (),
) -> web.Response:
    """`/account`. secret: of a new token; codes: new recovery codes; both are shown once."""
    session, records = request[SESSION], request.app[RECORDS]
    account = await find_account(records, session.account)
    today = date.today()
    values = {
        "title": text("account.title"),
        "section": "account",
        "account": account,
        "factor": await find_factor(records, session.account_id),
        "rights": [text(f"right.{right}") for right in Right if right in RIGHTS[session.role]],
        "roles": roles_up_to(session.role),
        "tokens": await tokens_of(records, session.account_id),
        "today": today.isoformat(),
        "latest": (today + timedelta(days=LONGEST_DAYS)).isoformat(),
        "wrong": wrong,
        "secret": secret,
        "codes": codes,
    }
    return render(request, "account.html", values, status)


def _token_role(asked: str, own: Role) -> Role | None:
    return Role(asked) if asked in roles_up_to(own) else None


def _asked_day(asked: str) -> date | None:
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        return None
    return day if date.today() <= day <= date.today() + timedelta(days=LONGEST_DAYS) else None
