"""`gliowatch users`: accounts of the viewer, from the command line of who keeps the machine."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from daemon.index import accounts
from daemon.index.audit import Action, note
from daemon.index.database import Database, open_records
from daemon.index.login_links import add_link
from daemon.passwords import Passwords
from daemon.roles import Role
from daemon.settings import Settings
from model.errors import GliowatchError

COMMAND_LINE = "command line"  # who did it, in the audit
LONGEST_NAME = 100  # characters


class AccountFault(GliowatchError):
    """There is no such account, or there is one already, or a name that none may have."""


@dataclass(frozen=True)
class Wish:
    """What is asked for. full_name: "" = the name; role: of a new account, or its next one."""

    action: str
    name: str = ""
    full_name: str = ""
    role: Role = Role.READER


def run_users_command(settings: Settings, wish: Wish, ask_password: Callable[[], str]) -> str:
    """Do it; lines for the terminal. ask_password: called where one is needed.

    Raises AccountFault or WeakPassword.
    """
    return asyncio.run(_run(settings, wish, ask_password))


async def _run(settings: Settings, wish: Wish, ask_password: Callable[[], str]) -> str:
    async with open_records(settings.daemon.records) as records:
        if wish.action == "list":
            return "\n".join(_line(each) for each in await accounts.list_accounts(records)) or (
                "There are no accounts: gliowatch users add NAME --role admin makes the first."
            )
        if wish.action == "add":
            return await _add(records, wish, ask_password)
        account = await accounts.find_account(records, wish.name)
        if account is None:
            raise AccountFault("There is no account of this name.")
        return await _change(records, account, wish, ask_password)


def checked_name(typed: str) -> str:
    """A name for a new account. Raises AccountFault."""
    name = typed.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise AccountFault(f"The name of an account has 1 to {LONGEST_NAME} letters or digits.")
    return name


async def link_for(records: Database, name: str, role: Role, seconds: float) -> str:
    """The secret of a link that lets in once as this account, which is made if there is none."""
    account = await accounts.add_account(records, name, name, role, "")
    account = account or await accounts.find_account(records, name)
    assert account is not None, "it was made just now, or before"
    return await add_link(records, account.account_id, seconds)


async def _add(records: Database, wish: Wish, ask_password: Callable[[], str]) -> str:
    name = checked_name(wish.name)
    if await accounts.find_account(records, name):
        raise AccountFault("There is an account of this name already.")
    kept = await Passwords().hash(ask_password(), name)
    made = await accounts.add_account(records, name, wish.full_name or name, wish.role, kept)
    if made is None:
        raise AccountFault("There is an account of this name already.")
    await note(records, COMMAND_LINE, Action.CHANGE, f"account {made.account_id}", "added")
    return f"Added: {_line(made)}"


async def _change(
    records: Database, account: accounts.Account, wish: Wish, ask_password: Callable[[], str]
) -> str:
    number = account.account_id
    if wish.action == "reset":
        await accounts.set_password(
            records, number, await Passwords().hash(ask_password(), account.name)
        )
        said = "It has a new password, and all its sessions have ended."
    elif wish.action == "role":
        await accounts.set_role(records, number, wish.role)
        said = f"It is a {wish.role} now."
    else:
        await accounts.set_enabled(records, number, wish.action == "enable")
        said = (
            "It may log in again."
            if wish.action == "enable"
            else "It is disabled: its sessions and tokens have ended."
        )
    await note(records, COMMAND_LINE, Action.CHANGE, f"account {number}", wish.action)
    return said


def _line(account: accounts.Account) -> str:
    off = "" if account.enabled else ", disabled"
    return f"{account.name}: {account.full_name}, {account.role}{off}"
