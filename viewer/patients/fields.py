"""The fields of a patient's record: labels, limits, what is wrong with an entry, and in words."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from daemon.index.people.patients import Patient
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text
from daemon.outputs.wording import SIDES, finding_words, not_known, repeat_amount, size_words
from daemon.report import Report
from daemon.scan_history import Point, date_of, point_of
from viewer.templating import OLDEST

SHORT, LONG = 200, 4000  # characters
PAST = ("birth_date", "diagnosis_date")  # a treatment may be planned


class Kind(StrEnum):
    """How a field is typed."""

    TEXT = "text"
    DATE = "date"
    LONG = "long"
    CHOICE = "choice"


@dataclass(frozen=True)
class Field:
    """One thing that people enter about a patient; `name` is its column in the records."""

    name: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What it is called."""
        return text(f"record.{self.name}")

    def shown(self, value: str) -> str:
        """What was entered, in words: a choice is kept by its English name."""
        return text(f"gender.{value}") if value in self.choices else value

    @property
    def limit(self) -> int:
        """The most characters that it takes."""
        return LONG if self.kind is Kind.LONG else SHORT


@dataclass(frozen=True)
class Group:
    """Fields that stand together under one heading."""

    name: str
    fields: tuple[Field, ...]

    @property
    def title(self) -> str:
        """The heading."""
        return text(f"record.{self.name}")


GROUPS = (
    Group(
        "person",
        (
            Field("name"),
            Field("birth_date", Kind.DATE),
            Field("gender", Kind.CHOICE, ("Female", "Male", "Other")),
        ),
    ),
    Group(
        "contact",
        (
            Field("phone"),
            Field("address"),
            Field("emergency_contact"),
            Field("insurance"),
            Field("doctor"),
        ),
    ),
    Group(
        "history",
        (
            Field("family_history", Kind.LONG),
            Field("symptoms", Kind.LONG),
            Field("previous_conditions", Kind.LONG),
            Field("medications", Kind.LONG),
        ),
    ),
    Group(
        "care",
        (
            Field("biopsy", Kind.LONG),
            Field("histology", Kind.LONG),
            Field("diagnosis_date", Kind.DATE),
            Field("treatment_type"),
            Field("treatment_start", Kind.DATE),
            Field("treatment_response", Kind.LONG),
        ),
    ),
)
FIELDS = tuple(field for group in GROUPS for field in group.fields)


def entered(form: dict[str, str]) -> dict[str, str]:
    """What was typed, by field, without blanks around it and without control characters."""
    return {field.name: _plain(field, form.get(field.name, "")) for field in FIELDS}


def faults(values: dict[str, str], today: date) -> list[str]:
    """One sentence for each field that cannot be taken as it is."""
    found = (_fault(field, values[field.name], today) for field in FIELDS)
    return [fault for fault in found if fault]


def _plain(field: Field, typed: str) -> str:
    """Line ends are one character, and stay in long fields alone."""
    kept = "\n" if field.kind is Kind.LONG else ""
    lines = typed.replace("\r\n", "\n")
    characters = (c if c in kept or unicodedata.category(c) != "Cc" else " " for c in lines)
    return "".join(characters).strip()


def _fault(field: Field, value: str, today: date) -> str:
    if len(value) > field.limit:
        return text("record.too_long", field=field.label, most=field.limit)
    if value and field.kind is Kind.CHOICE and value not in field.choices:
        choices = ", ".join(field.shown(choice) for choice in field.choices)
        return text("record.not_a_choice", field=field.label, choices=choices)
    if value and field.kind is Kind.DATE:
        return _date_fault(field, value, today)
    return ""


def _date_fault(field: Field, value: str, today: date) -> str:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return text("record.no_date", field=field.label)
    if day.isoformat() != value:  # fromisoformat also takes 19701231 and week dates
        return text("record.no_date", field=field.label)
    if field.name in PAST and day > today:
        return text("record.future", field=field.label)
    if day.year < today.year - OLDEST:
        return text("record.long_ago", field=field.label, years=OLDEST)
    return ""


@dataclass(frozen=True)
class GrowthRow:
    """One scan of the growth curve, or an event that is marked on it, which has a label.

    at: ISO 8601; low, high: the range in ml, or None where it is not known.
    """

    at: str
    day: str
    label: str = ""
    scan_id: str = ""
    ml: float = 0.0
    low: float | None = None
    high: float | None = None


def day_words(moment: str | None) -> str:
    """The day of an ISO 8601 moment; of one with a zone, the day that it is here."""
    if not moment:
        return not_known()
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return text("date.day", moment=at.astimezone() if at.tzinfo else at)


def place_words(report: Report) -> str:
    """Side and main lobe of the largest lesion, such as "left temporal"; '' without lesions."""
    if not report.lesions:
        return ""
    first = report.lesions[0]
    shares = first.lobes or {}
    is_unknown = first.side == "unknown"
    side = text("patient.side_unknown") if is_unknown else SIDES[first.side].lower()
    lobe = max(shares, key=lambda name: float(shares[name]), default="")
    return f"{side} {lobe}".strip()


def change_words(report: Report) -> str:
    """How much larger than a comparable scan, such as "\u25b2 18 % since 3 Feb 2026", and whether
    that is more than repeated measuring varies; or ''."""
    change = report.change
    if change is None:
        return ""
    if not change.comparable:
        return text("patient.not_comparable", day=day_words(change.prior_acquired_at))
    percent, ml = change.volume_percent, change.volume_ml
    amount, is_same = amount_words(ml, percent)
    key = "unchanged" if is_same else "larger" if ml > 0 else "smaller"
    said = text(f"patient.{key}", amount=amount, day=day_words(change.prior_acquired_at))
    if is_same or change.beyond_repeat is None:
        return said
    certain = "patient.beyond_repeat" if change.beyond_repeat else "patient.within_repeat"
    return text(certain, change=said, amount=repeat_amount(change))


def amount_words(ml: float, percent: float | None) -> tuple[str, bool]:
    """By how much a volume has changed, in per cent if known; and whether it shows as nothing."""
    if percent is None:
        return text("size.ml", ml=abs(ml)), round(abs(ml), 1) == 0
    return text("size.percent", percent=abs(percent)), round(abs(percent)) == 0


def summary(scans: list[ScanRow]) -> str:
    """The first glance: how many scans, the last one, its size, place and change."""
    if not scans:
        return text("patient.none_done")
    count = text("patient.count", count=len(scans))
    last = scans[0]
    if last.acquired_at is None:
        return text("patient.none_dated", count=count)
    found = last.report.finding == "tumor"
    size = size_words(last.report) if found else finding_words(last.report).lower()
    parts = [
        count,
        text("patient.last", day=day_words(last.acquired_at)),
        size,
        place_words(last.report),
    ]
    about = ", ".join(part for part in [*parts, change_words(last.report)] if part)
    return text("patient.summary", about=about)


def growth_rows(scans: Iterable[ScanRow], patient: Patient) -> list[GrowthRow]:
    """The scans with a date and a volume, and what people entered to be marked, oldest first."""
    points = [point for scan in scans if (point := point_of(scan.report, scan.folder))]
    named = "patient.treatment_named" if patient.treatment_type else "patient.treatment"
    treatment = text(named, treatment=patient.treatment_type)
    events = (
        (text("patient.diagnosis"), patient.diagnosis_date),
        (treatment, patient.treatment_start),
    )
    rows = [GrowthRow(day, day_words(day), label) for label, day in events if day]
    return sorted([*map(_growth_row, points), *rows], key=lambda row: row.at)


def left_out(scans: Iterable[ScanRow]) -> list[str]:
    """Why each of the other scans is not on the curve."""
    return [_why_not(scan) for scan in scans if point_of(scan.report, scan.folder) is None]


def _growth_row(point: Point) -> GrowthRow:
    low, high = point.report.volume_ml_range or (None, None)
    return GrowthRow(
        at=point.at,
        day=day_words(point.at),
        scan_id=point.scan_id,
        ml=point.report.volume_ml or 0.0,
        low=low,
        high=high,
    )


def _why_not(scan: ScanRow) -> str:
    at = date_of(scan.report)
    which = text("patient.scan_of", day=day_words(at)) if at else text("patient.undated_scan")
    if scan.report.volume_ml is None:
        return text("patient.no_volume", scan=which)
    return text("patient.in_doubt", scan=which) if at else which
