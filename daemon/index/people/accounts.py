"""Accounts, API tokens and other secrets, in the records, as hashes.

What ends all sessions of an account ends its tokens and its links too: a new password, a reset,
"log out everywhere", and being disabled.
"""

import hashlib
import secrets
import sqlite3
from dataclasses import dataclass, field
from datetime import date

from daemon.index.database import Database, now
from daemon.index.people.audit import changing
from daemon.outputs.catalogue import text
from daemon.permissions import Role, roles_up_to
from model.errors import GliowatchError


class Superseded(GliowatchError):
    """The password that was right is another by now, or its account is disabled."""

    def __init__(self) -> None:
        super().__init__(text("account_fault.superseded"))


class LastAdmin(GliowatchError):
    """The only admin who can log in would be none any more."""


class OfHospital(GliowatchError):
    """What the hospital's own login decides about an account is not changed here."""

    def __init__(self) -> None:
        super().__init__(text("account_fault.of_hospital"))


@dataclass(frozen=True)
class Account:
    """Who may log in. name: what is typed at the login; full_name: what reviews are signed with.

    issuer: '' = an account of ours, else who tells that it is this person (`hospital_accounts`).
    """

    account_id: int
    name: str
    full_name: str
    role: Role
    enabled: bool
    created_at: str
    password_hash: str = field(default="", repr=False)  # argon2id; "" = none yet
    issuer: str = ""


COLUMNS = "account_id, name, full_name, role, enabled, created_at, password_hash, issuer"


async def add_account(
    records: Database, name: str, full_name: str, role: Role, password_hash: str
) -> Account | None:
    """Enter an account; None if the name is taken, in capitals or not."""
    async with changing(records):
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


async def set_password(
    records: Database, account_id: int, password_hash: str, checked: str | None = None
) -> None:
    """A new password; whatever lets in by what was before ends.

    checked: the hash for which the password was right. Raises Superseded, OfHospital.
    """
    async with changing(records):
        await keep_ours(records, account_id)
        changed = await records.change(
            "UPDATE accounts SET password_hash = ?1 WHERE account_id = ?2"
            " AND password_hash = coalesce(?3, password_hash)",
            (password_hash, account_id, checked),
        )
        if not changed:
            raise Superseded
        await end_everything(records, account_id)


async def set_enabled(records: Database, account_id: int, enabled: bool) -> None:
    """Let an account in, or no longer: then its sessions, tokens and links end at once.

    Raises LastAdmin.
    """
    async with changing(records):
        if not enabled:
            await _keep_an_admin(records, account_id)
        await records.change(
            "UPDATE accounts SET enabled = ? WHERE account_id = ?", (enabled, account_id)
        )
        if not enabled:
            await end_everything(records, account_id)


async def set_role(records: Database, account_id: int, role: Role) -> None:
    """Another role, from the next request on. Raises LastAdmin, OfHospital."""
    async with changing(records):
        await keep_ours(records, account_id)
        if role is not Role.ADMIN:
            await _keep_an_admin(records, account_id)
        await records.change(
            "UPDATE accounts SET role = ? WHERE account_id = ?", (role, account_id)
        )


async def keep_ours(records: Database, account_id: int) -> None:
    """Inside the transaction of a change that an account of the hospital cannot have.

    Raises OfHospital.
    """
    account = await account_by_id(records, account_id)
    if account is not None and account.issuer:
        raise OfHospital


async def _keep_an_admin(records: Database, account_id: int) -> None:
    """Inside the transaction, so that two admins cannot shut each other out. Raises LastAdmin.

    Admins of the hospital do not count: they cannot come in while its login is away.
    """
    admins = await records.rows(
        "SELECT account_id FROM accounts WHERE role = ? AND enabled AND issuer = '' LIMIT 2",
        (Role.ADMIN,),
    )
    if [row["account_id"] for row in admins] == [account_id]:
        raise LastAdmin(
            "This is the last admin, so nothing was changed: make another account an admin first."
        )


async def end_everything(records: Database, account_id: int) -> int:
    """Sessions, links and tokens, inside a transaction; how many sessions it were."""
    await records.change(
        "UPDATE api_tokens SET revoked_at = ? WHERE account_id = ? AND revoked_at IS NULL",
        (now(), account_id),
    )
    for unused in ("login_links", "login_steps"):
        await records.change(f"DELETE FROM {unused} WHERE account_id = ?", (account_id,))
    return await records.change("DELETE FROM login_sessions WHERE account_id = ?", (account_id,))


async def end_all_of(records: Database, account_id: int) -> int:
    """Log out everywhere: sessions, tokens and links; how many sessions it were."""
    async with changing(records):
        return await end_everything(records, account_id)


def _account(row: sqlite3.Row) -> Account:
    return Account(
        account_id=row["account_id"],
        name=row["name"],
        full_name=row["full_name"],
        role=Role(row["role"]),
        enabled=bool(row["enabled"]),
        created_at=row["created_at"],
        password_hash=row["password_hash"],
        issuer=row["issuer"],
    )


KEY_BYTES = 32
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
    records: Database, account_id: int, label: str, role: Role, ends_on: date, checked: str
) -> str:
    """A new token; its secret, which is shown once and kept nowhere.

    checked: the hash for which the password was right. Raises Superseded.
    """
    secret = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    async with changing(records):
        row = await records.row(
            "INSERT INTO api_tokens (token_hash, account_id, label, role, ends_on, created_at)"
            " SELECT ?, account_id, ?, ?, ?, ? FROM accounts"
            " WHERE account_id = ? AND enabled AND password_hash = ? RETURNING token_id",
            (hash_of(secret), label, role, ends_on.isoformat(), now(), account_id, checked),
        )
        if row is None:
            raise Superseded
    return secret


def hash_of(key: str) -> str:
    """What is kept of a secret that is random already: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


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
    async with changing(records):
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
