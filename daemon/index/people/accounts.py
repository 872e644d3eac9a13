"""Accounts, login links, sessions, API tokens, failed logins, secrets: in the records, as hashes.

A session ends after `idle` seconds without a request, after `longest` in any case, when its
account is disabled or gets a new password, and when its owner logs out, here or everywhere.
"""

import hashlib
import secrets
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import date

from daemon.index.database import Database, now
from daemon.permissions import Role, roles_up_to
from model.errors import GliowatchError


class LastAdmin(GliowatchError):
    """The only admin who can log in would be none any more."""


@dataclass(frozen=True)
class Account:
    """Who may log in. name: what is typed at the login; full_name: what reviews are signed with."""

    account_id: int
    name: str
    full_name: str
    role: Role
    enabled: bool
    created_at: str
    password_hash: str = field(default="", repr=False)  # argon2id; "" = none yet


COLUMNS = "account_id, name, full_name, role, enabled, created_at, password_hash"


async def add_account(
    records: Database, name: str, full_name: str, role: Role, password_hash: str
) -> Account | None:
    """Enter an account; None if the name is taken, in capitals or not."""
    async with records.transaction():
        row = await records.row(
            "INSERT OR IGNORE INTO accounts (name, full_name, role, password_hash, created_at)"
            f" VALUES (?, ?, ?, ?, ?) RETURNING {COLUMNS}",
            (name, full_name, role, password_hash, now()),
        )
    return _account(row) if row else None


async def find_account(records: Database, name: str) -> Account | None:
    """The account with this name, in capitals or not, or None."""
    row = await records.row(f"SELECT {COLUMNS} FROM accounts WHERE name = ?", (name,))
    return _account(row) if row else None


async def account_by_id(records: Database, account_id: int) -> Account | None:
    """The account with this number, or None."""
    row = await records.row(f"SELECT {COLUMNS} FROM accounts WHERE account_id = ?", (account_id,))
    return _account(row) if row else None


async def list_accounts(records: Database, limit: int = 1000) -> list[Account]:
    """All accounts by name, at most `limit`."""
    rows = await records.rows(f"SELECT {COLUMNS} FROM accounts ORDER BY name LIMIT ?", (limit,))
    return [_account(row) for row in rows]


async def set_password(records: Database, account_id: int, password_hash: str) -> None:
    """A new password; whoever is logged in with the old one is logged out."""
    async with records.transaction():
        await records.change(
            "UPDATE accounts SET password_hash = ? WHERE account_id = ?",
            (password_hash, account_id),
        )
        await _end_all(records, account_id)


async def set_enabled(records: Database, account_id: int, enabled: bool) -> None:
    """Let an account in, or no longer: then its sessions and its tokens end at once.

    Raises LastAdmin.
    """
    async with records.transaction():
        if not enabled:
            await _keep_an_admin(records, account_id)
        await records.change(
            "UPDATE accounts SET enabled = ? WHERE account_id = ?", (enabled, account_id)
        )
        if not enabled:
            await _end_all(records, account_id)
            await records.change(
                "UPDATE api_tokens SET revoked_at = ? WHERE account_id = ? AND revoked_at IS NULL",
                (now(), account_id),
            )


async def set_role(records: Database, account_id: int, role: Role) -> None:
    """Another role, from the next request on. Raises LastAdmin."""
    async with records.transaction():
        if role is not Role.ADMIN:
            await _keep_an_admin(records, account_id)
        await records.change(
            "UPDATE accounts SET role = ? WHERE account_id = ?", (role, account_id)
        )


async def _keep_an_admin(records: Database, account_id: int) -> None:
    """Inside the transaction, so that two admins cannot shut each other out. Raises LastAdmin."""
    admins = await records.rows(
        "SELECT account_id FROM accounts WHERE role = ? AND enabled LIMIT 2", (Role.ADMIN,)
    )
    if [row["account_id"] for row in admins] == [account_id]:
        raise LastAdmin(
            "This is the last admin, so nothing was changed: make another account an admin first."
        )


async def _end_all(records: Database, account_id: int) -> None:
    await records.change("DELETE FROM login_sessions WHERE account_id = ?", (account_id,))


def _account(row: sqlite3.Row) -> Account:
    return Account(
        account_id=row["account_id"],
        name=row["name"],
        full_name=row["full_name"],
        role=Role(row["role"]),
        enabled=bool(row["enabled"]),
        created_at=row["created_at"],
        password_hash=row["password_hash"],
    )


KEY_BYTES = 32


async def add_link(records: Database, account_id: int, seconds: float) -> str:
    """The secret of a new link for this account, good once and for so long."""
    secret = secrets.token_urlsafe(KEY_BYTES)
    async with records.transaction():
        await records.change("DELETE FROM login_links WHERE ends_at < ?", (time.time(),))
        await records.change(
            "INSERT INTO login_links VALUES (?, ?, ?)",
            (hash_of(secret), account_id, time.time() + seconds),
        )
    return secret


async def use_link(records: Database, secret: str) -> Account | None:
    """The account that a link lets in, now and never again; None if it does not."""
    async with records.transaction():
        row = await records.row(
            "DELETE FROM login_links WHERE key_hash = ? RETURNING account_id, ends_at",
            (hash_of(secret),),
        )
        if row is None or row["ends_at"] < time.time():
            return None
        account = await account_by_id(records, row["account_id"])
    return account if account and account.enabled else None


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


REMEMBERED_SECONDS = 15 * 60.0
FREE_FAILURES = 5  # within that time, without any wait
LONGEST_WAIT = 60.0  # seconds after the last failure; more would let anybody lock others out


async def seconds_to_wait(records: Database, subjects: tuple[str, ...]) -> float:
    """How long until the next login is looked at; 0 if at once. subjects: account and address."""
    moment = time.time()
    marks = ", ".join("?" * len(subjects))
    rows = await records.rows(
        "SELECT count(*) AS failures, max(at) AS latest FROM login_failures"
        f" WHERE subject IN ({marks}) AND at > ? GROUP BY subject",
        (*subjects, moment - REMEMBERED_SECONDS),
    )
    return max((row["latest"] + _wait(row["failures"]) - moment for row in rows), default=0.0)


async def note_failure(records: Database, subjects: tuple[str, ...]) -> None:
    """Count a failed login against each subject, and forget the old ones of all."""
    moment = time.time()
    async with records.transaction():
        await records.change(
            "DELETE FROM login_failures WHERE at <= ?", (moment - REMEMBERED_SECONDS,)
        )
        await records.change_many(
            "INSERT INTO login_failures (subject, at) VALUES (?, ?)",
            [(subject, moment) for subject in subjects],
        )


async def forget_failures(records: Database, subject: str) -> None:
    """A login succeeded."""
    async with records.transaction():
        await records.change("DELETE FROM login_failures WHERE subject = ?", (subject,))


def _wait(failures: int) -> float:
    """1, 2, 4 … seconds from the failure after the free ones on."""
    return min(2.0 ** (failures - FREE_FAILURES), LONGEST_WAIT) if failures >= FREE_FAILURES else 0


PREFIX = "glw_"  # so that one that leaks into a text is found by those who look for such


@dataclass(frozen=True)
class ApiToken:
    """A token without its secret. ends_on: the last day on which it counts, ISO 8601."""

    token_id: int
    account: str
    label: str
    role: Role
    ends_on: str
    revoked: bool


@dataclass(frozen=True)
class Bearer:
    """Who asks with a token. role: the token's, but no more than its account may do by now."""

    token_id: int
    account_id: int
    account: str
    full_name: str
    role: Role


async def add_token(
    records: Database, account_id: int, label: str, role: Role, ends_on: date
) -> str:
    """A new token; its secret, which is shown once and kept nowhere."""
    secret = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    async with records.transaction():
        await records.change(
            "INSERT INTO api_tokens (token_hash, account_id, label, role, ends_on, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (hash_of(secret), account_id, label, role, ends_on.isoformat(), now()),
        )
    return secret


async def find_bearer(records: Database, secret: str, today: date) -> Bearer | None:
    """Whose token this is, if it still counts and its account is enabled."""
    row = await records.row(
        "SELECT t.token_id, t.account_id, a.name, a.full_name, t.role, a.role AS own"
        " FROM api_tokens t JOIN accounts a USING (account_id)"
        " WHERE t.token_hash = ? AND t.ends_on >= ? AND t.revoked_at IS NULL AND a.enabled",
        (hash_of(secret), today.isoformat()),
    )
    if row is None:
        return None
    token_id, account_id, account, full_name, role, own = row
    used = role if role in roles_up_to(Role(own)) else own
    return Bearer(token_id, account_id, account, full_name, Role(used))


async def tokens_of(records: Database, account_id: int, limit: int = 200) -> list[ApiToken]:
    """The tokens of an account, newest first."""
    rows = await records.rows(
        f"{_TOKENS} WHERE t.account_id = ? ORDER BY t.token_id DESC LIMIT ?", (account_id, limit)
    )
    return [_token(row) for row in rows]


async def revoke_token(records: Database, token_id: int) -> bool:
    """Let a token count no longer; False if it was so already, or there is none."""
    async with records.transaction():
        changed = await records.change(
            "UPDATE api_tokens SET revoked_at = ? WHERE token_id = ? AND revoked_at IS NULL",
            (now(), token_id),
        )
    return changed > 0


_TOKENS = (
    "SELECT t.token_id, a.name, t.label, t.role, t.ends_on, t.revoked_at IS NOT NULL AS revoked"
    " FROM api_tokens t JOIN accounts a USING (account_id)"
)


def _token(row: sqlite3.Row) -> ApiToken:
    token_id, account, label, role, ends_on, revoked = row
    return ApiToken(
        token_id=token_id,
        account=account,
        label=label,
        role=Role(role),
        ends_on=ends_on,
        revoked=bool(revoked),
    )


BYTES = 32


async def kept_secret(records: Database, name: str) -> bytes:
    """The secret of that name; it is made when it is asked for the first time."""
    async with records.transaction():
        await records.change(
            "INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, secrets.token_hex(BYTES))
        )
    row = await records.row("SELECT value FROM secrets WHERE name = ?", (name,))
    assert row is not None, "it was made just now, or before"
    return bytes.fromhex(row["value"])
