"""Dates and times of DICOM headers, as ISO 8601 and without a zone, as the scanner wrote them."""

from collections.abc import Callable
from datetime import date, datetime

from pydicom.dataset import Dataset

from model.reading.dicom_frames import text_of


def acquired_at(header: Dataset) -> str | None:
    """When the pictures were taken; the date alone where no time is given."""
    moment = text_of(header, "AcquisitionDateTime")
    days = [(moment[:8], moment[8:14])]
    for part in ("Acquisition", "Series", "Study"):
        days.append((text_of(header, f"{part}Date"), text_of(header, f"{part}Time")[:6]))
    for day, time in days:
        if len(day) == 8 and (written := _iso(date.fromisoformat, day)):
            precise = _iso(datetime.fromisoformat, f"{day}T{time}") if len(time) == 6 else None
            return precise or written
    return None


def day_of(header: Dataset, tag: str) -> str | None:
    """The date of one tag, or None where there is none that can be."""
    return _iso(date.fromisoformat, text_of(header, tag))


def _iso(read: Callable[[str], date], text: str) -> str | None:
    try:
        return read(text).isoformat()
    except ValueError:
        return None
