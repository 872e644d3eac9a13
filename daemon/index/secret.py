"""Secrets of this site, in the records: made once by chance, and the same ever after."""

import secrets

from daemon.index.database import Database

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
