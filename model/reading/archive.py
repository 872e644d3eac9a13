"""Zip files: unpacked within budgets of members, bytes and ratio, and never elsewhere."""

import struct
import zipfile
import zlib
from pathlib import Path

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.names import is_in_transfer, is_left_out
from model.rules import ARCHIVE_SUFFIXES, NIFTI_SUFFIXES, PICTURE_SUFFIXES, other_half

MAX_MEMBERS = 20_000
MAX_BYTES = 4_000_000_000
MAX_RATIO = 200  # of unpacked to packed bytes; a deflated scan rarely reaches 20
CHUNK = 1 << 20
ENDINGS = sorted((*NIFTI_SUFFIXES, *PICTURE_SUFFIXES, *ARCHIVE_SUFFIXES), key=len, reverse=True)
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA could ask for 4 GB of memory


def unpack(archive: Path, folder: Path) -> dict[Path, str]:
    """Unpack into `folder` as `0`, `1`, … with each member's ending, in the archive's order; the
    `.hdr` and `.img` of a pair have one number.

    The members' own names and paths are not used, so none can lead outside; they are told.
    Raises UnreadableScan for a damaged, encrypted or oversized archive.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if _is_wanted(member)]
            if any(is_in_transfer(_path(member)) for member in members):
                raise UnreadableScan(text("zip.unfinished"))
            _check_entries(members, archive.stat().st_size)
            _check_budget(members, archive.stat().st_size)
            names = _plain_names([member.filename for member in members])
            return {
                _extract(packed, member, folder / name): member.filename.replace("\\", "/")
                for member, name in zip(members, names, strict=True)
            }
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError):
        raise UnreadableScan(text("zip.cut_off")) from None
    except (NotImplementedError, RuntimeError):
        raise UnreadableScan(text("zip.encrypted")) from None


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    """Leave out folders, hidden files and what systems and tools put beside others."""
    return not (member.is_dir() or is_left_out(_path(member)))


def _path(member: zipfile.ZipInfo) -> str:
    return member.filename.replace("\\", "/")


def _check_entries(members: list[zipfile.ZipInfo], packed_bytes: int) -> None:
    """What zipfile would stumble over later: members outside the file, and heavy packings."""
    if not all(0 <= member.header_offset < packed_bytes for member in members):
        raise zipfile.BadZipFile
    if not all(member.compress_type in PACKINGS for member in members):
        raise NotImplementedError


def _check_budget(members: list[zipfile.ZipInfo], packed_bytes: int) -> None:
    if not members:
        raise UnreadableScan(text("zip.empty"))
    total = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or total > MAX_BYTES:
        raise UnreadableScan(text("zip.too_much"))
    if total > MAX_RATIO * max(packed_bytes, 1) + CHUNK:
        raise UnreadableScan(text("zip.expands"))


def _plain_names(names: list[str]) -> list[str]:
    first: dict[str, int] = {}  # number of each pair, by the stem of its name
    plain: list[str] = []
    for number, name in enumerate(names):
        lower = name.lower()
        ending = next((each for each in ENDINGS if lower.endswith(each)), "")
        if other_half(lower):
            both = f"{first.setdefault(lower.removesuffix(ending), number)}{ending}"
            plain.append(f"{number}{ending}" if both in plain else both)
        else:
            plain.append(f"{number}{ending}")
    return plain


def _extract(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> Path:
    """Copy one member, stopping at the size that the archive's directory claims for it."""
    left = member.file_size
    with packed.open(member) as source, target.open("xb") as stream:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise UnreadableScan(text("zip.larger_than_told"))
            stream.write(chunk)
    return target
