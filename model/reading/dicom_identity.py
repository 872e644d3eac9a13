"""Whose study DICOM files say that it is: never for a log, a URL or a file name."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

GENDERS = {"M": "Male", "F": "Female", "O": "Other"}
TAGS = ("SpecificCharacterSet", "PatientID", "PatientName", "PatientBirthDate", "PatientSex")


@dataclass(frozen=True)
class Identity:
    """A patient as the headers tell; '' where they do not. birth_date: ISO 8601."""

    patient_id: str
    name: str = ""
    birth_date: str = ""
    gender: str = ""


def identities_of(files: Iterable[Path]) -> tuple[Identity, ...]:
    """One of each PatientID among the files, as the first file with it tells; by PatientID."""
    found: dict[str, Identity] = {}
    for file in files:
        identity = _identity(file)
        if identity is not None:
            found.setdefault(identity.patient_id, identity)
    return tuple(found[patient_id] for patient_id in sorted(found))


def _identity(file: Path) -> Identity | None:
    """None for a file that names no patient, or is too damaged to tell."""
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS))
        patient_id = str(header.get("PatientID", "") or "").strip()
        if not patient_id:
            return None
        gender = GENDERS.get(str(header.get("PatientSex", "")), "")
        return Identity(patient_id, _name(header), _birth_date(header), gender)
    except Exception:  # any damage means the same here; who reads the pixels says what is wrong
        return None


def _name(header: Dataset) -> str:
    """`Family, Given`, and beside it how the name is written in its own script."""
    written = PersonName(header.get("PatientName") or "")
    parts = (written.family_name, written.given_name)
    plain = ", ".join(part.strip() for part in parts if part.strip())
    own = " ".join(written.ideographic.replace("^", " ").split())
    return f"{plain} ({own})" if plain and own else plain or own


def _birth_date(header: Dataset) -> str:
    try:
        return date.fromisoformat(str(header.get("PatientBirthDate", ""))).isoformat()
    except ValueError:
        return ""
