"""The date of a scan whose files do not tell it: a person enters it, and a revision follows."""

from datetime import date

from daemon.history import wants_date
from daemon.index.database import Database
from daemon.index.histories import queue_comparison
from daemon.index.scan_dates import add_date, entered_dates
from daemon.index.scans import ScanRow, find_scan
from model.errors import GliowatchError

EARLIEST = date(1970, 1, 1)  # no MR scan of a person is older


class WrongDate(GliowatchError):
    """The date cannot be taken; the sentence says why."""


async def enter_date(
    index: Database, records: Database, scan: ScanRow, typed: str, who: str, today: date
) -> None:
    """Note on which day a scan was acquired ('' = not known after all); it is compared anew.

    The records come first: what a crash leaves undone, `queue_dated` finds. Raises WrongDate.
    """
    if not wants_date(scan.report):
        raise WrongDate("The file itself says when this scan was acquired.")
    await add_date(records, scan.scan_id, checked_day(typed, today), who)
    await queue_comparison(index, scan.scan_id, scan.patient_id)


async def note_date(records: Database, scan_id: str, typed: str, who: str, today: date) -> None:
    """Note the date of a scan that is still to be judged. Raises WrongDate."""
    await add_date(records, scan_id, checked_day(typed, today), who)


async def queue_dated(index: Database, records: Database) -> None:
    """At start: every scan whose newest revision does not have the date that was entered."""
    for scan_id, acquired_on in (await entered_dates(records)).items():
        scan = await find_scan(index, scan_id)
        if scan is None or not wants_date(scan.report):
            continue
        if (scan.report.get("date_entered") or "") != acquired_on:
            await queue_comparison(index, scan_id, scan.patient_id)


def checked_day(typed: str, today: date) -> str:
    """What was typed as an ISO 8601 date, '' as it is. Raises WrongDate."""
    typed = typed.strip()
    if not typed:
        return ""
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        raise WrongDate("This is not a date.") from None
    if not EARLIEST <= day <= today:
        raise WrongDate("A scan was acquired after 1970, and not in the future.")
    return day.isoformat()
