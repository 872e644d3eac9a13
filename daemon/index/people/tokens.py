"""Tokens of the API and secrets of this site, in the records; of tokens only hashes."""

import secrets
import sqlite3
from dataclasses import dataclass
from datetime import date

from daemon.index.database import Database, now
from daemon.index.people.accounts import hash_of
from daemon.permissions import Role, roles_up_to

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
