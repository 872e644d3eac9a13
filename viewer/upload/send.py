"""Sending an upload: patient chosen or made, what was asked noted, and all of it into the inbox."""

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import MultiMapping

from daemon.drops import UNASSIGNED, folder_name, hash_scan
from daemon.index.people.overrides import add_spacing
from daemon.index.people.patients import (
    Patient,
    add_patient,
    ensure_patients,
    find_patient,
    patients_by_id,
)
from daemon.intake.uploads import UploadFault
from daemon.outputs.catalogue import text
from daemon.records.overrides import WrongDate, WrongSpacing, checked_day, note_date, spacing_of
from model.errors import GliowatchError
from model.rules import Spacing
from viewer.patients.fields import entered, faults
from viewer.request_forms import read_form, read_lists
from viewer.sessions import RECORDS, SESSION, signer
from viewer.templating import render
from viewer.upload.form import NEW, form_of, whose
from viewer.upload.page import asked_upload, page_with
from viewer.upload.staging import DESK, Sent, Upload, refuse_without_inbox

if TYPE_CHECKING:
    from daemon.intake.upload_preview import Preview

    pass


LONGEST_ID = 200  # characters


class NotToBeSent(GliowatchError):
    """Something in the form is missing or wrong; the sentence says what."""


class KnownPatient(GliowatchError):
    """The new patient is not new. patient_key: who it is."""

    def __init__(self, patient_key: str) -> None:
        super().__init__(text("upload.known_patient"))
        self.patient_key = patient_key


@dataclass(frozen=True)
class Told:
    """What a person told of one scan: ISO 8601 date or '', spacing or None."""

    scan: "Preview"
    acquired_on: str
    spacing: Spacing | None


async def show_whose(request: web.Request) -> web.StreamResponse:
    """`POST /upload/held/{upload}/whose`: doubts about the patient who was just chosen."""
    form = await read_form(request)
    upload = asked_upload(request)
    values = await whose(request, upload, form.get("patient", ""), form)
    return render(request, "upload_whose.html", values)


async def send(request: web.Request) -> web.StreamResponse:
    """`POST /upload/held/{upload}/send`: into the inbox, or the form again with what is wrong."""
    form = await read_lists(request)
    upload = asked_upload(request)
    await refuse_without_inbox(request.app)
    chosen = set(form.getall("send", []))
    try:
        await _send(request, upload, form, chosen)
    except KnownPatient as known:
        values = {**form, "patient": known.patient_key}
        return await _again(request, upload, values, chosen, str(known))
    except (NotToBeSent, UploadFault, WrongDate, WrongSpacing) as error:
        return await _again(request, upload, form, chosen, str(error))
    raise web.HTTPSeeOther("/upload")


async def _again(
    request: web.Request, upload: Upload, form: Any, chosen: set[str], wrong: str
) -> web.Response:
    return await page_with(request, await form_of(request, upload, form, chosen, (wrong,)))


async def _send(
    request: web.Request, upload: Upload, form: MultiMapping[Any], chosen: set[str]
) -> None:
    scans = [scan for scan in upload.scans if scan.group in chosen]
    if not scans:
        raise NotToBeSent(text("upload.choose_scan"))
    told = [_told(scan, form) for scan in scans if scan.glance is not None]
    who = signer(request)
    patient = await _patient(request, form)
    for each in told:
        await _note(request, upload, patient, each, who)
    await asyncio.to_thread(upload.held.keep_only, _files(scans))
    folder = await asyncio.to_thread(upload.held.send, patient.patient_id)
    desk = request.app[DESK]
    desk.forget(upload)
    sent = Sent(patient.patient_id, os.fsencode(folder), len(_files(scans)), time.time())
    desk.note_sent(request[SESSION].key, sent)


def _told(scan: "Preview", form: MultiMapping[Any]) -> Told:
    """What was typed for a scan. Raises WrongDate, WrongSpacing."""
    glance = scan.glance
    assert glance is not None, "nothing is asked of what cannot be read"

    def typed(name: str) -> str:
        return str(form.get(f"{name}-{scan.key}", ""))

    day = "" if glance.acquired_at else checked_day(typed("date"), date.today())
    if glance.spacing_mm is not None:
        return Told(scan, day, None)
    numbers = (typed("across"), typed("down"), typed("between"))
    return Told(scan, day, spacing_of(numbers, glance.kind == "image"))


async def _note(
    request: web.Request, upload: Upload, patient: Patient, told: Told, who: str
) -> None:
    """Into the records before the scan comes: analyzed first, it has them already."""
    if not (told.acquired_on or told.spacing):
        return
    content = await request.app[DESK].content_of(upload, told.scan.drop)
    scan_id = hash_scan(patient.patient_id, content)
    if told.acquired_on:
        await note_date(request.app[RECORDS], scan_id, told.acquired_on, who, date.today())
    if told.spacing:
        await add_spacing(request.app[RECORDS], scan_id, told.spacing, who)


async def _patient(request: web.Request, form: MultiMapping[Any]) -> Patient:
    """Whom the form chooses or makes. Raises NotToBeSent, KnownPatient."""
    records, choice = request.app[RECORDS], str(form.get("patient", ""))
    if choice == NEW:
        return await _made(request, {name: str(value) for name, value in form.items()})
    if choice == UNASSIGNED:
        await ensure_patients(records, [UNASSIGNED])
        return (await patients_by_id(records, [UNASSIGNED]))[UNASSIGNED]
    patient = await find_patient(records, choice)
    if patient is None:
        raise NotToBeSent(text("upload.choose_patient"))
    return patient


async def _made(request: web.Request, form: dict[str, str]) -> Patient:
    typed_id, values = form.get("patient_id", "").strip(), entered(form)
    wrong = faults(values, date.today())
    if not 0 < len(typed_id) <= LONGEST_ID or folder_name(typed_id) == UNASSIGNED:
        raise NotToBeSent(text("upload.usable_id"))
    if wrong:
        raise NotToBeSent(wrong[0])
    records, folder = request.app[RECORDS], folder_name(typed_id)
    patient = await add_patient(records, folder, values)
    if patient is None:
        raise KnownPatient((await patients_by_id(records, [folder]))[folder].patient_key)
    return patient


def _files(scans: Iterable["Preview"]) -> set[bytes]:
    return {file.path for scan in scans for file in scan.drop.files}
