"""The API of one patient: what is entered, changed by version, deleted and brought back."""

from dataclasses import asdict
from datetime import date

from aiohttp import web

from daemon.index.patients import change_patient, find_patient
from daemon.index.scans import scans_of_patient
from viewer.api.forms import answer, read_body
from viewer.api.sent import ChangedPatient, Confirmed, NewPatient
from viewer.api.told import OnePatient, ScanOfPatient
from viewer.keys import INDEX, RECORDS
from viewer.patient_deleting import WRONG_ID, bring_back_asked, delete_if_typed
from viewer.patient_editing import editable_patient, enter_patient
from viewer.patient_fields import entered, faults
from viewer.signing import signer

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
