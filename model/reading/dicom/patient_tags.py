"""Whose study, and which, DICOM files say that it is: never for a log, a URL or a file name."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from model.reading.dicom.files import read_header
from model.reading.dicom.frames import day_of, number_of, text_of

GENDERS = {"M": "Male", "F": "Female", "O": "Other"}
TAGS = (
    *("SpecificCharacterSet", "PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyInstanceUID", "SeriesInstanceUID", "AccessionNumber", "StudyDate"),
    *("StationName", "Modality", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength"),
)
LARGEST_TESLA, GAUSS = 20.0, 1e4  # a larger number is in gauss, as some scanners write it
LONGEST_NAME = 64  # characters, as the standard allows


@dataclass(frozen=True)
class Identity:
    """A patient as the headers tell; '' where they do not. birth_date: ISO 8601."""

    patient_id: str
    name: str = ""
    birth_date: str = ""
    gender: str = ""


@dataclass(frozen=True)
class Scanner:
    """What took a study, as the headers tell; '' or None where they do not."""

    manufacturer: str = ""
    model: str = ""
    field_tesla: float | None = None


@dataclass(frozen=True)
class Study:
    """A study as the headers tell; '' where they do not. date: ISO 8601, of the study.

    station: the scanner's StationName. scanner: of the first MR file; None where none tells.
    """

    uid: str
    accession: str = ""
    date: str = ""
    station: str = ""
    scanner: Scanner | None = None


@dataclass(frozen=True)
class IdentityChange:
    """What the same pictures said of patient or study before, and what they say now.

    field: patient_id, accession, or a field of `Identity`.
    """

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class StudyTold:
    """The study that one file names: its StudyInstanceUID, whose it is, and StudyDate."""

    uid: str
    patient_id: str
    day: str


@dataclass(frozen=True)
class Filing:
    """Where a received object belongs; '' where it does not say.

    objects: how many its study has, as the sender counts (0020,1208); 0 where it does not say.
    """

    patient_id: str = ""
    study_uid: str = ""
    objects: int = 0


@dataclass(frozen=True)
class ObjectTold:
    """Which object a DICOM file is, by its UIDs, and its transfer syntax; '' where it is silent."""

    sop_class: str
    sop_instance: str
    study: str
    syntax: str


@dataclass(frozen=True)
class Named:
    """Whom and which studies some files name, in the order of PatientID and of the UID."""

    identities: tuple[Identity, ...] = ()
    studies: tuple[Study, ...] = ()

    @property
    def uids(self) -> tuple[str, ...]:
        """The StudyInstanceUIDs."""
        return tuple(study.uid for study in self.studies)

    def known_as(self, uid: str | None) -> "Named":
        """The same, the study of this StudyInstanceUID first if it is there."""
        return replace(self, studies=tuple(sorted(self.studies, key=lambda its: its.uid != uid)))


def named_in(files: Iterable[Path]) -> Named:
    """One of each PatientID and study among the files, as the first file with it tells."""
    identities: dict[str, Identity] = {}
    studies: dict[str, Study] = {}
    for file in files:
        header = _header(file, TAGS)
        if patient_id := text_of(header, "PatientID").strip():
            identities.setdefault(patient_id, _identity(header, patient_id))
        if uid := _study_uid(header):
            study = studies.setdefault(uid, _study(header, uid))
            if study.scanner is None:  # the first file may be one that a workstation made
                studies[uid] = replace(study, scanner=_scanner(header))
    return Named(
        tuple(identities[patient_id] for patient_id in sorted(identities)),
        tuple(studies[uid] for uid in sorted(studies)),
    )


def changes_between(before: Iterable[Path], now: Iterable[Path]) -> tuple[IdentityChange, ...]:
    """What the files say now and said otherwise before; what they no longer say is none."""
    old, new = _told_in(before), _told_in(now)
    return tuple(
        IdentityChange(name, old.get(name, ""), told)
        for name, told in new.items()
        if told and told != old.get(name, "")
    )


def _told_in(files: Iterable[Path]) -> dict[str, str]:
    """What the first file that names a study says of it and of the patient."""
    for file in files:
        header = _header(file, TAGS)
        if uid := _study_uid(header):
            told = asdict(_identity(header, text_of(header, "PatientID").strip()))
            return told | {"accession": _study(header, uid).accession}
    return {}


def study_of(file: Path | BinaryIO) -> StudyTold | None:
    """The study of a DICOM file, or None where it names none, or is cut within its number."""
    header = _header(file, TAGS)
    uid, patient_id = _study_uid(header), text_of(header, "PatientID").strip()
    return StudyTold(uid, patient_id, text_of(header, "StudyDate")) if uid else None


def filing_of(file: Path) -> Filing:
    """Whose and which study a whole DICOM file is of; empty where it cannot be told."""
    counted = "NumberOfStudyRelatedInstances"
    header = _header(file, ("SpecificCharacterSet", "PatientID", "StudyInstanceUID", counted))
    told = text_of(header, counted).strip()
    objects = int(told) if told.isdecimal() and len(told) < 7 else 0
    patient_id, study_uid = (text_of(header, name) for name in ("PatientID", "StudyInstanceUID"))
    return Filing(patient_id.strip(), study_uid.strip(), objects)


def object_of(file: Path) -> ObjectTold | None:
    """Which object a file with a meta header is; None for any other file, or a damaged one."""
    names = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")
    header = _header(file, names)
    meta = getattr(header, "file_meta", None)
    if not meta:
        return None
    sop_class, sop_instance, study = (text_of(header, name).strip() for name in names)
    return ObjectTold(sop_class, sop_instance, study, text_of(meta, "TransferSyntaxUID"))


def patient_of(file: Path | BinaryIO) -> str | None:
    """The PatientID of a DICOM file, '' where it is empty or blank; None for any other file."""
    header = _header(file, ("SpecificCharacterSet", "PatientID", "StudyInstanceUID"))
    if "PatientID" not in header and "StudyInstanceUID" not in header:
        return None
    return text_of(header, "PatientID").strip()


def _study_uid(header: Dataset) -> str | None:
    is_whole = "SeriesInstanceUID" in header  # the tag that follows
    return text_of(header, "StudyInstanceUID").strip() or None if is_whole else None


def _study(header: Dataset, uid: str) -> Study:
    accession = text_of(header, "AccessionNumber").strip()
    station = text_of(header, "StationName").strip()
    return Study(uid, accession, day_of(header, "StudyDate") or "", station)


def _scanner(header: Dataset) -> Scanner | None:
    """Of an MR file that names it."""
    names = (text_of(header, tag) for tag in ("Manufacturer", "ManufacturerModelName"))
    manufacturer, model = (" ".join(name.split())[:LONGEST_NAME] for name in names)
    if text_of(header, "Modality") != "MR" or not (manufacturer or model):
        return None
    field = number_of(header, "MagneticFieldStrength") or 0.0
    tesla = round(field / GAUSS if field > LARGEST_TESLA else field, 3)
    return Scanner(manufacturer, model, tesla if 0 < tesla <= LARGEST_TESLA else None)


def _identity(header: Dataset, patient_id: str) -> Identity:
    gender = GENDERS.get(text_of(header, "PatientSex"), "")
    return Identity(patient_id, _name(header), day_of(header, "PatientBirthDate") or "", gender)


def _header(file: Path | BinaryIO, tags: tuple[str, ...]) -> Dataset:
    """Some tags of a file; none of one that is no DICOM, or too damaged to tell."""
    try:
        header = read_header(file, tags)
        for element in header:  # pydicom analyzes a value only when it is asked for
            str(element.value)
        return header
    except Exception:  # any damage means the same here; who reads the pixels says what is wrong
        return Dataset()


def _name(header: Dataset) -> str:
    """`Family, Given`, and beside it how the name is written in its own script."""
    written = PersonName(header.get("PatientName") or "")
    parts = (written.family_name, written.given_name)
    plain = ", ".join(part.strip() for part in parts if part.strip())
    own = " ".join(written.ideographic.replace("^", " ").split())
    return f"{plain} ({own})" if plain and own else plain or own
