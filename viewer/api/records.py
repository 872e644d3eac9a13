"""The API of one patient and of one scan: read, entered, reviewed, deleted, brought back."""

import asyncio
from dataclasses import asdict
from datetime import date

from aiohttp import web

from daemon.index.people.corrections import corrections_of
from daemon.index.people.patients import change_patient, find_patient
from daemon.index.people.reviews import reviews_of
from daemon.index.scans import scans_of_patient
from viewer.api.request_fields import (
    AcquiredOn,
    ChangedPatient,
    Confirmed,
    NewPatient,
    NewReview,
    PixelSpacing,
    answer,
    read_body,
)
from viewer.api.response_fields import FileLink, OnePatient, OneScan, ScanNamed, ScanOfPatient
from viewer.lookups import asked_revisions, asked_scan, known_patients
from viewer.patients.deletion import WRONG_ID, bring_back_asked, delete_if_typed
from viewer.patients.edit import editable_patient, enter_patient
from viewer.patients.fields import entered, faults
from viewer.scans.files import Role, held_files, listed_files
from viewer.scans.overrides import take_date, take_spacing
from viewer.scans.reviews import Seen, take_statement
from viewer.sessions import INDEX, RECORDS, SETTINGS, signer

CHANGED = "Somebody has changed this record since that version; please read it again."


async def show_patient(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/patients/{patient_key}`."""
    return await _told(request, (await editable_patient(request)).patient_key)


async def add(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/patients`."""
    new = await read_body(request, NewPatient)
    values = entered(new.entered.model_dump())
    patient, wrong = await enter_patient(request, new.patient_id.strip(), values)
    if patient is None:
        raise web.HTTPBadRequest(text=" ".join(wrong))
    return await _told(request, patient.patient_key, 201)


async def change(request: web.Request) -> web.StreamResponse:
    """`PATCH /api/v1/patients/{patient_key}`: fields that are left out stay."""
    sent = await read_body(request, ChangedPatient)
    patient = await editable_patient(request)
    values = entered(asdict(patient) | sent.entered.model_dump(exclude_unset=True))
    if wrong := faults(values, date.today()):
        raise web.HTTPBadRequest(text=" ".join(wrong))
    records, key = request.app[RECORDS], patient.patient_key
    if not await change_patient(records, key, sent.version, values, signer(request)):
        raise web.HTTPConflict(text=CHANGED)
    return await _told(request, key)


async def delete(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/patients/{patient_key}/delete`."""
    if not await delete_if_typed(request, (await read_body(request, Confirmed)).patient_id):
        raise web.HTTPBadRequest(text=WRONG_ID)
    return web.Response(status=204)


async def undelete(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/patients/{patient_key}/undelete`."""
    return await _told(request, await bring_back_asked(request))


async def _told(request: web.Request, patient_key: str, status: int = 200) -> web.Response:
    patient = await find_patient(request.app[RECORDS], patient_key)
    assert patient is not None, "it was just found"
    scans = await scans_of_patient(request.app[INDEX], patient.patient_id)
    lines = [
        ScanOfPatient(
            scan_id=each.scan_id,
            revision=each.revision,
            finding=each.finding,
            volume_ml=each.volume_ml,
            acquired_at=each.acquired_at,
            published_at=each.published_at,
        )
        for each in scans
    ]
    return answer(OnePatient(patient=patient, scans=lines), status)


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
