"""The API of one scan: its report, reviews and files, and what people say of it."""

import asyncio

from aiohttp import web

from daemon.index.corrections import corrections_of
from daemon.index.reviews import reviews_of
from viewer.api.forms import answer, read_body
from viewer.api.sent import AcquiredOn, NewReview, PixelSpacing
from viewer.api.told import FileLink, OneScan, ScanNamed
from viewer.dating import take_date
from viewer.keys import RECORDS, SETTINGS
from viewer.lookups import asked_revisions, asked_scan, known_patients
from viewer.reviewing import take_statement
from viewer.scan_files import Role, held_files, listed_files
from viewer.spacing import take_spacing
from viewer.statements import Seen

NEWS = "Something was said of this scan since; please read it again and use its new `seen`."


async def show_scan(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/scans/{scan_id}`: the newest revision, or the one of `?revision=`."""
    scan, revisions = await asked_revisions(request)
    records, outbox = request.app[RECORDS], request.app[SETTINGS].daemon.outbox
    patient = (await known_patients(request, [scan.patient_id]))[scan.patient_id]
    held = await asyncio.to_thread(held_files, outbox, scan)
    reviews = await reviews_of(records, scan.scan_id)
    corrections = await corrections_of(records, scan.scan_id)
    roles = [role for _, group in listed_files(held) for role in group]
    return answer(
        OneScan(
            scan_id=scan.scan_id,
            revision=scan.revision,
            revisions=[each.revision for each in revisions],
            patient_key=patient.patient_key,
            published_at=scan.published_at,
            removed_at=scan.removed_at,
            report=scan.report,
            reviews=reviews,
            seen=Seen.of(revisions[0], reviews, corrections).token,
            files=[_link(request.path, scan.revision, role) for role in roles],
        )
    )


async def review(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/scans/{scan_id}/reviews`: 409 where somebody else spoke meanwhile."""
    said = await read_body(request, NewReview)
    scan = await asked_scan(request)
    form = {name: str(value) for name, value in said.model_dump().items()}
    if await take_statement(request, scan, form) is not None:
        raise web.HTTPConflict(text=NEWS)
    return answer(ScanNamed(scan_id=scan.scan_id), 201)


async def enter_date(request: web.Request) -> web.StreamResponse:
    """`PUT /api/v1/scans/{scan_id}/date`."""
    scan = await take_date(request, (await read_body(request, AcquiredOn)).acquired_on)
    return answer(ScanNamed(scan_id=scan.scan_id))


async def enter_spacing(request: web.Request) -> web.StreamResponse:
    """`PUT /api/v1/scans/{scan_id}/spacing`."""
    said = await read_body(request, PixelSpacing)
    numbers = (said.across, said.down, said.between)
    across, down, between = ("" if each is None else str(each) for each in numbers)
    scan = await take_spacing(request, (across, down, between))
    return answer(ScanNamed(scan_id=scan.scan_id))


def _link(path: str, revision: int, role: Role) -> FileLink:
    return FileLink(
        role=role.name,
        content_type=role.content_type,
        label=role.label,
        url=f"{path}/files/{role.name}?revision={revision}",
    )
