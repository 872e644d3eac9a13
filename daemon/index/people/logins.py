"""How people come in, in the records: links, sessions, failed attempts; secrets as hashes.

A session ends after `idle` seconds without a request, after `longest` in any case, when its
account is disabled or gets a new password, and when its owner logs out, here or everywhere.
"""

import contextlib
import secrets
import time
from dataclasses import dataclass

from daemon.index.database import Database, Locked
from daemon.index.people.accounts import (
    KEY_BYTES,
    Account,
    Superseded,
    account_by_id,
    end_everything,
    hash_of,
    keep_ours,
)
from daemon.index.people.audit import Action, append, changing
from daemon.permissions import Role

LONGEST_LINK = 24 * 3600.0  # seconds
AHEAD_SECONDS = 60.0  # what began later than now by more, began while the clock was wrong


async def reset_by_link(records: Database, account_id: int, seconds: float) -> str:
    """Take the password away; the secret of the link by which the person chooses another.

    Raises OfHospital.
    """
    async with changing(records):
        await records.change(
            "UPDATE accounts SET password_hash = '' WHERE account_id = ?", (account_id,)
        )
        await end_everything(records, account_id)
        return await _insert_link(records, account_id, seconds)


async def add_link(records: Database, account_id: int, seconds: float) -> str:
    """The secret of a new link for this account, good once and for so long; others of it end.

    Raises OfHospital.
    """
    async with changing(records):
        return await _insert_link(records, account_id, seconds)


async def _insert_link(records: Database, account_id: int, seconds: float) -> str:
    await keep_ours(records, account_id)
    secret, moment = secrets.token_urlsafe(KEY_BYTES), time.time()
    await records.change(
        "DELETE FROM login_links WHERE ends_at < ? OR account_id = ?", (moment, account_id)
    )
    await records.change(
        "INSERT INTO login_links VALUES (?, ?, ?)",
        (hash_of(secret), account_id, moment + min(seconds, LONGEST_LINK)),
    )
    return secret


async def use_link(records: Database, secret: str) -> Account | None:
    """Whom the link lets in, now and never again; None if it lets in nobody."""
    async with records.transaction():
        row = await records.row(
            "DELETE FROM login_links WHERE key_hash = ? RETURNING account_id, ends_at",
            (hash_of(secret),),
        )
        left = row["ends_at"] - time.time() if row else -1
        account = await account_by_id(records, row["account_id"]) if row else None
        if not 0 <= left <= LONGEST_LINK + AHEAD_SECONDS or not (account and account.enabled):
            return None
        return account


NOTE_SECONDS = 30.0  # a session's last request is noted no more often than this
MOST_OF_ACCOUNT = 20  # sessions; the oldest goes


@dataclass(frozen=True)
class Limits:
    """idle: seconds without a request; longest: seconds since the login."""

    idle: float
    longest: float


@dataclass(frozen=True)
class LoginSession:
    """One login. session_id: a short name that tells nothing of the key; csrf: for its forms."""

    session_id: str
    account_id: int
    name: str
    full_name: str
    role: Role
    csrf: str


async def begin_session(records: Database, account_id: int, checked: str, how: str = "") -> str:
    """A new session; its key, which goes into the cookie and is kept nowhere else.

    checked: the hash for which the password was right. how: what the audit tells of a login, in
    the same transaction. Raises Superseded.
    """
    async with records.transaction():
        account = await account_by_id(records, account_id)
        if account is None or not account.enabled or account.password_hash != checked:
            raise Superseded
        return await _insert_session(records, account, how)


async def _insert_session(records: Database, account: Account, how: str) -> str:
    key, moment = secrets.token_urlsafe(KEY_BYTES), time.time()
    number = account.account_id
    await records.change(
        "INSERT INTO login_sessions (key_hash, account_id, csrf, began, seen)"
        " VALUES (?, ?, ?, ?, ?)",
        (hash_of(key), number, secrets.token_urlsafe(KEY_BYTES), moment, moment),
    )
    await records.change(
        "DELETE FROM login_sessions WHERE account_id = ? AND key_hash NOT IN (SELECT key_hash"
        " FROM login_sessions WHERE account_id = ? ORDER BY began DESC, rowid DESC LIMIT ?)",
        (number, number, MOST_OF_ACCOUNT),
    )
    if how:
        await append(records, account.name, Action.LOGIN, detail=how)
    return key


async def find_session(
    records: Database, key: str, limits: Limits, is_activity: bool = True
) -> LoginSession | None:
    """The session of this key, if it may go on. is_activity: a person did something just now."""
    moment = time.time()
    row = await records.row(
        "SELECT s.key_hash, s.seen, s.csrf, a.account_id, a.name, a.full_name, a.role"
        " FROM login_sessions s JOIN accounts a USING (account_id)"
        " WHERE s.key_hash = ? AND a.enabled AND s.seen BETWEEN ? AND ?"
        " AND s.began BETWEEN ? AND ?",
        (hash_of(key), *_within(moment, limits.idle), *_within(moment, limits.longest)),
    )
    if row is None:
        return None
    if is_activity and moment - row["seen"] > min(NOTE_SECONDS, limits.idle / 10):
        with contextlib.suppress(Locked):  # it is noted with the next request
            async with records.transaction():
                await records.change(
                    "UPDATE login_sessions SET seen = max(seen, ?) WHERE key_hash = ?",
                    (moment, row["key_hash"]),
                )
    who = (row["account_id"], row["name"], row["full_name"], Role(row["role"]))
    return LoginSession(session_id_of(key), *who, row["csrf"])


def session_id_of(key: str) -> str:
    """The short name of the session of this key, which tells nothing of the key."""
    return hash_of(key)[:16]


async def end_session(records: Database, key: str) -> None:
    """Log out here."""
    async with changing(records):
        await records.change("DELETE FROM login_sessions WHERE key_hash = ?", (hash_of(key),))


def _within(moment: float, seconds: float) -> tuple[float, float]:
    """From when to when something has begun that has not ended: never much after now."""
    return moment - seconds, moment + AHEAD_SECONDS


async def sweep_sessions(records: Database, limits: Limits) -> None:
    """Take away those that have ended by themselves."""
    moment = time.time()
    async with records.transaction():
        await records.change(
            "DELETE FROM login_sessions WHERE seen NOT BETWEEN ? AND ?"
            " OR began NOT BETWEEN ? AND ?",
            (*_within(moment, limits.idle), *_within(moment, limits.longest)),
        )


REMEMBERED_SECONDS = 15 * 60.0
FREE_FAILURES = 5  # within that time, without any wait
LONGEST_WAIT = 60.0  # seconds after the last failure; more would let anybody lock others out


@dataclass(frozen=True)
class Attempt:
    """One attempt to log in. wait: seconds until the next one counts; 0 if this one does."""

    subjects: tuple[str, ...]
    at: float
    wait: float


async def count_attempt(records: Database, subjects: tuple[str, ...]) -> Attempt:
    """Count an attempt as failed before it is looked at, in the transaction that allows it.

    So those who ask at once are no better off. subjects: account and address, say. What the clock
    tells to come later than now was noted while it was wrong, and is forgotten.
    """
    marks = ", ".join("?" * len(subjects))
    async with records.transaction():
        moment = time.time()
        await records.change(
            "DELETE FROM login_failures WHERE at NOT BETWEEN ? AND ?",
            (moment - REMEMBERED_SECONDS, moment),
        )
        rows = await records.rows(
            "SELECT count(*) AS failures, max(at) AS latest FROM login_failures"
            f" WHERE subject IN ({marks}) GROUP BY subject",
            subjects,
        )
        waits = (row["latest"] + _wait(row["failures"]) - moment for row in rows)
        attempt = Attempt(subjects, moment, max(0.0, *waits, 0.0))
        if not attempt.wait:
            await records.change_many(
                "INSERT INTO login_failures (subject, at) VALUES (?, ?)",
                [(subject, moment) for subject in subjects],
            )
    return attempt


async def note_failure(records: Database, attempt: Attempt) -> None:
    """It has failed only now: to look at a password takes time, and the wait counts from here."""
    async with records.transaction():
        await records.change_many(
            "UPDATE login_failures SET at = ? WHERE subject = ? AND at = ?",
            [(time.time(), subject, attempt.at) for subject in attempt.subjects],
        )


async def forget_attempt(records: Database, attempt: Attempt, right: bool) -> None:
    """It was no failure; if it was right, the failures of its first subject are over too."""
    async with records.transaction():
        await records.change_many(
            "DELETE FROM login_failures WHERE subject = ? AND at = ?",
            [(subject, attempt.at) for subject in attempt.subjects],
        )
        if right:
            await records.change(
                "DELETE FROM login_failures WHERE subject = ?", (attempt.subjects[0],)
            )


def _wait(failures: int) -> float:
    """1, 2, 4 … seconds from the failure after the free ones on."""
    return min(2.0 ** (failures - FREE_FAILURES), LONGEST_WAIT) if failures >= FREE_FAILURES else 0
