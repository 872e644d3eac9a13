"""Second factors in the records: the secret, recovery codes, what was taken, who owes one.

A code is taken in the transaction that looks whether it, or a later one, was taken before.
"""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.index.database import Database
from daemon.index.people.accounts import KEY_BYTES, hash_of
from daemon.index.people.audit import changing

AHEAD_STEPS = 10  # codes' steps; a clock that is right is never so far behind the last code
STEP_SECONDS = 300.0  # in which the code must follow the password


@dataclass(frozen=True)
class Factor:
    """The second factor of an account. secret: Base32; codes_left: recovery codes."""

    secret: str
    is_on: bool
    codes_left: int


async def find_factor(records: Database, account_id: int) -> Factor | None:
    """That of an account, also one that was only begun; None if there is none."""
    row = await records.row(
        "SELECT secret, is_on, (SELECT count(*) FROM recovery_codes c"
        " WHERE c.account_id = f.account_id) AS left FROM second_factors f WHERE account_id = ?",
        (account_id,),
    )
    return Factor(row["secret"], bool(row["is_on"]), row["left"]) if row else None


async def accounts_with_factor(records: Database) -> frozenset[int]:
    """The accounts that need a code."""
    rows = await records.rows("SELECT account_id FROM second_factors WHERE is_on")
    return frozenset(row["account_id"] for row in rows)


async def offer_factor(records: Database, account_id: int, secret: str) -> bool:
    """Keep a secret that was just made, in place of one that no code has proven; False if one is
    on already."""
    async with changing(records):
        row = await records.row(
            "INSERT INTO second_factors VALUES (?1, ?2, 0, 0) ON CONFLICT DO UPDATE"
            " SET secret = ?2 WHERE NOT is_on RETURNING account_id",
            (account_id, secret),
        )
    return row is not None


async def turn_on(
    records: Database, account_id: int, secret: str, step: int, code_hashes: Iterable[str]
) -> bool:
    """A code of this secret was right: from now on one is asked for. False if it is not offered."""
    async with changing(records):
        changed = await records.change(
            "UPDATE second_factors SET is_on = 1, last_step = ?"
            " WHERE account_id = ? AND secret = ? AND NOT is_on",
            (step, account_id, secret),
        )
        if changed:
            await records.change_many(
                "INSERT INTO recovery_codes VALUES (?, ?)",
                [(each, account_id) for each in code_hashes],
            )
    return changed > 0


async def turn_off(records: Database, account_id: int) -> bool:
    """The password alone lets in again, and no recovery code counts; False if it was so."""
    async with changing(records):
        await records.change("DELETE FROM recovery_codes WHERE account_id = ?", (account_id,))
        return (
            await records.change("DELETE FROM second_factors WHERE account_id = ?", (account_id,))
            > 0
        )


async def take_step(records: Database, account_id: int, step: int) -> bool:
    """Whether a code of this step counts: none does twice, nor after a later one.

    A step far ahead was taken while the clock was wrong, and does not keep the owner out.
    """
    async with records.transaction():
        changed = await records.change(
            "UPDATE second_factors SET last_step = ?1"
            " WHERE account_id = ?2 AND is_on AND last_step NOT BETWEEN ?1 AND ?1 + ?3",
            (step, account_id, AHEAD_STEPS),
        )
    return changed > 0


async def take_recovery_code(records: Database, account_id: int, code_hash: str) -> bool:
    """Whether it was one of this account; from now on it is none."""
    async with records.transaction():
        changed = await records.change(
            "DELETE FROM recovery_codes WHERE code_hash = ? AND account_id = ?",
            (code_hash, account_id),
        )
    return changed > 0


@dataclass(frozen=True)
class LoginStep:
    """Half a login. checked: the password's hash by then; how: by what it began."""

    account_id: int
    checked: str
    how: str


async def begin_step(records: Database, half: LoginStep) -> str:
    """The secret by which half a login goes on, for five minutes."""
    secret, moment = secrets.token_urlsafe(KEY_BYTES), time.time()
    async with records.transaction():
        await records.change("DELETE FROM login_steps WHERE ends_at < ?", (moment,))
        await records.change(
            "INSERT INTO login_steps VALUES (?, ?, ?, ?, ?)",
            (
                *(hash_of(secret), half.account_id, half.checked, half.how),
                moment + STEP_SECONDS,
            ),
        )
    return secret


async def find_step(records: Database, secret: str) -> LoginStep | None:
    """The half login of this secret, if it may go on."""
    moment = time.time()
    row = await records.row(
        "SELECT account_id, checked, how FROM login_steps"
        " WHERE key_hash = ? AND ends_at BETWEEN ? AND ?",
        (hash_of(secret), moment, moment + STEP_SECONDS),
    )
    return LoginStep(row["account_id"], row["checked"], row["how"]) if row else None


async def end_step(records: Database, secret: str) -> None:
    """It was gone on with."""
    async with records.transaction():
        await records.change("DELETE FROM login_steps WHERE key_hash = ?", (hash_of(secret),))
