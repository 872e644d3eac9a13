"""The upload form, and what comes after it: a word on the worklist, or the form again."""

from aiohttp import web

from daemon.inbox import NameRules
from daemon.index.patients import find_patient, list_patients
from daemon.names import UNASSIGNED
from viewer.keys import RECORDS, SETTINGS
from viewer.pages import render
from viewer.uploading import Place, receive

MOST_PATIENTS = 500
NO_FILE = "No file was chosen."
MEGABYTE = 10**6


async def show_upload(request: web.Request) -> web.StreamResponse:
    """`GET /upload`: the form; `?patient=` chooses a patient beforehand."""
    return await _form(request, "", 200)


async def take_upload(request: web.Request) -> web.StreamResponse:
    """`POST /upload`: write the files into the inbox as one drop."""
    settings = request.app[SETTINGS]

    async def folder_of(choice: str) -> str:
        """The patient's folder for the form's choice, which is a patient_key or `unassigned`."""
        if choice == UNASSIGNED:
            return UNASSIGNED
        patient = await find_patient(request.app[RECORDS], choice)
        if patient is None:
            raise web.HTTPBadRequest(text="There is no such patient.")
        return patient.patient_id

    daemon, limit = settings.daemon, settings.viewer.max_upload_mb * MEGABYTE
    rules = NameRules(daemon.ignore_names, daemon.wait_suffixes)
    count = await receive(request, Place(daemon.inbox, rules, limit), folder_of)
    if count == 0:
        return await _form(request, NO_FILE, 400)
    raise web.HTTPSeeOther(f"/?received={count}")


async def _form(request: web.Request, wrong: str, status: int) -> web.Response:
    patients = await list_patients(request.app[RECORDS], limit=MOST_PATIENTS)
    values = {
        "title": "Upload",
        "section": "upload",
        "patients": [patient for patient in patients if patient.patient_id != UNASSIGNED],
        "unassigned": UNASSIGNED,
        "chosen": request.query.get("patient", UNASSIGNED),
        "max_mb": request.app[SETTINGS].viewer.max_upload_mb,
        "wrong": wrong,
    }
    return render(request, "upload.html", values, status)
