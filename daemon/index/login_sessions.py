"""Sessions of the viewer, in the records: opaque keys of which only hashes are kept.

A session ends after `idle` seconds without a request, after `longest` in any case, when its
account is disabled or gets a new password, and when its owner logs out, here or everywhere.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass

from daemon.index.database import Database
from daemon.roles import Role

KEY_BYTES = 32
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


async def begin_session(records: Database, account_id: int) -> str:
    """A new session; its key, which goes into the cookie and is kept nowhere else."""
    key = secrets.token_urlsafe(KEY_BYTES)
    moment = time.time()
    async with records.transaction():
        await records.change(
            "INSERT INTO login_sessions (key_hash, account_id, csrf, began, seen)"
            " VALUES (?, ?, ?, ?, ?)",
            (hash_of(key), account_id, secrets.token_urlsafe(KEY_BYTES), moment, moment),
        )
        await records.change(
            "DELETE FROM login_sessions WHERE account_id = ? AND key_hash NOT IN (SELECT key_hash"
            " FROM login_sessions WHERE account_id = ? ORDER BY began DESC, rowid DESC LIMIT ?)",
            (account_id, account_id, MOST_OF_ACCOUNT),
        )
    return key


async def find_session(
    records: Database, key: str, limits: Limits, is_activity: bool = True
) -> LoginSession | None:
    """The session of this key, if it may go on. is_activity: a person did something just now."""
    moment = time.time()
    row = await records.row(
        "SELECT s.key_hash, s.seen, s.csrf, a.account_id, a.name, a.full_name, a.role"
        " FROM login_sessions s JOIN accounts a USING (account_id)"
        " WHERE s.key_hash = ? AND a.enabled AND s.seen >= ? AND s.began >= ?",
        (hash_of(key), moment - limits.idle, moment - limits.longest),
    )
    if row is None:
        return None
    if is_activity and moment - row["seen"] > min(NOTE_SECONDS, limits.idle / 10):
        async with records.transaction():
            await records.change(
                "UPDATE login_sessions SET seen = max(seen, ?) WHERE key_hash = ?",
                (moment, row["key_hash"]),
            )
    who = (row["account_id"], row["name"], row["full_name"], Role(row["role"]))
    return LoginSession(row["key_hash"][:16], *who, row["csrf"])


async def end_session(records: Database, key: str) -> None:
    """Log out here."""
    async with records.transaction():
        await records.change("DELETE FROM login_sessions WHERE key_hash = ?", (hash_of(key),))


async def end_sessions_of(records: Database, account_id: int) -> int:
    """Log out everywhere; how many sessions it were."""
    async with records.transaction():
        return await records.change(
            "DELETE FROM login_sessions WHERE account_id = ?", (account_id,)
        )


async def sweep_sessions(records: Database, limits: Limits) -> None:
    """Take away those that have ended by themselves."""
    moment = time.time()
    async with records.transaction():
        await records.change(
            "DELETE FROM login_sessions WHERE seen < ? OR began < ?",
            (moment - limits.idle, moment - limits.longest),
        )


def hash_of(key: str) -> str:
    """What is kept of a secret that is random already: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
