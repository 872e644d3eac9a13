"""What people enter where files do not tell it: dates, pixel sizes, which series is the FLAIR."""

from collections import Counter
from datetime import date

from daemon.index.database import Database
from daemon.index.patient_scans import queue_comparison
from daemon.index.people.overrides import (
    Wish,
    add_date,
    add_spacing,
    add_wish,
    all_wishes,
    entered_dates,
    entered_spacing,
    entered_spacings,
    find_wish,
    wanted_before_series,
)
from daemon.index.queue import add_reprocessing
from daemon.index.scans import ScanRow, find_scan
from daemon.outputs.catalogue import text
from daemon.report import Report
from daemon.report_parts import SeriesOfStudy
from daemon.scan_history import series_in, spacing_in, wants_date
from model.errors import GliowatchError
from model.rules import LARGEST_GAP_MM, LARGEST_PIXEL_MM, SMALLEST_MM, AskedSeries, Spacing

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
        raise WrongDate(text("override.has_date"))
    await add_date(records, scan.scan_id, checked_day(typed, today), who)
    await queue_comparison(index, scan.scan_id, scan.patient_id)


async def note_date(records: Database, scan_id: str, typed: str, who: str, today: date) -> None:
    """Note the date of a scan that is still to be analyzed. Raises WrongDate."""
    await add_date(records, scan_id, checked_day(typed, today), who)


async def queue_dated(index: Database, records: Database) -> None:
    """At start: every scan whose newest revision does not have the date that was entered."""
    for scan_id, acquired_on in (await entered_dates(records)).items():
        scan = await find_scan(index, scan_id)
        if scan is None or not wants_date(scan.report):
            continue
        if (scan.report.date_entered or "") != acquired_on:
            await queue_comparison(index, scan_id, scan.patient_id)


def checked_day(typed: str, today: date) -> str:
    """What was typed as an ISO 8601 date, '' as it is. Raises WrongDate."""
    typed = typed.strip()
    if not typed:
        return ""
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        raise WrongDate(text("override.no_date")) from None
    if not EARLIEST <= day <= today:
        raise WrongDate(text("override.date_range"))
    return day.isoformat()


class WrongSpacing(GliowatchError):
    """The spacing cannot be taken; the sentence says why."""


def wants_spacing(report: Report) -> bool:
    """Whether the file itself does not say how large its pixels are."""
    if report.input.kind == "image" or report.spacing_entered:
        return True
    return report.has_note("units_unknown")


def spacing_of(typed: tuple[str, str, str], is_picture: bool) -> Spacing | None:
    """What was typed (across, down, between) as numbers; None if nothing was. Raises WrongSpacing.

    A picture has no distance between slices, a volume needs one.
    """
    asked = [each.strip().replace(",", ".") for each in (typed[:2] if is_picture else typed)]
    if not any(asked):
        return None
    if not all(asked):
        raise WrongSpacing(text("override.all_or_none"))
    limits = (LARGEST_PIXEL_MM, LARGEST_PIXEL_MM, LARGEST_GAP_MM)
    numbers = [_number(each, most) for each, most in zip(asked, limits, strict=False)]
    return Spacing(*numbers)


async def enter_spacing(
    index: Database, records: Database, scan: ScanRow, spacing: Spacing | None, who: str
) -> None:
    """Note how large a published scan's pixels are (None = not known after all).

    It is analyzed anew. The records come first: what a crash leaves undone, `queue_spaced` finds.
    Raises WrongSpacing where the file has a scale of its own.
    """
    if not wants_spacing(scan.report):
        raise WrongSpacing(text("override.has_spacing"))
    await add_spacing(records, scan.scan_id, spacing, who)
    await add_reprocessing(index, scan.scan_id, scan.patient_id)


async def queue_spaced(index: Database, records: Database) -> None:
    """At start: every scan whose newest revision was analyzed with another spacing."""
    for entered in await entered_spacings(records):
        await queue_if_spaced(index, records, entered.scan_id)


async def queue_if_spaced(index: Database, records: Database, scan_id: str) -> None:
    """Queue a scan if another spacing was entered than it was analyzed with: perhaps meanwhile."""
    scan = await find_scan(index, scan_id)
    if scan and not scan.removed_at and await is_spaced_anew(records, scan):
        await add_reprocessing(index, scan_id, scan.patient_id)


async def is_spaced_anew(records: Database, scan: ScanRow) -> bool:
    """Whether a person entered another spacing than a published scan was analyzed with."""
    entered = await entered_spacing(records, scan.scan_id)
    if entered is None or not wants_spacing(scan.report):
        return False
    return spacing_in(scan.report) != entered.spacing


def _number(typed: str, most: float) -> float:
    try:
        number = float(typed)
    except ValueError:
        raise WrongSpacing(text("override.no_number")) from None
    if not SMALLEST_MM <= number <= most:
        raise WrongSpacing(text("override.spacing_range", least=SMALLEST_MM, most=most))
    return number


class NoSuchWish(GliowatchError):
    """The scan cannot be analyzed anyway, or is; the sentence says why."""


BY_LOOKS = (  # codes of reports
    *("no_flair", "not_flair", "not_axial", "no_head", "not_head", "not_mr", "colour_picture"),
)
ANYWAY = "analyzed_anyway"  # code of the note that such an analysis bears


def may_be_wished(report: Report) -> bool:
    """Whether only its looks speak against analyzing it, and not that there is nothing."""
    return report.finding == "not_judged" and any(n.code in BY_LOOKS for n in report.quality[:1])


async def wish_analysis(
    index: Database, records: Database, scan: ScanRow, is_wanted: bool, who: str
) -> None:
    """Have a scan analyzed although the input check refused it, or take that back.

    Of a chosen series that alone is taken back: an "anyway" from before it counts again.
    The records come first: what a crash leaves undone, `queue_wished` finds. Raises NoSuchWish.
    """
    asked = series_in(scan.report)
    is_followed = scan.report.has_note(ANYWAY) or asked is not None
    fits = may_be_wished(scan.report) if is_wanted else is_followed
    if not fits or scan.removed_at:
        raise NoSuchWish(text("override.no_wish"))
    if asked is not None and not is_wanted:
        is_wanted = await wanted_before_series(records, scan.scan_id)
    await add_wish(records, scan.scan_id, is_wanted, who, None if is_wanted else asked)
    await add_reprocessing(index, scan.scan_id, scan.patient_id)


MOST_REASON = 500  # characters


def other_series(report: Report) -> dict[str, SeriesOfStudy]:
    """The series of a study that were not analyzed, by a key; none that looks like another one."""
    lines = report.input.series or ()
    alike = Counter(map(series_key, lines))
    return {
        series_key(each): each for each in lines if alike[series_key(each)] == 1 and not each.chosen
    }


def series_key(series: SeriesOfStudy) -> str:
    """What tells one series of a study from the others, for a form."""
    return f"{'' if series.number is None else series.number}/{series.slices}/{series.description}"


async def ask_for_series(
    index: Database, records: Database, scan: ScanRow, key: str, reason: str, who: str
) -> None:
    """Have another series of the study analyzed, whatever it looks like.

    The records come first: what a crash leaves undone, `queue_wished` finds. Raises NoSuchWish.
    """
    series = other_series(scan.report).get(key)
    if scan.removed_at or series is None:
        raise NoSuchWish(text("override.no_series"))
    if not reason.strip():
        raise NoSuchWish(text("override.no_reason"))
    asked = AskedSeries(series.number, series.description, series.slices, who)
    reason = reason.strip()[:MOST_REASON]
    await add_wish(records, scan.scan_id, is_wanted=True, who=who, series=asked, reason=reason)
    await add_reprocessing(index, scan.scan_id, scan.patient_id)


async def is_wished_anew(records: Database, scan: ScanRow) -> bool:
    """Whether a person said so, or took it back, after a published scan was analyzed."""
    wish = await find_wish(records, scan.scan_id)
    return wish is not None and _is_open(wish, scan)


async def queue_if_wished(
    index: Database, records: Database, scan_id: str, followed: Wish | None
) -> None:
    """Queue a scan again of which something else was said while it was analyzed as `followed`."""
    scan = await find_scan(index, scan_id)
    if scan and not scan.removed_at and await find_wish(records, scan_id) != followed:
        await add_reprocessing(index, scan_id, scan.patient_id)


async def queue_wished(index: Database, records: Database) -> None:
    """At start: every scan of which something was said that its newest revision does not follow."""
    for wish in await all_wishes(records):
        scan = await find_scan(index, wish.scan_id)
        if scan and not scan.removed_at and _is_open(wish, scan):
            await add_reprocessing(index, scan.scan_id, scan.patient_id)


def _is_open(wish: Wish, scan: ScanRow) -> bool:
    if (wish.series if wish.is_wanted else None) != series_in(scan.report):
        return True
    if wish.series:
        return False
    if not wish.is_wanted:
        return scan.report.has_note(ANYWAY)
    return may_be_wished(scan.report) and wish.wished_at > scan.published_at
