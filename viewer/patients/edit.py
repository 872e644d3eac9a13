"""The forms that change patients: a new one, and what is entered about one, by two at once too."""

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from aiohttp import web

from daemon.drops import UNASSIGNED, folder_name
from daemon.index.people.patient_deletion import deletion_of
from daemon.index.people.patients import (
    Patient,
    add_patient,
    change_patient,
    changes_of,
    patients_by_id,
)
from daemon.outputs.catalogue import text
from viewer.lookups import asked_patient
from viewer.patients.fields import GROUPS, SHORT, day_words, entered, faults
from viewer.patients.page import ChangeLine, change_line
from viewer.request_forms import read_form, whole_number
from viewer.sessions import RECORDS, signer
from viewer.templating import LONGEST_NAME, render


@dataclass(frozen=True)
class Merged:
    """What was typed beside what others saved meanwhile; theirs: their changes, in words."""

    values: dict[str, str]
    theirs: list[ChangeLine] = field(default_factory=list)


async def show_new(request: web.Request) -> web.StreamResponse:
    """`GET /patients/new`: an empty form."""
    return _form(request, Merged({}), [])


async def add(request: web.Request) -> web.StreamResponse:
    """`POST /patients`: enter a patient, or show the form again with what is wrong."""
    form = await read_form(request)
    values, typed_id = entered(form), form.get("patient_id", "").strip()
    patient, wrong = await enter_patient(request, typed_id, values)
    if patient is None:
        return _form(request, Merged({**values, "patient_id": typed_id}), wrong)
    raise web.HTTPSeeOther(f"/patients/{patient.patient_key}")


async def enter_patient(
    request: web.Request, typed_id: str, values: dict[str, str]
) -> tuple[Patient | None, list[str]]:
    """Enter a new patient, or say in sentences why that cannot be."""
    wrong = [*_id_faults(typed_id), *faults(values, date.today())]
    if wrong:
        return None, wrong
    patient_id = folder_name(typed_id)
    patient = await add_patient(request.app[RECORDS], patient_id, values, signer(request))
    return patient, [] if patient else [await _why_taken(request, patient_id)]


async def show_edit(request: web.Request) -> web.StreamResponse:
    """`GET /patients/{patient_key}/edit`: the form with what is entered."""
    patient = await editable_patient(request)
    return _form(request, Merged(asdict(patient)), [], patient)


async def change(request: web.Request) -> web.StreamResponse:
    """`POST /patients/{patient_key}`: replace what is entered, or show what is wrong.

    If somebody else saved the record meanwhile, the form comes back with what they changed: it
    holds their values in the fields that this person left alone, and this person's in the others.
    """
    form = await read_form(request)
    patient = await editable_patient(request)
    values, who = entered(form), signer(request)
    version = _version(form)
    wrong = [*faults(values, date.today())]
    if wrong:
        return _form(request, Merged(values), wrong, patient, version)
    records = request.app[RECORDS]
    if await change_patient(records, patient.patient_key, version, values, who):
        raise web.HTTPSeeOther(f"/patients/{patient.patient_key}")
    patient = await editable_patient(request)
    return _form(request, await _merged(request, patient, values, version), [], patient)


async def _merged(
    request: web.Request, patient: Patient, values: dict[str, str], version: int
) -> Merged:
    changes = await changes_of(request.app[RECORDS], patient.patient_key, version)
    before: dict[str, str] = {}
    for each in changes:
        before.setdefault(each.field, each.before)
    now = asdict(patient)
    merged = {
        name: now[name] if before.get(name) == value else value for name, value in values.items()
    }
    return Merged(merged, [change_line(each) for each in changes])


async def editable_patient(request: web.Request) -> Patient:
    """The patient of the address, whose record people may change, or HTTPNotFound."""
    patient = await asked_patient(request)
    if patient.patient_id == UNASSIGNED:
        raise web.HTTPNotFound(text=text("fault.no_patient"))
    return patient


def _version(form: dict[str, str]) -> int:
    return whole_number(form.get("version", ""))


async def _why_taken(request: web.Request, patient_id: str) -> str:
    found = (await patients_by_id(request.app[RECORDS], [patient_id])).get(patient_id)
    deletion = await deletion_of(request.app[RECORDS], found.patient_key) if found else None
    if found is None or not found.deleted_at or deletion is None:
        return text("patient_form.id_taken")
    return text("patient_form.id_deleted", until=day_words(deletion.erase_at))


def _id_faults(typed_id: str) -> list[str]:
    if not typed_id:
        return [text("patient_form.id_missing")]
    if len(typed_id) > SHORT:
        return [text("patient_form.id_long", most=SHORT)]
    if folder_name(typed_id) == UNASSIGNED:
        return [text("patient_form.id_unusable")]
    return []


def _form(
    request: web.Request,
    merged: Merged,
    wrong: list[str],
    patient: Patient | None = None,
    version: int | None = None,
) -> web.Response:
    """The form: for a new patient, or for the one that is given, as it was at this version."""
    page: dict[str, Any] = {
        "title": text("patient_form.edit" if patient else "patient_form.new"),
        "section": "patients",
        "patient": patient,
        "version": version if version is not None or patient is None else patient.version,
        "groups": GROUPS,
        "id_limit": SHORT,
        "name_limit": LONGEST_NAME,
        "values": merged.values,
        "theirs": merged.theirs,
        "wrong": wrong,
    }
    status = 409 if merged.theirs else 400 if wrong else 200
    return render(request, "patient_form.html", page, status)
