"""The fields of a patient's form: their labels, limits, and what is wrong with what was typed."""

import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

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
