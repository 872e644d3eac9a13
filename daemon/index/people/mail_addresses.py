"""Mail addresses of accounts, in the records: where they are told what happens."""

from daemon.index.database import Database
from daemon.index.people.audit import changing
from daemon.permissions import Role


async def set_mail_address(records: Database, account_id: int, address: str) -> None:
    """The address of an account from now on; '' takes it away."""
    async with changing(records):
        if address:
            await records.change(
                "INSERT INTO mail_addresses VALUES (?, ?)"
                " ON CONFLICT (account_id) DO UPDATE SET address = excluded.address",
                (account_id, address),
            )
        else:
            await records.change("DELETE FROM mail_addresses WHERE account_id = ?", (account_id,))


async def mail_addresses(records: Database) -> list[tuple[str, str]]:
    """(account, address) of all that have one, by name."""
    rows = await records.rows(
        "SELECT name, address FROM mail_addresses JOIN accounts USING (account_id) ORDER BY name"
    )
    return [(row["name"], row["address"]) for row in rows]


async def addresses_of_role(records: Database, role: Role) -> list[str]:
    """Of the accounts of a role that may log in."""
    rows = await records.rows(
        "SELECT DISTINCT address FROM mail_addresses JOIN accounts USING (account_id)"
        " WHERE role = ? AND enabled ORDER BY address",
        (role,),
    )
    return [row["address"] for row in rows]
