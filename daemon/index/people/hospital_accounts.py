"""Accounts of people whom the hospital's own login brings, in the records.

A person is the issuer and its word for that person, which it never gives to another; a name is
neither, and two issuers, or one after years, may give the same name to two people. Role and full
name are what the last login told. There is no password, no link and no token.
"""

from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.accounts import end_everything
from daemon.index.people.audit import Action, append
from daemon.permissions import Role

MOST_OF_ONE_NAME = 1000


@dataclass(frozen=True)
class Person:
    """Who came, as the hospital's login tells it.

    name: by which people know the account; way: the name of the way in, which follows it.
    """

    issuer: str
    subject: str
    name: str
    full_name: str
    way: str


async def arrive(records: Database, person: Person, role: Role) -> int | None:
    """The account of this person, who has this role from now on; None for one that is disabled."""
    async with records.transaction():
        known = await _known(records, person)
        if known is None:
            return await _insert(records, person, role)
        number, enabled = known
        await records.change(
            "UPDATE accounts SET role = ?, full_name = ? WHERE account_id = ?",
            (role, person.full_name, number),
        )
        return number if enabled else None


async def turn_away(records: Database, person: Person, why: str) -> str | None:
    """End all sessions of who has no role any more, and note it; the name, None for a stranger."""
    async with records.transaction():
        known = await _known(records, person)
        if known is None:
            return None
        await end_everything(records, known[0])
        row = await records.row("SELECT name FROM accounts WHERE account_id = ?", (known[0],))
        assert row is not None, "it was found just now"
        await append(records, row["name"], Action.LOGIN_REFUSED, detail=why)
        return str(row["name"])


async def _known(records: Database, person: Person) -> tuple[int, bool] | None:
    row = await records.row(
        "SELECT account_id, enabled FROM accounts WHERE issuer = ? AND subject = ?",
        (person.issuer, person.subject),
    )
    return (row["account_id"], bool(row["enabled"])) if row else None


async def _insert(records: Database, person: Person, role: Role) -> int | None:
    """With the first name that nobody has yet; a number tells people of one name apart."""
    for number in range(1, MOST_OF_ONE_NAME + 1):
        name = f"{person.name} {number}" if number > 1 else person.name
        row = await records.row(
            "INSERT OR IGNORE INTO accounts"
            " (name, full_name, role, password_hash, created_at, issuer, subject)"
            " VALUES (?, ?, ?, '', ?, ?, ?) RETURNING account_id",
            (
                *(f"{name} ({person.way})", person.full_name, role, now()),
                *(person.issuer, person.subject),
            ),
        )
        if row is not None:
            return int(row["account_id"])
    return None
