"""Accounts of people whom the hospital's own login brings, in the records.

A person is the issuer and its word for that person, which it never gives to another; a name is
neither, and two issuers, or one after years, may give the same name to two people. Role and full
name are what the last login told. There is no password, no link and no token.
"""

import itertools
import sqlite3
from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.accounts import end_everything
from daemon.index.people.audit import Action, append
from daemon.permissions import Role


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


async def arrive(records: Database, person: Person, role: Role) -> int:
    """The account of this person, who has this role from now on.

    A new account, and another role, are noted.
    """
    async with records.transaction():
        known = await _known(records, person)
        if known is None:
            number, what = await _insert(records, person, role), "added"
        else:
            number, what = int(known["account_id"]), "role"
            await records.change(
                "UPDATE accounts SET role = ?, full_name = ? WHERE account_id = ?",
                (role, person.full_name, number),
            )
        if known is None or known["role"] != role:
            subject, detail = f"account {number}", f"{what} {role}"
            await append(records, person.way, Action.CHANGE, subject, detail)
        return number


async def turn_away(
    records: Database, person: Person, why: str, for_good: bool = False
) -> str | None:
    """End what a person has open; for_good: and the mails. The name, None for a stranger."""
    async with records.transaction():
        known = await _known(records, person)
        if known is None:
            return None
        await end_everything(records, known["account_id"])
        if for_good:
            gone = "DELETE FROM mail_addresses WHERE account_id = ?"
            await records.change(gone, (known["account_id"],))
        await append(records, known["name"], Action.LOGIN_REFUSED, detail=why)
        return str(known["name"])


async def _known(records: Database, person: Person) -> sqlite3.Row | None:
    return await records.row(
        "SELECT account_id, name, role FROM accounts WHERE issuer = ? AND subject = ?",
        (person.issuer, person.subject),
    )


async def _insert(records: Database, person: Person, role: Role) -> int:
    """With the first name that nobody has yet; a number tells people of one name apart."""
    for number in itertools.count(1):
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
            break
    assert row is not None, "some number is free"
    return int(row["account_id"])
