"""The second factor of our own accounts: a phone's codes (TOTP, RFC 6238), and recovery codes.

Six digits of HMAC-SHA-1 over steps of 30 seconds, which every authenticator knows. A code counts
one step before and after its own, since clocks differ, and once. Whoever guesses waits as at the
password. A recovery code stands in for a phone that is lost, once.
"""

import base64
import hmac
import secrets
import time
from urllib.parse import quote

from daemon.index.database import Database
from daemon.index.people.accounts import Account, Superseded, account_by_id, hash_of
from daemon.index.people.audit import Action, note
from daemon.index.people.logins import (
    begin_session,
    forget_attempt,
    note_failure,
)
from daemon.index.people.second_factors import (
    end_step,
    find_factor,
    find_step,
    take_recovery_code,
    take_step,
    turn_on,
)
from daemon.outputs.catalogue import text
from daemon.records.accounts import LoginRefused, counted

STEP = 30  # seconds
DIGITS = 6
DRIFT = 1  # steps
SECRET_BYTES = 20  # as many as SHA-1 has, as RFC 4226 advises
CODES = 10  # recovery codes
CODE_BYTES = 10


def code_at(secret: str, step: int, digits: int = DIGITS) -> str:
    """The code of a step. secret: Base32."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    place = digest[-1] & 15
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: str, typed: str) -> int | None:
    """The step whose code was typed, if it is now or next to it."""
    current = int(time.time()) // STEP
    found = [
        step
        for step in range(current - DRIFT, current + DRIFT + 1)
        if hmac.compare_digest(code_at(secret, step).encode(), typed.encode())
    ]
    return found[-1] if found else None


def new_secret() -> str:
    """A secret for a phone, Base32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def address_for_phone(secret: str, name: str) -> str:
    """What the QR code says; authenticators show whose code it is."""
    return f"otpauth://totp/gliowatch:{quote(name, safe='')}?secret={secret}&issuer=gliowatch"


class NotOffered(LoginRefused):
    """No such secret waits for its first code."""

    def __init__(self) -> None:
        super().__init__(text("second_factor.wrong_code"))


async def confirm(records: Database, account_id: int, secret: str, typed: str) -> list[str]:
    """The recovery codes, if the phone has the secret that was offered; they are shown once.

    Raises LoginRefused, NotOffered.
    """
    factor = await find_factor(records, account_id)
    if factor is None or factor.is_on or not _are_same(secret, factor.secret):
        raise NotOffered
    step = step_of(factor.secret, _plain(typed))
    if step is None:
        raise LoginRefused(text("second_factor.wrong_code"))
    codes = [
        _spaced(base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()) for _ in range(CODES)
    ]
    hashes = [hash_of(_plain(code)) for code in codes]
    if not await turn_on(records, account_id, factor.secret, step, hashes):
        raise NotOffered
    return codes


class HalfLost(LoginRefused):
    """The first half of the login is too long ago, or was followed by a whole one."""

    def __init__(self) -> None:
        super().__init__(text("second_factor.too_late"))


async def log_in_with_code(records: Database, secret: str, typed: str, address: str) -> str:
    """The key of a new session, for who knew the password before. Raises LoginRefused, HalfLost.

    secret: of the half login.
    """
    half = await find_step(records, secret)
    account = await account_by_id(records, half.account_id) if half else None
    if half is None or account is None:
        raise HalfLost
    kind = await prove_code(records, account, typed, address)
    await end_step(records, secret)
    try:
        return await begin_session(
            records, account.account_id, half.checked, f"{half.how} and {kind}"
        )
    except Superseded:
        raise HalfLost from None


async def prove_code(records: Database, account: Account, typed: str, address: str) -> str:
    """Let pass who has the phone or a recovery code; which of them. Raises LoginRefused."""
    subjects = (f"code {account.account_id}", f"code address {address}")
    attempt = await counted(records, subjects)
    kind = await _taken(records, account.account_id, _plain(typed))
    if not kind:
        await note_failure(records, attempt)
        await note(records, account.name, Action.LOGIN_REFUSED, detail="code")
        raise LoginRefused(text("second_factor.wrong_code"))
    await forget_attempt(records, attempt, right=True)
    return kind


async def _taken(records: Database, account_id: int, typed: str) -> str:
    factor = await find_factor(records, account_id)
    if factor is None or not factor.is_on:
        return ""
    step = step_of(factor.secret, typed)
    if step is not None and await take_step(records, account_id, step):
        return "code"
    if await take_recovery_code(records, account_id, hash_of(typed)):
        return "recovery code"
    return ""


def _are_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _plain(typed: str) -> str:
    return "".join(typed.split()).replace("-", "").upper()[:100]


def _spaced(code: str) -> str:
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))
