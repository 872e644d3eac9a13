"""Who comes in by the hospital's own login: which role, which account, and what is refused."""

from daemon.index.database import Database
from daemon.index.people.accounts import Superseded
from daemon.index.people.audit import Action, note
from daemon.index.people.hospital_accounts import Person, arrive, turn_away
from daemon.index.people.logins import begin_session
from daemon.outputs.catalogue import text
from daemon.permissions import Role
from daemon.records.accounts import NOBODY, LoginRefused

LONGEST = 60  # characters of a name that the hospital tells


def plain_name(told: object) -> str:
    """A name as it can stand on a page and in the audit; '' for none.

    No line ends, no letters that turn the order of others, no blanks in a row, 60 characters.
    """
    typed = told if isinstance(told, str) else ""
    kept = "".join(letter if letter.isprintable() else " " for letter in typed)
    return " ".join(kept.split())[:LONGEST].strip()


async def come_in(records: Database, person: Person, role: Role | None, way: str) -> str:
    """The key of a new session of this person. Raises LoginRefused.

    role: None for who is in no group of ours: what that person had open ends. way: for people.
    """
    if role is None:
        why = f"{person.way}: no role"
        if await turn_away(records, person, why, for_good=True) is None:
            await note(records, NOBODY, Action.LOGIN_REFUSED, detail=why)
        raise LoginRefused(text("hospital_login.no_role", way=way))
    number = await arrive(records, person, role)
    try:
        return await begin_session(records, number, "", person.way)
    except Superseded:
        await turn_away(records, person, f"{person.way}: disabled")
        raise LoginRefused(text("hospital_login.disabled")) from None
