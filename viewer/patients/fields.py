"""The fields of a patient's record: labels, limits, what is wrong with an entry, and in words."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from daemon.index.people.patients import Patient
from daemon.index.scans import ScanRow
from daemon.outputs.wording import FINDING_WORDS, NOT_KNOWN, SIDES, size_words
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
    label: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()

    @property
    def limit(self) -> int:
        """The most characters that it takes."""
        return LONG if self.kind is Kind.LONG else SHORT


@dataclass(frozen=True)
class Group:
    """Fields that stand together under one heading."""

    title: str
    fields: tuple[Field, ...]


GROUPS = (
    Group(
        "Person",
        (
            Field("name", "Name"),
            Field("birth_date", "Birth date", Kind.DATE),
            Field("gender", "Gender", Kind.CHOICE, ("Female", "Male", "Other")),
        ),
    ),
    Group(
        "Contact",
        (
            Field("phone", "Phone"),
            Field("address", "Address"),
            Field("emergency_contact", "Emergency contact"),
            Field("insurance", "Insurance"),
            Field("doctor", "Doctor in charge"),
        ),
    ),
    Group(
        "History",
        (
            Field("family_history", "Family history", Kind.LONG),
            Field("symptoms", "Symptoms", Kind.LONG),
            Field("previous_conditions", "Previous conditions", Kind.LONG),
            Field("medications", "Medications", Kind.LONG),
        ),
    ),
    Group(
        "Diagnosis and treatment",
        (
            Field("biopsy", "Biopsy", Kind.LONG),
            Field("histology", "Histology", Kind.LONG),
            Field("diagnosis_date", "Date of diagnosis", Kind.DATE),
            Field("treatment_type", "Treatment"),
            Field("treatment_start", "Start of treatment", Kind.DATE),
            Field("treatment_response", "Response to treatment", Kind.LONG),
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
    text = typed.replace("\r\n", "\n")
    characters = (c if c in kept or unicodedata.category(c) != "Cc" else " " for c in text)
    return "".join(characters).strip()


def _fault(field: Field, value: str, today: date) -> str:
    if len(value) > field.limit:
        return f"{field.label} is longer than {field.limit} characters."
    if value and field.kind is Kind.CHOICE and value not in field.choices:
        return f"{field.label} must be one of: {', '.join(field.choices)}."
    if value and field.kind is Kind.DATE:
        return _date_fault(field, value, today)
    return ""


def _date_fault(field: Field, value: str, today: date) -> str:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return f"{field.label} must be a date such as 1970-12-31."
    if day.isoformat() != value:  # fromisoformat also takes 19701231 and week dates
        return f"{field.label} must be a date such as 1970-12-31."
    if field.name in PAST and day > today:
        return f"{field.label} lies in the future."
    if day.year < today.year - OLDEST:
        return f"{field.label} lies more than {OLDEST} years back."
    return ""


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SCANNER = "the scanner"


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
    """The day of an ISO 8601 moment as people write it, such as 12 May 2026."""
    try:
        day = date.fromisoformat((moment or "")[:10])
    except ValueError:
        return moment or NOT_KNOWN
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def place_words(report: Report) -> str:
    """Side and main lobe of the largest lesion, such as "left temporal"; '' without lesions."""
    if not report.lesions:
        return ""
    first = report.lesions[0]
    shares = first.lobes
    side = "side not known" if first.side == "unknown" else SIDES[first.side].lower()
    lobe = max(shares.items(), key=lambda share: share[1])[0] if shares else ""
    return f"{side} {lobe}".strip()


def change_words(report: Report) -> str:
    """How much larger or smaller than before, such as "\u25b2 18 % since 3 Feb 2026"; or ''."""
    change = report.change
    if change is None:
        return ""
    percent, ml = change.volume_percent, change.volume_ml
    amount = f"{abs(ml):.1f} ml" if percent is None else f"{abs(percent):.0f} %"
    since = f"since {day_words(change.prior_acquired_at)}"
    if amount in ("0 %", "0.0 ml"):
        return f"unchanged {since}"
    arrow = "\u25b2 larger by" if ml > 0 else "\u25bc smaller by"
    return f"{arrow} {amount} {since}"


def summary(scans: list[ScanRow]) -> str:
    """The first glance: how many scans, the last one, its size, place and change."""
    if not scans:
        return "No scan of this patient is done yet."
    count = "1 scan" if len(scans) == 1 else f"{len(scans)} scans"
    last = scans[0]
    if last.acquired_at is None:
        return f"{count}, none with a date."
    found = last.report.finding == "tumor"
    size = size_words(last.report) if found else FINDING_WORDS[last.finding].lower()
    parts = [count, f"last {day_words(last.acquired_at)}", size, place_words(last.report)]
    return ", ".join(part for part in [*parts, change_words(last.report)] if part) + "."


def growth_rows(scans: Iterable[ScanRow], patient: Patient) -> list[GrowthRow]:
    """The scans with a date and a volume, and what people entered to be marked, oldest first."""
    points = [point for scan in scans if (point := point_of(scan.report, scan.folder))]
    treatment = f"Treatment: {patient.treatment_type}" if patient.treatment_type else "Treatment"
    events = (("Diagnosis", patient.diagnosis_date), (treatment, patient.treatment_start))
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
    which = f"the scan of {day_words(at)}" if at else "a scan without a date"
    if scan.report.volume_ml is None:
        return f"{which} (no volume)"
    return f"{which} (the patient is in doubt)" if at else which
