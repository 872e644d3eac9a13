"""Accounts of the viewer, in the records; disabled, never deleted, since the audit names them."""

import sqlite3
from dataclasses import dataclass, field

from daemon.index.database import Database, now
from daemon.roles import Role


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
    """Let an account in, or no longer: then its sessions and its tokens end at once."""
    async with records.transaction():
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
    """Another role, from the next request on."""
    async with records.transaction():
        await records.change(
            "UPDATE accounts SET role = ? WHERE account_id = ?", (role, account_id)
        )


async def _end_all(records: Database, account_id: int) -> None:
    await records.change("DELETE FROM login_sessions WHERE account_id = ?", (account_id,))


def _account(row: sqlite3.Row) -> Account:
    return Account(
        row["account_id"],
        row["name"],
        row["full_name"],
        Role(row["role"]),
        bool(row["enabled"]),
        row["created_at"],
        row["password_hash"],
    )
