"""The date of a scan whose files do not tell it: the form on its page, and what it sends."""

from datetime import date
from typing import Any

from aiohttp import web

from daemon.dating import WrongDate, enter_date
from daemon.history import wants_date
from daemon.index.scan_dates import EnteredDate
from daemon.index.scans import ScanRow
from daemon.outputs.sentences import moment_words
from viewer.keys import INDEX, RECORDS
from viewer.lookups import asked_scan
from viewer.pages import read_form
from viewer.signing import signer


async def change_date(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/date`: note the day of the acquisition; '' takes it back."""
    form = await read_form(request)
    scan = await take_date(request, form.get("acquired_on", ""))
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}")


async def take_date(request: web.Request, typed: str) -> ScanRow:
    """Note the day for the scan of the address; HTTPBadRequest says why it cannot be taken."""
    scan = await asked_scan(request)
    try:
        await enter_date(
            request.app[INDEX], request.app[RECORDS], scan, typed, signer(request), date.today()
        )
    except WrongDate as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return scan


def date_words(report: dict[str, Any], entered: EnteredDate | None) -> str:
    """Who entered the date of a scan, and whether the result has it already."""
    if not wants_date(report) or entered is None:
        return ""
    by = f"by {entered.entered_by}, {moment_words(entered.entered_at)}"
    said = f"Entered {by}" if entered.acquired_on else f"Taken back {by}"
    is_in = (report.get("date_entered") or "") == entered.acquired_on
    return f"{said}." if is_in else f"{said}; the result that has it comes soon."
