"""What a person knows better than a scan's files: date, pixel size, which series is the FLAIR."""

from datetime import date
from typing import Any

from aiohttp import web

from daemon.index.people.overrides import (
    EnteredDate,
    EnteredSpacing,
    Wish,
    entered_spacing,
    find_wish,
)
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from daemon.records.overrides import (
    ANYWAY,
    NoSuchWish,
    WrongDate,
    WrongSpacing,
    ask_for_series,
    enter_date,
    enter_spacing,
    is_wished_anew,
    may_be_wished,
    other_series,
    spacing_of,
    wants_spacing,
    wish_analysis,
)
from daemon.report import Report
from daemon.scan_history import spacing_in, wants_date
from viewer.lookups import asked_scan
from viewer.request_forms import read_form
from viewer.sessions import INDEX, RECORDS, signer


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
            request.app[INDEX],
            request.app[RECORDS],
            scan=scan,
            typed=typed,
            who=signer(request),
            today=date.today(),
        )
    except WrongDate as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return scan


def date_words(report: Report, entered: EnteredDate | None) -> str:
    """Who entered the date of a scan, and whether the result has it already."""
    if not wants_date(report) or entered is None:
        return ""
    is_in = (report.date_entered or "") == entered.acquired_on
    return _entered_words(entered, bool(entered.acquired_on), is_in)


ENTERED = {  # by whether it is there still, and whether the newest result has it
    (True, True): "entered.by",
    (True, False): "entered.by_soon",
    (False, True): "entered.removed",
    (False, False): "entered.removed_soon",
}


def _entered_words(entered: EnteredDate | EnteredSpacing, is_there: bool, is_in: bool) -> str:
    key = ENTERED[is_there, is_in]
    return text(key, by=entered.entered_by, at=moment_words(entered.entered_at))


FIELDS = ("across", "down", "between")


async def change_spacing(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/spacing`: note it; all fields empty take it back."""
    form = await read_form(request)
    across, down, between = (form.get(field, "") for field in FIELDS)
    scan = await take_spacing(request, (across, down, between))
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}")


async def take_spacing(request: web.Request, typed: tuple[str, str, str]) -> ScanRow:
    """Note it for the scan of the address; HTTPBadRequest says why it cannot be taken."""
    scan = await asked_scan(request)
    try:
        spacing = spacing_of(typed, _is_picture(scan))
        await enter_spacing(
            request.app[INDEX], request.app[RECORDS], scan, spacing, signer(request)
        )
    except WrongSpacing as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return scan


async def spacing_values(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """What the form's template needs."""
    entered = await entered_spacing(request.app[RECORDS], scan.scan_id)
    numbers = entered.spacing.numbers if entered and entered.spacing else (None, None, None)
    return {
        "wants_spacing": wants_spacing(scan.report) and not scan.removed_at,
        "is_picture": _is_picture(scan),
        "spacing_typed": ["" if number is None else f"{number:g}" for number in numbers],
        "spacing_words": _words(scan.report, entered),
    }


def _is_picture(scan: ScanRow) -> bool:
    return scan.report.input.kind == "image"


def _words(report: Report, entered: EnteredSpacing | None) -> str:
    """Who entered it, and whether the result has it already."""
    if entered is None:
        return ""
    is_in = spacing_in(report) == entered.spacing
    return _entered_words(entered, entered.spacing is not None, is_in)


WISHED = {  # by whether it is wanted, and whether the result does not follow it yet
    (True, False): "anyway.by",
    (True, True): "anyway.by_soon",
    (False, False): "anyway.taken_back",
    (False, True): "anyway.taken_back_soon",
}


async def change_wish(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/anyway`: analyze it whatever it looks like; `wanted=no`: do not."""
    form = await read_form(request)
    scan, is_wanted = await asked_scan(request), form.get("wanted", "") != "no"
    index, records = request.app[INDEX], request.app[RECORDS]
    try:
        await wish_analysis(index, records, scan, is_wanted, signer(request))
    except NoSuchWish as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}")


async def change_series(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/series`: analyze another series of the study, and why."""
    form, scan = await read_form(request), await asked_scan(request)
    key, reason = form.get("series", ""), form.get("reason", "")
    index, records, who = request.app[INDEX], request.app[RECORDS], signer(request)
    try:
        await ask_for_series(index, records, scan=scan, key=key, reason=reason, who=who)
    except NoSuchWish as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}#series")


async def wish_values(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """What the templates of both forms need."""
    records, report = request.app[RECORDS], scan.report
    wish = await find_wish(records, scan.scan_id)
    is_open = wish is not None and await is_wished_anew(records, scan)
    may_change = not scan.removed_at and not is_open
    is_asked = report.input.series_asked is not None
    said = _wish_words(wish, is_open) if wish else ""
    return {
        "may_wish": may_be_wished(report) and may_change,
        "was_wished": report.has_note(ANYWAY) and not is_asked and may_change,
        "wish_words": "" if wish and wish.series else said,
        "has_several": len(report.input.series or ()) > 1,
        "other_series": _series_choices(report) if may_change else {},
        "was_series_asked": is_asked and may_change,
        "series_words": said if wish and wish.series else "",
        "no_series_words": _why_no_series(scan),
    }


def _series_choices(report: Report) -> dict[str, str]:
    """Each series that may be chosen, in words, by its key."""
    return {
        key: text(
            "other_series.choice",
            number="?" if each.number is None else each.number,
            description=each.description or text("scan.no_description"),
            slices=text("upload.slices", count=each.slices),
        )
        for key, each in other_series(report).items()
    }


def _why_no_series(scan: ScanRow) -> str:
    """Why none can be chosen, '' where one can."""
    if scan.removed_at:
        return text("other_series.removed")
    return "" if other_series(scan.report) else text("other_series.alike")


def _wish_words(wish: Wish, is_open: bool) -> str:
    """Who asked for it or took it back, and whether the result follows it already."""
    key = WISHED[wish.is_wanted, is_open]
    said = text(key, by=wish.wished_by, at=moment_words(wish.wished_at))
    if wish.series is None or not wish.is_wanted:
        return said
    chosen = text(
        "other_series.chosen", series=wish.series.description or text("scan.no_description")
    )
    return f"{chosen} {said} {text('other_series.why', reason=wish.reason)}"
