"""One DICOM file, opened however it begins: with preamble and meta header, or as a bare data set.

Tools that cut studies out of an archive write data sets alone. How such a one is encoded is seen
from its first element (PS3.5 7.1.2); it can only hold pixels as they are, since what packs them
would be named in the meta header.
"""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import FileDataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import STANDARD_VR

BEGIN = 140  # bytes: preamble, prefix, and the head of an element
DICM, META, IDENTIFYING = b"DICM", 0x0002, 0x0008
LONGEST = 1 << 16  # bytes, of a bare data set's first value


def is_dicom(file: Path) -> bool:
    """Whether a file is DICOM by its first bytes, if damaged (PS3.10 7.1)."""
    with file.open("rb") as stream:
        start = stream.read(BEGIN)
    return start[128:132] == DICM or start[132:134] == b"\x02\x00" or is_bare(start)


def is_bare(start: bytes) -> bool:
    """Whether a file begins with a data element of group 2 or 8, whatever its byte order."""
    if len(start) < 8 or start[128:132] == DICM:
        return False
    for order in ("little", "big"):
        group = int.from_bytes(start[:2], order)
        element = int.from_bytes(start[2:4], order)
        if group in (META, IDENTIFYING) and element <= 0x0070:
            implicit = int.from_bytes(start[4:8], order)
            named = start[4:6].decode("latin-1") in STANDARD_VR
            return named or (order == "little" and implicit < LONGEST)
    return False


def read_header(
    file: "Path | BinaryIO", tags: Iterable[str] | None = None, defer_size: int | None = None
) -> FileDataset:
    """The elements of a file before its pixels, of these names alone if any are given.

    defer_size: keep the pixels' place as well, and leave values of more bytes in the file.
    Raises InvalidDicomError for what does not begin as DICOM.
    """
    return pydicom.dcmread(
        file,
        stop_before_pixels=defer_size is None,
        defer_size=defer_size,
        specific_tags=None if tags is None else list(tags),
        force=is_bare(_start(file)),
    )


def read_whole(file: Path) -> FileDataset:
    """A file with its pixels, which says how they are packed even if the file does not."""
    whole = pydicom.dcmread(file, force=is_bare(_start(file)))
    if not whole.file_meta.get("TransferSyntaxUID"):
        whole.file_meta.TransferSyntaxUID = seen_syntax(whole)
    return whole


def seen_syntax(header: FileDataset) -> UID:
    """How a data set whose file does not say it is encoded, as it was read."""
    is_implicit, is_little = header.original_encoding
    explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
    return ImplicitVRLittleEndian if is_implicit else explicit


def _start(file: "str | PathLike[str] | BinaryIO") -> bytes:
    if isinstance(file, str | PathLike):
        with Path(file).open("rb") as stream:
            return stream.read(BEGIN)
    place = file.tell()
    start = file.read(BEGIN)
    file.seek(place)
    return start
