"""Accounts of the viewer: passwords, who may be one, and the login itself, throttled and audited.

The parameters are the second recommended option of RFC 9106, section 4: 3 passes over 64 MiB in
4 lanes. One hash is made at a time, so that a flood of logins takes 64 MiB and not the machine,
and few wait for their turn: who comes then is told so at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from daemon.index.database import Database, open_records
from daemon.index.people import accounts
from daemon.index.people.accounts import find_account
from daemon.index.people.audit import Action, Told, note, telling
from daemon.index.people.logins import (
    Attempt,
    add_link,
    begin_session,
    count_attempt,
    forget_attempt,
    note_failure,
    use_link,
)
from daemon.index.people.second_factors import LoginStep, begin_step, find_factor, turn_off
from daemon.outputs.catalogue import text
from daemon.permissions import Role
from daemon.settings import Settings
from model.errors import GliowatchError

SHORTEST, LONGEST = 12, 1000  # characters
FEWEST_DIFFERENT = 5  # characters; "aaaaaaaaaaaa" is no password
HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
assert HASHER.type is Type.ID, "argon2id"


class WeakPassword(GliowatchError):
    """A new password that is refused; the sentence says what it lacks."""


TOO_MANY = "account_fault.too_many_failures"
MOST_IN_LINE = 8  # hashes that are made or wait for it, of some 0.1 s each


class TooBusy(GliowatchError):
    """Too many passwords are to be looked at just now."""

    def __init__(self) -> None:
        super().__init__(text("account_fault.busy"))


class Passwords:
    """Makes and checks hashes in a thread, one at a time, with a short line. Raises TooBusy."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._in_line = 0
        self._of_nobody = ""

    @asynccontextmanager
    async def _next_turn(self) -> AsyncIterator[None]:
        if self._in_line >= MOST_IN_LINE:
            raise TooBusy
        self._in_line += 1
        try:
            async with self._turn:
                yield
        finally:
            self._in_line -= 1

    async def hash(self, password: str, account_name: str) -> str:
        """The hash to keep, with salt and parameters in it. Raises WeakPassword."""
        check_strength(password, account_name)
        async with self._next_turn():
            return await asyncio.to_thread(HASHER.hash, password)

    async def is_right(self, password: str, kept: str) -> bool:
        """Whether `password` made the hash `kept`.

        '', for an account that there is not, takes as long as a wrong password does.
        """
        async with self._next_turn():
            if not self._of_nobody:
                self._of_nobody = await asyncio.to_thread(HASHER.hash, "nobody's password")
            right = await asyncio.to_thread(_verify, kept or self._of_nobody, password[:LONGEST])
        return right and kept != ""


def check_strength(password: str, account_name: str) -> None:
    """Raises WeakPassword for one that is too short, too long, too plain, or the name itself.

    Length and nothing about kinds of characters, as NIST SP 800-63B, section 5.1.1.2 advises.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(text("account_fault.password_length", least=SHORTEST, most=LONGEST))
    if len(set(password)) < FEWEST_DIFFERENT:
        raise WeakPassword(text("account_fault.password_plain"))
    if account_name.lower() in password.lower():
        raise WeakPassword(text("account_fault.password_name"))


def _verify(kept: str, password: str) -> bool:
    try:
        return HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


COMMAND_LINE = "command line"  # who did it, in the audit
LONGEST_NAME = 100  # characters


class AccountFault(GliowatchError):
    """There is no such account, or there is one already, or a name that none may have."""


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    full_name: "" = the name. role: of a new account, None = reader, or its next one.
    """

    action: str
    name: str = ""
    full_name: str = ""
    role: Role | None = None


def run_users_command(settings: Settings, wish: Wish, ask_password: Callable[[], str]) -> str:
    """Do it; lines for the terminal. ask_password: called where one is needed.

    Raises AccountFault or WeakPassword.
    """
    return asyncio.run(_run(settings, wish, ask_password))


async def _run(settings: Settings, wish: Wish, ask_password: Callable[[], str]) -> str:
    async with open_records(settings.daemon.records) as records:
        if wish.action == "list":
            return "\n".join(_line(each) for each in await accounts.list_accounts(records)) or (
                "There are no accounts: gliowatch users add NAME --role admin creates the first."
            )
        if not wish.name:
            raise AccountFault(text("account_fault.name_missing", action=wish.action))
        if wish.action == "add":
            return await _add(records, wish, ask_password)
        account = await accounts.find_account(records, wish.name)
        if account is None:
            raise AccountFault(text("account_fault.no_account", name=wish.name))
        return await _change(records, account, wish, ask_password)


def checked_name(typed: str) -> str:
    """A name for a new account. Raises AccountFault."""
    name = typed.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise AccountFault(text("account_fault.name_length", most=LONGEST_NAME))
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
        raise AccountFault(text("account_fault.name_taken"))
    kept = await Passwords().hash(ask_password(), name)
    with telling(Told(COMMAND_LINE, Action.CHANGE, f"account {name}", "added")):
        made = await accounts.add_account(
            records, name, wish.full_name or name, wish.role or Role.READER, kept
        )
    if made is None:
        raise AccountFault(text("account_fault.name_taken"))
    return f"Added: {_line(made)}"


async def _change(
    records: Database, account: accounts.Account, wish: Wish, ask_password: Callable[[], str]
) -> str:
    number = account.account_id
    with telling(Told(COMMAND_LINE, Action.CHANGE, f"account {number}", wish.action)):
        if wish.action == "reset":
            kept = await Passwords().hash(ask_password(), account.name)
            await accounts.set_password(records, number, kept)
            return (
                "The password is changed, and all sessions, tokens and links of the account"
                " have ended."
            )
        if wish.action == "no-code":
            is_off = await turn_off(records, number)
            return "The password alone lets in now." if is_off else "There was no second factor."
        if wish.action != "role":
            await accounts.set_enabled(records, number, wish.action == "enable")
            if wish.action == "enable":
                return "The account is enabled."
            return "The account is disabled: its sessions, tokens and links have ended."
        if wish.role is None:
            raise AccountFault(
                f"Nothing was changed: {account.name} is {account.role}; name the new role with"
                f" --role, one of {', '.join(Role)}."
            )
        await accounts.set_role(records, number, wish.role)
        return f"The role is now {wish.role}."


def _line(account: accounts.Account) -> str:
    off = "" if account.enabled else ", disabled"
    by = f", by {account.issuer}" if account.issuer else ""
    return f"{account.name}: {account.full_name}, {account.role}{off}{by}"


NOBODY = "-"  # in the audit, for a name that no account has: it may be a mistyped password


class LoginRefused(GliowatchError):
    """Wrong name or password, or too many failures before; the sentence says which."""


class CodeWanted(GliowatchError):
    """The password, or the link, was right, and a code of the phone has to follow.

    half: the secret by which the login goes on (`second_factor.log_in_with_code`).
    """

    def __init__(self, half: str) -> None:
        super().__init__(text("second_factor.wanted"))
        self.half = half


async def log_in(
    records: Database, passwords: Passwords, name: str, password: str, address: str
) -> str:
    """The key of a new session. Raises LoginRefused, with the same words whatever was wrong, and
    CodeWanted."""
    name = name.strip()[:LONGEST_NAME]
    account = await find_account(records, name)
    known = account if account and account.enabled else None
    kept = known.password_hash if known else ""
    await prove(records, passwords, name, kept, password, address)
    assert known is not None, "a password was right"
    return await _session_or_code(records, known, "password")


async def _session_or_code(records: Database, account: accounts.Account, how: str) -> str:
    """Raises CodeWanted, LoginRefused."""
    half = LoginStep(account.account_id, account.password_hash, how)
    factor = await find_factor(records, account.account_id)
    if factor is not None and factor.is_on:
        raise CodeWanted(await begin_step(records, half))
    try:
        return await begin_session(records, half.account_id, half.checked, how)
    except accounts.Superseded:
        raise LoginRefused(text("account_fault.wrong_login")) from None


async def counted(records: Database, subjects: tuple[str, ...], wrong: str = TOO_MANY) -> Attempt:
    """One more attempt, before it is looked at. wrong: the key of the sentence. Raises LoginRefused
    for who has to wait."""
    attempt = await count_attempt(records, subjects)
    if attempt.wait > 0:
        raise LoginRefused(text(wrong, count=round(attempt.wait) + 1))
    return attempt


async def prove(
    records: Database,
    passwords: Passwords,
    name: str,
    kept: str,
    password: str,
    address: str,
    wrong: str = "account_fault.wrong_login",
) -> None:
    """Let pass who knows the password of an account; whoever else is counted, and has to wait.

    kept: its hash, '' for one that nobody can know; wrong: the key of the sentence. Raises
    LoginRefused, TooBusy.
    """
    attempt = await counted(records, (f"account {name.lower()}", f"address {address}"))
    try:
        is_right = await passwords.is_right(password, kept)
    except TooBusy:
        await forget_attempt(records, attempt, right=False)
        raise
    if not is_right:
        await note_failure(records, attempt)
        found = await find_account(records, name)
        await note(records, found.name if found else NOBODY, Action.LOGIN_REFUSED)
        raise LoginRefused(text(wrong))
    await forget_attempt(records, attempt, right=True)


async def log_in_by_link(records: Database, secret: str, address: str) -> str:
    """The key of a new session, by a link that is good once. Raises LoginRefused, CodeWanted."""
    attempt = await counted(records, (f"link address {address}",), "account_fault.too_many_links")
    account = await use_link(records, secret)
    if account is None:
        await note(records, NOBODY, Action.LOGIN_REFUSED, detail="link")
        raise LoginRefused(text("account_fault.wrong_link"))
    await forget_attempt(records, attempt, right=True)
    return await _session_or_code(records, account, "link")
