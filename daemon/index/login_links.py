"""Links that let in once, in the records: how a demo or a new account begins without a password."""

import secrets
import time

from daemon.index.accounts import Account, account_by_id
from daemon.index.database import Database
from daemon.index.login_sessions import hash_of

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
