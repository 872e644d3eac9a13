"""The forms that change patients: a new one, and what is entered about one."""

from dataclasses import asdict
from datetime import date
from typing import Any

from aiohttp import web

from daemon.index.patients import Patient, add_patient, change_patient
from daemon.names import UNASSIGNED, folder_name
from viewer.keys import RECORDS
from viewer.lookups import asked_patient
from viewer.pages import read_form, render
from viewer.patient_fields import GROUPS, SHORT, entered, faults


async def show_new(request: web.Request) -> web.StreamResponse:
    """`GET /patients/new`: an empty form."""
    return _form(request, {}, [])


async def add(request: web.Request) -> web.StreamResponse:
    """`POST /patients`: enter a patient, or show the form again with what is wrong."""
    form = await read_form(request)
    values = entered(form)
    typed_id = form.get("patient_id", "").strip()
    wrong = [*_id_faults(typed_id), *faults(values, date.today())]
    kept = {**values, "patient_id": typed_id}
    if wrong:
        return _form(request, kept, wrong)
    patient = await add_patient(request.app[RECORDS], folder_name(typed_id), values)
    if patient is None:
        return _form(request, kept, ["There is a patient with this ID already."])
    raise web.HTTPSeeOther(f"/patients/{patient.patient_key}")


async def show_edit(request: web.Request) -> web.StreamResponse:
    """`GET /patients/{patient_key}/edit`: the form with what is entered."""
    patient = await asked_patient(request)
    return _form(request, asdict(patient), [], patient)


async def change(request: web.Request) -> web.StreamResponse:
    """`POST /patients/{patient_key}`: replace what is entered, or show what is wrong."""
    form = await read_form(request)
    patient = await asked_patient(request)
    values = entered(form)
    wrong = faults(values, date.today())
    if wrong:
        return _form(request, values, wrong, patient)
    await change_patient(request.app[RECORDS], patient.patient_key, values)
    raise web.HTTPSeeOther(f"/patients/{patient.patient_key}")


def _id_faults(typed_id: str) -> list[str]:
    if not typed_id:
        return ["The patient ID is missing."]
    if len(typed_id) > SHORT:
        return [f"The patient ID is longer than {SHORT} characters."]
    if folder_name(typed_id) == UNASSIGNED:
        return ["This patient ID cannot be used."]
    return []


def _form(
    request: web.Request, values: dict[str, Any], wrong: list[str], patient: Patient | None = None
) -> web.Response:
    """The form: for a new patient, or for the one that is given."""
    page = {
        "title": "Edit patient" if patient else "New patient",
        "section": "patients",
        "patient": patient,
        "groups": GROUPS,
        "id_limit": SHORT,
        "values": values,
        "wrong": wrong,
    }
    return render(request, "patient_form.html", page, 400 if wrong else 200)
