"""UIDs that follow from all that an object holds: the same for the same bytes, and no others."""

import hashlib
import uuid
from collections.abc import Sequence
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

VOLATILE = (  # what may differ between two objects that say the same
    *("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"),
    *("SeriesDate", "SeriesTime", "ContentDate", "ContentTime"),
    *("InstanceCreationDate", "InstanceCreationTime"),
    *("DateOfSecondaryCapture", "TimeOfSecondaryCapture", "PredecessorDocumentsSequence"),
)


def uid_of(*parts: object) -> UID:
    """The same UID for the same parts (PS3.5 B.2: from a UUID)."""
    key = "\0".join(map(str, parts))
    return UID(f"2.25.{uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16]).int}")


def seal(series: Sequence[Dataset]) -> None:
    """Name the objects of one series, which are whole but for that, by what they hold.

    The same name is given to the same bytes alone: any other byte makes another name.
    """
    digests = []
    for made in series:
        _name(made, uid_of("series"), uid_of("instance"))
        digests.append(hashlib.sha256(bytes_of(made)).hexdigest())
    number = uid_of("series", *digests)
    for made, digest in zip(series, digests, strict=True):
        _name(made, number, uid_of("instance", number, digest))


def _name(made: Dataset, series: UID, instance: UID) -> None:
    made.SeriesInstanceUID, made.SOPInstanceUID = series, instance
    made.file_meta.MediaStorageSOPInstanceUID = instance


def says_the_same(made: Dataset, other: Dataset) -> bool:
    """Whether two objects differ in their names and times alone."""
    return _essence(made) == _essence(other)


def _essence(made: Dataset) -> str:
    """The hash of all but names and times, each value as a file holds it."""
    left = reread(made)
    for keyword in VOLATILE:
        if keyword in left:
            delattr(left, keyword)
    for item in left.get("ContributingEquipmentSequence", []):
        item.pop("ContributionDateTime", None)
    _name(left, uid_of("series"), uid_of("instance"))
    return hashlib.sha256(bytes_of(left)).hexdigest()


def reread(made: Dataset) -> Dataset:
    """An object as its file is read: a copy that shares nothing with it."""
    return pydicom.dcmread(BytesIO(bytes_of(made)))


def bytes_of(made: Dataset) -> bytes:
    """An object as its file holds it."""
    written = BytesIO()
    made.save_as(written, enforce_file_format=True)
    return written.getvalue()
