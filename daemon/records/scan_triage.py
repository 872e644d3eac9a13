"""Labels on scans, and who is to look at them: the rules of what people say in the worklist."""

from collections.abc import Iterable

from daemon.index.database import Database
from daemon.index.people.accounts import Account, account_by_id, list_accounts
from daemon.index.people.triage.assignees import set_assignee
from daemon.index.people.triage.scan_labels import MOST_LABELS, put_label, remove_label
from daemon.index.worklist_rows import listed_scans, touch_rows
from daemon.outputs.catalogue import text
from daemon.permissions import Right, may
from model.errors import GliowatchError

LONGEST_LABEL = 30  # characters


class CannotTriage(GliowatchError):
    """It cannot be noted; the sentence says why."""


async def put_on(
    index: Database, records: Database, scan_ids: Iterable[str], name: str, who: str
) -> int:
    """Put a label on scans; on how many it was not yet. Raises CannotTriage."""
    scans = await listed_scans(index, scan_ids)
    changed = await put_label(records, scans, plain_label(name), who) if scans else []
    if changed is None:
        raise CannotTriage(text("label_scans.too_many", most=MOST_LABELS))
    await touch_rows(index, changed)
    return len(changed)


async def take_off(
    index: Database, records: Database, scan_ids: Iterable[str], name: str, who: str
) -> int:
    """Take a label off scans; off how many it was. Raises CannotTriage."""
    changed = await remove_label(records, scan_ids, plain_label(name), who)
    await touch_rows(index, changed)
    return len(changed)


def plain_label(name: str) -> str:
    """A label as it is kept. Raises CannotTriage."""
    plain = " ".join(name.split())
    if not plain or len(plain) > LONGEST_LABEL or not plain.isprintable():
        raise CannotTriage(text("label_scans.no_name", most=LONGEST_LABEL))
    return plain


async def assign(
    index: Database, records: Database, scan_ids: Iterable[str], account_id: int, who: str
) -> int:
    """Assign scans to an account, or to nobody (0); of how many that is a change.

    Raises CannotTriage for an account that may not review.
    """
    if account_id:
        account = await account_by_id(records, account_id)
        if account is None or not _may_read(account):
            raise CannotTriage(text("assign_scans.no_person"))
    scans = await listed_scans(index, scan_ids)
    changed = await set_assignee(records, scans, account_id, who)
    await touch_rows(index, changed)
    return len(changed)


async def readers(records: Database) -> list[Account]:
    """To whom a scan can be assigned: who may log in and review, by full name."""
    known = [each for each in await list_accounts(records) if _may_read(each)]
    return sorted(known, key=lambda each: each.full_name.casefold())


def _may_read(account: Account) -> bool:
    return account.enabled and may(account.role, Right.REVIEW)
