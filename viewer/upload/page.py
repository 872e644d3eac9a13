"""The upload page: its plain form, what its script asks for, and what became of what was sent."""

import asyncio
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from daemon.drops import UNASSIGNED, State, readable
from daemon.index.inventory import SentDrop, drops_of_upload
from daemon.index.people.patients import Patient, find_patient
from daemon.intake.uploads import UploadFault
from daemon.outputs.catalogue import text
from viewer.lookups import known_patients
from viewer.monitoring import stopped_sentence
from viewer.request_forms import CSRF_HEADER, check_csrf, read_fields, read_form
from viewer.sessions import INDEX, RECORDS, SESSION, SETTINGS
from viewer.templating import FINDINGS, STATES, render
from viewer.upload.form import choices, form_of
from viewer.upload.staging import (
    DESK,
    Sent,
    Upload,
    refuse_without_inbox,
)
from viewer.uploads_streaming import MOST_FILES, pieces, receive, receive_file


async def show_upload(request: web.Request) -> web.StreamResponse:
    """`GET /upload`: the page; `?patient=` chooses a patient beforehand."""
    return await _page(request, {}, 200)


async def take_upload(request: web.Request) -> web.StreamResponse:
    """`POST /upload`: write the files into the inbox as one drop."""
    count = await place_upload(request)
    if count == 0:
        return await _page(request, {"plain_wrong": text("upload.no_file")}, 400)
    raise web.HTTPSeeOther(f"/?received={count}")


async def place_upload(request: web.Request) -> int:
    """Stream the files of a multipart request into the inbox as one drop; how many they were."""
    desk = request.app[DESK]
    await refuse_without_inbox(request.app)
    meter = desk.meter()
    await meter.refuse_when_full(request.content_length or 0)

    async def folder_of(choice: str) -> str:
        """The patient's folder for the form's choice, which is a patient_key or `unassigned`."""
        if choice == UNASSIGNED:
            return UNASSIGNED
        patient = await find_patient(request.app[RECORDS], choice)
        if patient is None:
            raise web.HTTPBadRequest(text=text("fault.no_patient"))
        return patient.patient_id

    return await receive(request, desk.hold, meter, folder_of)


async def page_with(request: web.Request, form: dict[str, Any]) -> web.Response:
    """The page with a form that could not be sent yet."""
    return await _page(request, form, 400)


async def _page(request: web.Request, more: dict[str, Any], status: int) -> web.Response:
    chosen = request.query.get("patient", UNASSIGNED)
    values = {
        "title": text("upload.title"),
        "section": "upload",
        "patients": await choices(request, chosen),
        "unassigned": UNASSIGNED,
        "chosen": chosen,
        "max_mb": request.app[SETTINGS].viewer.max_upload_mb,
        **await sent_lines(request),
        **more,
    }
    return render(request, "upload.html", values, status)


@dataclass(frozen=True)
class SentLine:
    """One scan that was sent, in words; state: for its colour."""

    patient: Patient
    label: str
    state: str
    words: str
    reason: str = ""
    scan_id: str = ""
    finding: str = ""


async def show_sent(request: web.Request) -> web.StreamResponse:
    """`GET /upload/sent`: the list alone, for htmx."""
    return render(request, "upload_sent.html", await sent_lines(request))


async def sent_lines(request: web.Request) -> dict[str, Any]:
    """Values of the list's template: what this session sent, the newest first."""
    sent = request.app[DESK].sent.get(request[SESSION].key, [])
    patients = await known_patients(request, {each.patient_id for each in sent})
    lines: list[SentLine] = []
    for each in sent:
        lines += await _lines(request, each, patients[each.patient_id])
    moving = any(line.state in (State.WAITING, State.RUNNING) for line in lines)
    return {"sent": lines, "moving": moving, "stopped": await stopped_sentence(request)}


async def _lines(request: web.Request, sent: Sent, patient: Patient) -> list[SentLine]:
    drops = await drops_of_upload(request.app[INDEX], sent.patient_id, sent.folder)
    if not drops:
        return [SentLine(patient, _count(sent.files), State.WAITING, text("upload.not_seen"))]
    return [_line(patient, drop) for drop in drops]


def _line(patient: Patient, drop: SentDrop) -> SentLine:
    is_one = drop.files == 1 and b"/" in drop.unit
    label = readable(os.path.basename(drop.unit.split(b"\0")[0])) if is_one else _count(drop.files)
    resting = drop.state is State.WAITING and not drop.rested
    words = text("upload.resting") if resting else STATES[drop.state]
    finding = FINDINGS.get(drop.finding, "")
    return SentLine(
        patient=patient,
        label=label,
        state=drop.state,
        words=words,
        reason=drop.reason,
        scan_id=drop.scan_id,
        finding=finding,
    )


def _count(files: int) -> str:
    return text("upload.files", count=files)


NAME_HEADER = "X-File-Path"  # percent-encoded: names of files stand in no address
LONGEST_NAME = 4000  # characters, encoded


async def begin(request: web.Request) -> web.StreamResponse:
    """`POST /upload/held`: hold a new upload; its name."""
    _check(request)
    await refuse_without_inbox(request.app)
    try:
        upload = await request.app[DESK].begin(request[SESSION].key, request[SESSION].account_id)
    except UploadFault as error:
        raise web.HTTPTooManyRequests(text=str(error)) from None
    return web.json_response({"upload": upload.held.name})


async def take(request: web.Request) -> web.StreamResponse:
    """`PUT /upload/held/{upload}/files`: one file, whole or not at all."""
    _check(request)
    upload = asked_upload(request)
    name = request.headers.get(NAME_HEADER, "")
    if not name or len(name) > LONGEST_NAME:
        raise web.HTTPBadRequest(text=text("upload.bad_name"))
    upload.meter.announce(request.content_length)
    await upload.meter.refuse_when_full(request.content_length or 0)
    if upload.held.count >= MOST_FILES:
        raise web.HTTPConflict(text=text("upload_fault.most_files", most=MOST_FILES))
    await receive_file(upload.held, unquote(name), pieces(request), upload.meter)
    return web.Response(status=204)


async def look(request: web.Request) -> web.StreamResponse:
    """`POST /upload/held/{upload}/look`: what was understood, with the form that sends it."""
    _check(request)
    upload = asked_upload(request)
    try:
        await request.app[DESK].look(upload)
    except UploadFault as error:
        raise web.HTTPNotFound(text=str(error)) from None
    values = await form_of(request, upload, await read_fields(request))
    return render(request, "upload_understood.html", values)


async def give_up(request: web.Request) -> web.StreamResponse:
    """`POST /upload/held/{upload}/cancel`: nothing of it is kept."""
    await read_form(request)
    upload = asked_upload(request)
    request.app[DESK].forget(upload)
    await asyncio.to_thread(upload.held.cancel)
    raise web.HTTPSeeOther("/upload")


def asked_upload(request: web.Request) -> Upload:
    """The upload of the address, if it is of this session; or HTTPNotFound."""
    return request.app[DESK].find(request.match_info["upload"], request[SESSION].key)


def _check(request: web.Request) -> None:
    check_csrf(request[SESSION], request.headers.get(CSRF_HEADER, ""))
