"""Deleting a patient with a typed confirmation, the page of deleted ones, and undoing it."""

import unicodedata
from dataclasses import dataclass

from aiohttp import web

from daemon.drops import UNASSIGNED, shown_id
from daemon.index.people.patient_deletion import UNDO_DAYS, deletions
from daemon.index.queue import has_open_drop
from daemon.index.scans import scans_of_patient
from daemon.outputs.catalogue import text
from daemon.records.patient_merges import CannotMerge
from daemon.records.patients import bring_back, delete
from viewer.lookups import asked_patient
from viewer.patients.fields import day_words
from viewer.request_forms import read_form
from viewer.sessions import INDEX, RECORDS, SETTINGS, signer
from viewer.templating import render


@dataclass(frozen=True)
class DeletedLine:
    """One patient who was deleted, in words."""

    patient_key: str
    patient_id: str
    name: str
    deleted: str


async def show_delete(request: web.Request) -> web.StreamResponse:
    """`GET /patients/{patient_key}/delete`: what will happen, and the form that asks for the ID."""
    return await _form(request, "")


async def delete_patient(request: web.Request) -> web.StreamResponse:
    """`POST /patients/{patient_key}/delete`: hide the patient, if the ID was typed right."""
    form = await read_form(request)
    if not await delete_if_typed(request, form.get("typed_id", "")):
        return await _form(request, text("delete.wrong_id"))
    raise web.HTTPSeeOther("/patients/deleted")


async def delete_if_typed(request: web.Request, typed_id: str) -> bool:
    """Hide the patient of the address, if this is the patient's ID; whether it was.

    HTTPConflict while the patient is merged with another one.
    """
    patient = await asked_patient(request)
    if patient.patient_id == UNASSIGNED:
        raise web.HTTPNotFound(text=text("fault.no_patient"))
    if _plain(typed_id) != _plain(shown_id(patient.patient_id)):
        return False
    try:
        await delete(request.app[INDEX], request.app[RECORDS], patient, signer(request))
    except CannotMerge as error:
        raise web.HTTPConflict(text=str(error)) from None
    return True


async def show_deleted(request: web.Request) -> web.StreamResponse:
    """`GET /patients/deleted`: who was deleted, by whom, and until when that can be undone."""
    found = await deletions(request.app[RECORDS])
    values = {
        "title": text("deleted.title"),
        "section": "patients",
        "days": UNDO_DAYS,
        "lines": [
            DeletedLine(
                each.patient_key,
                each.patient_id,
                each.record.get("name", ""),
                text(
                    "deleted.line",
                    day=day_words(each.deleted_at),
                    by=each.deleted_by,
                    until=day_words(each.erase_at),
                ),
            )
            for each in found
        ],
    }
    return render(request, "patient_deleted.html", values)


async def undo(request: web.Request) -> web.StreamResponse:
    """`POST /patients/{patient_key}/undelete`: bring back what had been entered."""
    await read_form(request)
    raise web.HTTPSeeOther(f"/patients/{await bring_back_asked(request)}")


async def bring_back_asked(request: web.Request) -> str:
    """Undo the deletion of the patient of the address, or HTTPNotFound; the patient's key."""
    who, key = signer(request), request.match_info["patient_key"]
    if not await bring_back(request.app[INDEX], request.app[RECORDS], key, who):
        raise web.HTTPNotFound(text=text("deleted.nothing_left"))
    return key


async def _form(request: web.Request, wrong: str) -> web.Response:
    patient = await asked_patient(request)
    if patient.patient_id == UNASSIGNED:
        raise web.HTTPNotFound(text=text("fault.no_patient"))
    index, daemon = request.app[INDEX], request.app[SETTINGS].daemon
    values = {
        "title": text("delete.title"),
        "section": "patients",
        "patient": patient,
        "scans": len(await scans_of_patient(index, patient.patient_id)),
        "is_open": await has_open_drop(index, patient.patient_id),
        "retention": daemon.keep_days > 0 or daemon.keep_gb > 0,
        "days": UNDO_DAYS,
        "wrong": wrong,
    }
    return render(request, "patient_delete.html", values, 400 if wrong else 200)


def _plain(typed: str) -> str:
    """A typed ID as it is compared: blanks around and the way an accent is written do not count."""
    return unicodedata.normalize("NFC", " ".join(typed.split()))
