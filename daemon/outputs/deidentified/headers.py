"""A DICOM header made anew of what may stay of another one (PS3.15 Annex E, Basic Profile).

Nothing is copied: each value is read, understood and written again, so that neither an odd value
representation nor bytes between two values come along.
"""

import hashlib
import hmac
import logging
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID
from pydicom.valuerep import DSfloat

from daemon.outputs.deidentified.kept_elements import CODES, KEPT, Form, Vocabulary
from daemon.outputs.tables import Hidden

log = logging.getLogger(__name__)

DEEPEST = 8  # sequences in sequences
LONGEST_COUNT = 99_999
MOST_VALUES = 1000  # of one element
METHODS = (  # PS3.16 CID 7050: Basic Profile; Clean Descriptors; Modified Dates
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
REQUIRED = (  # type 2: there, and empty where it is not known
    *("PatientBirthDate", "PatientSex", "ReferringPhysicianName", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "SeriesNumber", "InstanceNumber", "Manufacturer", "Laterality"),
)
WHOLE = ("US", "SS", "UL", "SL", "IS")
SHORTENED = ("ScanningSequence", "SequenceVariant", "ScanOptions")  # lists without an order
ORDERED = ("ImageType", "FrameType")  # of which the third value is the third
DAY = 86_400  # seconds
ZONE = re.compile(r"[+-]")


@dataclass(frozen=True)
class Cleaner:
    """How the headers of one scan are cleaned.

    patient: the patient's folder, by which `naming` knows them; began: seconds of the day that
    count as midnight.
    """

    naming: Hidden
    patient: str
    began: float
    vocabulary: Vocabulary

    def clean(self, header: Dataset) -> Dataset:
        """The header of one file, without pixels and without a name."""
        cleaned = self._kept(header, DEEPEST)
        name = self.naming.patient(self.patient)
        cleaned.PatientID = cleaned.PatientName = name
        cleaned.SpecificCharacterSet = "ISO_IR 192"
        for keyword in REQUIRED:
            if keyword not in cleaned:
                setattr(cleaned, keyword, None)
        cleaned.PatientIdentityRemoved = "YES"
        cleaned.DeidentificationMethod = "gliowatch: elements of a list stay, all others go"
        cleaned.DeidentificationMethodCodeSequence = [_code(*each) for each in METHODS]
        cleaned.LongitudinalTemporalInformationModified = "MODIFIED"
        return cleaned

    def other_uid(self, uid: str) -> str:
        """The one that stands for it everywhere; one of the standard's own stays."""
        if UID(uid).name != uid:  # it is listed in PS3.6
            return uid
        digest = hmac.new(
            self.naming.secret, f"gliowatch export uid\0{uid}".encode(), hashlib.sha256
        )
        return f"2.25.{int.from_bytes(digest.digest()[:16], 'big')}"

    def _kept(self, header: Dataset, depth: int) -> Dataset:
        cleaned = Dataset()
        for keyword, form in KEPT.items():
            tag = tag_for_keyword(keyword)
            if tag is None or tag not in header:
                continue
            try:
                values = _values(header, tag)
                if form is Form.ITEMS:
                    kept: list[object] = [self._kept(item, depth - 1) for item in values if depth]
                else:
                    kept = [each for value in values for each in self._again(keyword, form, value)]
                if kept and (len(kept) == len(values) or keyword in SHORTENED):
                    _set(cleaned, tag, kept)
            except Exception:  # pydicom raises many kinds; what cannot be understood goes
                log.debug("element_left_out", extra={"element": keyword})
        return cleaned

    def _again(self, keyword: str, form: Form, value: Any) -> list[object]:
        """A value written anew; nothing where it may not stay. Raises for one of another kind."""
        match form:
            case Form.NUMBER:
                return [float(value)] if math.isfinite(float(value)) else []
            case Form.COUNT:
                return [int(value)] if abs(int(value)) <= LONGEST_COUNT else []
            case Form.POINTER:
                return [Tag(value)] if dictionary_has_tag(Tag(value)) else []
        return [told] if (told := self._text(keyword, form, str(value).strip())) else []

    def _text(self, keyword: str, form: Form, text: str) -> str:
        match form:
            case Form.CODE:
                unknown = "OTHER" if keyword in ORDERED else ""
                return text if text in CODES[keyword] else unknown
            case Form.UID:
                return self.other_uid(text) if text else ""
            case Form.WORDS:
                return self.vocabulary.words_of(text)
            case Form.DATE:
                return self._date(text)
            case Form.TIME:
                return self._time(text)
            case Form.MOMENT:
                return self._moment(text)
        return _contrast(text)

    def _date(self, text: str) -> str:
        day = text.replace(".", "")
        moved = self.naming.moment(self.patient, f"{day[:4]}-{day[4:6]}-{day[6:8]}")
        return moved.replace("-", "")

    def _time(self, text: str) -> str:
        seconds = (seconds_of(text) - self.began) % DAY
        minutes, rest = divmod(round(seconds * 1000) % (DAY * 1000), 60_000)
        return f"{minutes // 60:02d}{minutes % 60:02d}{rest / 1000:06.3f}"

    def _moment(self, text: str) -> str:
        date, time = self._date(text[:8]), ZONE.split(text[8:])[0]
        return date + self._time(time) if time else date


def _contrast(text: str) -> str:
    """Whether some was given, and no more."""
    if not text:
        return ""
    return "NO" if text.casefold() in ("no", "none", "n", "0") else "CONTRAST"


def _values(header: Dataset, tag: int) -> list[Any]:
    """The values of an element: one, several, none, or the items of a sequence."""
    value = header[tag].value
    if value is None or isinstance(value, str | bytes):
        return [value] if value else []
    values = list(value) if isinstance(value, Iterable) else [value]
    return values[:MOST_VALUES] if header[tag].VR != "SQ" else values


def _set(cleaned: Dataset, tag: int, values: list[Any]) -> None:
    """Write values in the representation that the dictionary gives."""
    vr = dictionary_VR(tag)
    if vr == "US or SS":
        vr = "SS" if min(values, default=0) < 0 else "US"
    if vr == "DS":
        values = [DSfloat(value, auto_format=True) for value in values]
    elif vr in WHOLE:
        values = [int(value) for value in values]
    one_or_all = values if vr == "SQ" or len(values) != 1 else values[0]
    cleaned.add_new(tag, vr, one_or_all or None)


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def seconds_of(time: str) -> float:
    """The seconds of the day of a DICOM time. Raises ValueError for what is none."""
    text = time.strip().replace(":", "")
    if len(text) < 2 or not text.replace(".", "", 1).isdigit():
        raise ValueError(time)
    return 3600.0 * int(text[:2]) + 60.0 * int(text[2:4] or 0) + float(text[4:] or 0)


def first_time(headers: Iterable[Dataset]) -> float:
    """The earliest time of the day that headers name, in seconds; 0 where they name none."""
    found = []
    for header in headers:
        for keyword, form in KEPT.items():
            try:
                if form is Form.TIME:
                    found.append(seconds_of(str(header.get(keyword) or "")))
                elif form is Form.MOMENT:
                    found.append(seconds_of(str(header.get(keyword) or "")[8:]))
            except ValueError:
                continue
    return min(found, default=0.0)
