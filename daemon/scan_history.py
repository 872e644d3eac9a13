"""A patient's measured scans in time: what one is compared with, and the curve that they make."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from daemon.report import Report
from daemon.report_parts import HistoryEntry, given_fields
from model.rules import AskedSeries, Spacing

IN_DOUBT = "identity_conflict"
MAY_LACK = "may_lack"  # code of a note
DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Point:
    """One scan of a patient at its date, as its newest revision tells.

    at: ISO 8601, a date or a date with a time; folder: below the outbox, as bytes.
    """

    at: str
    scan_id: str
    folder: bytes
    report: Report

    @property
    def analyzed(self) -> int:
        """The revision whose mask this is: later ones have only compared it anew."""
        return judged_revision(self.report)


@dataclass(frozen=True)
class Past:
    """What is known beside the files when a scan is analyzed.

    points: the patient's other scans that may be compared; date_entered: the date that a person
    gave for this one, ISO 8601; spacing: the size of its pixels, if a person gave that; may_lack:
    whether slices that are a scan of their own may belong to it.
    """

    points: tuple[Point, ...] = ()
    date_entered: str | None = None
    spacing: Spacing | None = None
    may_lack: bool = False


def point_of(report: Report, folder: bytes) -> Point | None:
    """A scan's place in time; None without date or volume, or in an identity conflict."""
    at = date_of(report)
    is_known = report.volume_ml is not None and not report.has_note(IN_DOUBT)
    if at is None or not is_known or not _is_moment(at):
        return None
    return Point(at, report.scan_id, folder, report)


def date_of(report: Report) -> str | None:
    """When a scan was acquired: as the scanner wrote it, else as a person entered it."""
    return report.input.acquired_at or report.date_entered


def wants_date(report: Report) -> bool:
    """Whether the files themselves do not say when the scan was acquired."""
    return report.input.acquired_at is None


def spacing_in(report: Report) -> Spacing | None:
    """The spacing with which a published scan was analyzed, if a person entered it."""
    numbers = report.spacing_entered
    return Spacing(*numbers) if numbers else None


def series_in(report: Report) -> AskedSeries | None:
    """The series that a person wanted when the scan was analyzed, if one did."""
    asked = report.input.series_asked
    return AskedSeries(**given_fields(asked)) if asked else None


def judged_revision(report: Report) -> int:
    """The revision in which a scan's mask was made."""
    return report.judged_revision or report.revision


def prior_of(at: str, points: Iterable[Point]) -> Point | None:
    """The newest of the scans that were acquired before this moment, or None."""
    before = [point for point in points if days_between(point.at, at) > 0]
    return max(before, key=_order, default=None)


def curve_of(me: Point, points: Iterable[Point]) -> tuple[Point, ...]:
    """All whole scans of the patient, oldest first; none unless there are two, mine the newest."""
    whole = [point for point in (*points, me) if not point.report.is_incomplete]
    curve = sorted(whole, key=_order)
    return tuple(curve) if len(curve) > 1 and curve[-1] is me else ()


def history_of(curve: Iterable[Point]) -> tuple[HistoryEntry, ...] | None:
    """A curve as it stands in a report; None where there is none."""
    return tuple(_entry(point) for point in curve) or None


def _entry(point: Point) -> HistoryEntry:
    assert point.report.volume_ml is not None, "a point has a volume"
    return HistoryEntry(
        scan_id=point.scan_id,
        acquired_at=point.at,
        volume_ml=point.report.volume_ml,
        volume_ml_range=point.report.volume_ml_range,
    )


def is_stale(report: Report, past: Past) -> bool:
    """Whether a published report says other than what would be said now: of date and change, or
    of slices that may belong to it."""
    if report.has_note(MAY_LACK) is not past.may_lack:
        return True
    if wants_date(report) and report.date_entered != past.date_entered:
        return True
    me = point_of(report, b"")
    prior = prior_of(me.at, past.points) if me else None
    if _prior_in(report) != ((prior.scan_id, prior.analyzed, prior.at) if prior else None):
        return True
    curve = curve_of(me, past.points) if me else ()
    return bool(curve) and report.history != history_of(curve)


def _prior_in(report: Report) -> tuple[str, int, str] | None:
    """Scan, revision and date of what a report is compared with."""
    change = report.change
    if change is None:
        return None
    return change.prior_scan_id, change.prior_revision, change.prior_acquired_at


def days_between(first: str, second: str) -> float:
    """Days from one moment to another; whole ones where one of them has no time of the day."""
    if "T" in first and "T" in second:
        passed = datetime.fromisoformat(second) - datetime.fromisoformat(first)
        return passed.total_seconds() / DAY_SECONDS
    return float((date.fromisoformat(second[:10]) - date.fromisoformat(first[:10])).days)


def _is_moment(at: str) -> bool:
    try:
        return datetime.fromisoformat(at).tzinfo is None
    except ValueError:
        return False


def _order(point: Point) -> tuple[str, str]:
    return point.at, point.scan_id
