"""A scan's published files: the fixed table of those that a browser may have, one or all as a zip.

Addresses name roles, never files: `seg.nii.gz`, or `source-3` for the third dropped file.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from aiohttp import hdrs, web
from zipstream import ZipStream

from daemon.drops import SOURCE, objects_folder
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text
from daemon.outputs.wording import MOST_LESIONS as MOST
from model.rules import Kind, kind_by_name, other_half
from viewer.lookups import asked_revision
from viewer.sessions import SETTINGS

PNG, GZIP, JSON = "image/png", "application/gzip", "application/json"
DICOM, PDF, BYTES = "application/dicom", "application/pdf", "application/octet-stream"
IMAGE = "image.nii"  # the dropped NIfTI file, packed or not
CANVAS = "canvas"  # group of what the page does not list, since it stands there already


@dataclass(frozen=True)
class Role:
    """One kind of file of a scan; pictures are shown, all else is downloaded.

    numbered: of many of a kind, its word in the catalogue, with a number.
    """

    name: str
    content_type: str
    numbered: str = ""
    number: int = 0

    @property
    def label(self) -> str:
        """What it is called."""
        if self.numbered:
            return text(f"role_file.{self.numbered}", number=self.number)
        return text(f"role_file.{self.name}")

    @property
    def is_picture(self) -> bool:
        """Whether browsers show it in a page."""
        return self.content_type == PNG


ROLES = {
    role.name: role
    for role in (
        Role("report.pdf", PDF),
        Role("overlay.png", PNG),
        *(Role(f"lesion{number}.png", PNG, "lesion", number) for number in range(1, MOST + 1)),
        Role("planes.png", PNG),
        Role("montage.png", PNG),
        Role("growth.png", PNG),
        Role("seg.nii.gz", GZIP),
        Role("seg.png", PNG),
        Role("flair.nii.gz", GZIP),
        Role("prob.nii.gz", GZIP),
        Role("seg.dcm", DICOM),
        Role("sr.dcm", DICOM),
        Role("report.dcm", DICOM),
        Role("report.json", JSON),
        Role("manifest.json", JSON),
    )
}


@dataclass(frozen=True)
class Held:
    """A file that a scan has, under its role. group: of many of a kind, what they are."""

    role: Role
    path: Path
    group: str = ""


async def send_file(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/files/{role}`: a picture inline, anything else as a download."""
    scan = await asked_revision(request)
    outbox = request.app[SETTINGS].daemon.outbox
    file = await asyncio.to_thread(held_file, outbox, scan, request.match_info["role"])
    if file is None:
        raise web.HTTPNotFound(text=text("fault.no_file"))
    place = "inline" if file.role.is_picture else "attachment"
    headers = {
        hdrs.CONTENT_TYPE: file.role.content_type,
        hdrs.CONTENT_DISPOSITION: f'{place}; filename="{scan.scan_id}_{file.role.name}"',
    }
    return web.FileResponse(file.path, headers=headers)


def held_file(outbox: Path, scan: ScanRow, name: str) -> Held | None:
    """The file with this role's name, without a look at all others where that can be."""
    if name in ROLES:
        return _inside(outbox, [_named(outbox, scan, ROLES[name])]).get(name)
    return held_files(outbox, scan).get(name)


def held_files(outbox: Path, scan: ScanRow) -> dict[str, Held]:
    """All files of a scan by their role's name; none outside the outbox."""
    folder = outbox / os.fsdecode(scan.folder)
    captures = objects_folder(folder) / f"{scan.scan_id}_overlay"
    files = [
        *(_named(outbox, scan, role) for role in ROLES.values()),
        *_numbered(captures, "capture", ".dcm", DICOM),
        *_numbered(folder / SOURCE, "source", "", BYTES),
        *_image(folder / SOURCE),
    ]
    return _inside(outbox, files)


def _named(outbox: Path, scan: ScanRow, role: Role) -> Held:
    return Held(role, _place(outbox, scan, role))


def _place(outbox: Path, scan: ScanRow, role: Role) -> Path:
    folder = outbox / os.fsdecode(scan.folder)
    folder = objects_folder(folder) if role.content_type == DICOM else folder
    return folder / f"{scan.scan_id}_{role.name}"


def _inside(outbox: Path, files: list[Held]) -> dict[str, Held]:
    """Those that are there, and lead nowhere else."""
    root = outbox.resolve()
    there = (held for held in files if held.path.resolve().is_relative_to(root))
    return {held.role.name: held for held in there if held.path.is_file()}


def listed_files(held: dict[str, Held]) -> list[tuple[str, list[Role]]]:
    """What a page lists: each group with its files, first those of a kind of their own."""
    groups: dict[str, list[Role]] = {}
    for each in held.values():
        groups.setdefault(each.group, []).append(each.role)
    groups.pop(CANVAS, None)
    return [(text(f"role_file.{group}") if group else "", roles) for group, roles in groups.items()]


def _numbered(folder: Path, word: str, ending: str, content_type: str) -> list[Held]:
    """Files whose names no address may show, by number, in the order of their names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        Held(Role(f"{word}-{number}{ending}", content_type, word, number), path, f"{word}s")
        for number, path in enumerate(files, 1)
    ]


def _image(source: Path) -> list[Held]:
    """The one NIfTI file that was dropped, for the canvas; none if it lies in an archive."""
    found = [path for path in source.rglob("*") if kind_by_name(path.name) is Kind.NIFTI]
    found = [path for path in found if other_half(path.name) is None]  # of a pair lies a copy here
    return [Held(Role(IMAGE, BYTES), path, CANVAS) for path in found[:1]]


async def with_pictures(request: web.Request, scans: Iterable[ScanRow]) -> set[str]:
    """The scan_ids of those that have an overlay to show; one may be gone, or never have been."""
    outbox, role = request.app[SETTINGS].daemon.outbox, ROLES["overlay.png"]

    def look() -> set[str]:
        return {scan.scan_id for scan in scans if find_file(outbox, scan, role)}

    return await asyncio.to_thread(look)


def find_file(outbox: Path, scan: ScanRow, role: Role) -> Path | None:
    """Where one of ROLES lies, or None if the scan has none; never outside the outbox."""
    path = _place(outbox, scan, role)
    inside = path.resolve().is_relative_to(outbox.resolve())
    return path if inside and path.is_file() else None


PIECES = 16  # of 64 kB, made and sent at a time


async def send_zip(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/all.zip`: every published file under its own name."""
    scan = await asked_revision(request)
    outbox = request.app[SETTINGS].daemon.outbox
    folder = outbox / os.fsdecode(scan.folder)
    files = await asyncio.to_thread(files_of, outbox, folder)
    if not files:
        raise web.HTTPNotFound(text=text("fault.no_files"))
    archive = await asyncio.to_thread(zipped, folder, files)
    return await send_archive(request, archive, scan.scan_id)


async def send_archive(request: web.Request, archive: ZipStream, name: str) -> web.StreamResponse:
    """A zip whose size is known, as it is made."""
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: "application/zip",
            hdrs.CONTENT_LENGTH: str(len(archive)),
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}.zip"',
        }
    )
    await response.prepare(request)
    pieces = iter(archive)
    while piece := await asyncio.to_thread(_joined, pieces):
        await response.write(piece)
    await response.write_eof()
    return response


def files_of(outbox: Path, folder: Path) -> list[Path]:
    """Every file of a published folder, none that leads out of the outbox."""
    root = outbox.resolve()
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if path.resolve().is_relative_to(root)]


def zipped(folder: Path, files: list[Path]) -> ZipStream:
    """A zip of these files, stored as they are, named by their paths in `folder`."""
    archive = ZipStream(sized=True)
    add_files(archive, folder, files)
    return archive


def add_files(archive: ZipStream, folder: Path, files: list[Path], inside: str = "") -> None:
    """Put them into a zip, named by their paths in `folder`, below `inside`."""
    taken = set[str]()
    for file in files:
        name = _member(file.relative_to(folder), taken)
        archive.add_path(file, f"{inside}{name}", recurse=False)
        taken.add(name)


def _member(path: Path, taken: Set[str]) -> str:
    r"""The name in the archive: some programs take a `\` for a step into another folder."""
    plain = str(path).encode("utf-8", "replace").decode().replace("\\", "_")
    return next(
        name
        for number in count()
        if (name := f"{plain}_{number}" if number else plain) not in taken
    )


def _joined(pieces: Iterator[bytes]) -> bytes:
    """The next megabyte at most; nothing at the end."""
    return b"".join(islice(pieces, PIECES))
