"""A scan's published files: the fixed table of those that a browser may have, and sending one."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from daemon.index.scans import ScanRow
from daemon.outputs.sentences import MOST_LESIONS as MOST
from viewer.keys import SETTINGS
from viewer.lookups import asked_scan

PNG, GZIP, JSON = "image/png", "application/gzip", "application/json"
DICOM, PDF = "application/dicom", "application/pdf"


@dataclass(frozen=True)
class Role:
    """One kind of file of a scan; pictures are shown, all else is downloaded."""

    name: str
    content_type: str
    label: str

    @property
    def is_picture(self) -> bool:
        """Whether browsers show it in a page."""
        return self.content_type == PNG


ROLES = {
    role.name: role
    for role in (
        Role("report.pdf", PDF, "Report (PDF)"),
        Role("overlay.png", PNG, "Overlay picture"),
        *(Role(f"lesion{number}.png", PNG, f"Lesion {number}") for number in range(1, MOST + 1)),
        Role("planes.png", PNG, "Three planes"),
        Role("montage.png", PNG, "Montage of slices"),
        Role("growth.png", PNG, "Growth curve"),
        Role("seg.nii.gz", GZIP, "Mask (NIfTI)"),
        Role("seg.png", PNG, "Mask (picture)"),
        Role("flair.nii.gz", GZIP, "Judged series (NIfTI)"),
        Role("prob.nii.gz", GZIP, "Tumor probability (NIfTI)"),
        Role("seg.dcm", DICOM, "Mask (DICOM SEG)"),
        Role("sr.dcm", DICOM, "Numbers (DICOM SR)"),
        Role("report.json", JSON, "Report (JSON)"),
    )
}


async def send_file(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/files/{role}`: a picture inline, anything else as a download."""
    role = ROLES.get(request.match_info["role"])
    if role is None:
        raise web.HTTPNotFound(text="There is no such file.")
    scan = await asked_scan(request)
    outbox = request.app[SETTINGS].daemon.outbox
    file = await asyncio.to_thread(find_file, outbox, scan, role)
    if file is None:
        raise web.HTTPNotFound(text="This scan has no such file.")
    place = "inline" if role.is_picture else "attachment"
    headers = {
        hdrs.CONTENT_TYPE: role.content_type,
        hdrs.CONTENT_DISPOSITION: f'{place}; filename="{scan.scan_id}_{role.name}"',
    }
    return web.FileResponse(file, headers=headers)


def find_file(outbox: Path, scan: ScanRow, role: Role) -> Path | None:
    """Where a scan's file lies, or None if it has none; never outside the outbox."""
    file = outbox / os.fsdecode(scan.folder) / f"{scan.scan_id}_{role.name}"
    inside = file.resolve().is_relative_to(outbox.resolve())
    return file if inside and file.is_file() else None


def present_roles(outbox: Path, scan: ScanRow) -> dict[str, Role]:
    """The roles whose files this scan has, by name."""
    return {name: role for name, role in ROLES.items() if find_file(outbox, scan, role)}


async def with_pictures(request: web.Request, scans: Iterable[ScanRow]) -> set[str]:
    """The scan_ids of those that have an overlay to show; one may be gone, or never have been."""
    outbox, role = request.app[SETTINGS].daemon.outbox, ROLES["overlay.png"]

    def look() -> set[str]:
        return {scan.scan_id for scan in scans if find_file(outbox, scan, role)}

    return await asyncio.to_thread(look)
