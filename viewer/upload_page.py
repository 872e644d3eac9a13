"""The upload page, and its plain form for a browser without scripts."""

from typing import Any

from aiohttp import web

from daemon.inbox import NameRules
from daemon.index.patients import find_patient
from daemon.names import UNASSIGNED
from viewer.keys import RECORDS, SETTINGS
from viewer.pages import render
from viewer.upload_desk import refuse_when_full, refuse_without_inbox
from viewer.upload_form import choices
from viewer.upload_sent import sent_lines
from viewer.uploading import MEGABYTE, Place, receive

NO_FILE = "No file was chosen."


async def show_upload(request: web.Request) -> web.StreamResponse:
    """`GET /upload`: the page; `?patient=` chooses a patient beforehand."""
    return await _page(request, {}, 200)


async def take_upload(request: web.Request) -> web.StreamResponse:
    """`POST /upload`: write the files into the inbox as one drop."""
    count = await place_upload(request)
    if count == 0:
        return await _page(request, {"plain_wrong": NO_FILE}, 400)
    raise web.HTTPSeeOther(f"/?received={count}")


async def place_upload(request: web.Request) -> int:
    """Stream the files of a multipart request into the inbox as one drop; how many they were."""
    settings = request.app[SETTINGS]
    await refuse_without_inbox(request.app)
    await refuse_when_full(request)

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
    return await receive(request, Place(daemon.inbox, rules, limit), folder_of)


async def page_with(request: web.Request, form: dict[str, Any]) -> web.Response:
    """The page with a form that could not be sent yet."""
    return await _page(request, form, 400)


async def _page(request: web.Request, more: dict[str, Any], status: int) -> web.Response:
    chosen = request.query.get("patient", UNASSIGNED)
    values = {
        "title": "Upload",
        "section": "upload",
        "patients": await choices(request, chosen),
        "unassigned": UNASSIGNED,
        "chosen": chosen,
        "max_mb": request.app[SETTINGS].viewer.max_upload_mb,
        **await sent_lines(request),
        **more,
    }
    return render(request, "upload.html", values, status)
