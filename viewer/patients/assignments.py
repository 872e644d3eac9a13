"""Scans that belong to nobody yet: each is given to a patient here, and a mistake is taken back."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.drops import UNASSIGNED, folder_name
from daemon.index.people.patients import Patient, list_patients, patients_by_id
from daemon.index.people.triage.assignments import (
    Assignment,
    assignments,
    count_unassigned,
    counted_words,
    unassigned_scans,
)
from daemon.index.scans import ScanRow, find_scan
from daemon.outputs.catalogue import text
from daemon.outputs.wording import KINDS, moment_words
from daemon.records.patients import CannotBeGiven, give, take_back
from viewer.patients.fields import day_words
from viewer.request_forms import read_form, whole_number
from viewer.scans.files import with_pictures
from viewer.sessions import INDEX, RECORDS, SETTINGS, signer
from viewer.templating import found_size, found_words, render

MOST = 50  # scans and assignments on the page
MOST_CHOICES = 1000  # patients whom the field proposes; others can be typed


@dataclass(frozen=True)
class UnassignedLine:
    """One scan that belongs to nobody, in words."""

    scan_id: str
    words: str
    arrived: str
    has_picture: bool


@dataclass(frozen=True)
class GivenLine:
    """One scan that was given, in words; is_open: it can be taken back."""

    number: int
    scan_id: str
    patient: Patient | None
    given: str
    state: str
    is_open: bool


async def show_unassigned(request: web.Request) -> web.StreamResponse:
    """`GET /patients/unassigned`: the scans, and what was given lately."""
    return await _page(request, "")


async def give_scan(request: web.Request) -> web.StreamResponse:
    """`POST /patients/unassigned`: give one scan to the patient whose ID was typed."""
    form = await read_form(request)
    who, typed = signer(request), form.get("patient_id", "").strip()
    index, records = request.app[INDEX], request.app[RECORDS]
    scan = await find_scan(index, form.get("scan_id", ""))
    patient = await _patient(request, typed)
    if scan is None or patient is None:
        return await _page(request, text("unassigned.unknown_id"))
    try:
        await give(
            index, records, daemon=request.app[SETTINGS].daemon, scan=scan, patient=patient, who=who
        )
    except CannotBeGiven as error:
        return await _page(request, str(error))
    except OSError:
        return await _page(request, text("unassigned.no_copy"))
    raise web.HTTPSeeOther("/patients/unassigned")


async def take_scan_back(request: web.Request) -> web.StreamResponse:
    """`POST /patients/unassigned/back`: the assignment was a mistake."""
    form = await read_form(request)
    who, number = signer(request), whole_number(form.get("assignment", ""))
    await take_back(request.app[INDEX], request.app[RECORDS], number, who)
    raise web.HTTPSeeOther("/patients/unassigned")


async def _patient(request: web.Request, typed: str) -> Patient | None:
    """The patient of a typed ID: as the folder is named, or as it stands in the PACS."""
    names = [typed, folder_name(typed)] if typed else []
    found = await patients_by_id(request.app[RECORDS], names)
    known = [found[name] for name in names if name in found and not found[name].deleted_at]
    return next((patient for patient in known if patient.patient_id != UNASSIGNED), None)


async def _page(request: web.Request, wrong: str) -> web.Response:
    index, records = request.app[INDEX], request.app[RECORDS]
    scans = await unassigned_scans(index, MOST)
    pictured = await with_pictures(request, scans)
    given = (await assignments(records))[:MOST]
    known = await patients_by_id(records, {each.patient_id for each in given})
    choices = await list_patients(records, limit=MOST_CHOICES)
    values: dict[str, Any] = {
        "title": text("unassigned.title"),
        "section": "patients",
        "lines": [_line(scan, scan.scan_id in pictured) for scan in scans],
        "count": counted_words(await count_unassigned(index)),
        "given": [
            _given_line(each, known.get(each.patient_id), await find_scan(index, each.target))
            for each in given
        ],
        "choices": [each for each in choices if each.patient_id != UNASSIGNED],
        "wrong": wrong,
    }
    return render(request, "patient_unassigned.html", values, 400 if wrong else 200)


def _line(scan: ScanRow, has_picture: bool) -> UnassignedLine:
    kind, size = scan.report.input.kind, found_size(scan.report)
    at = scan.acquired_at
    acquired = (
        text("unassigned.acquired", day=day_words(at)) if at else text("unassigned.without_date")
    )
    parts = [KINDS.get(kind, kind), acquired, found_words(scan.report), size]
    about = ", ".join(part for part in parts if part)
    return UnassignedLine(scan.scan_id, about, moment_words(scan.published_at), has_picture)


def _given_line(each: Assignment, patient: Patient | None, target: ScanRow | None) -> GivenLine:
    shown = None if patient is None or patient.deleted_at else patient
    given = text("unassigned.assigned_by", moment=moment_words(each.given_at), by=each.given_by)
    if each.taken_back_at:
        moment, by = moment_words(each.taken_back_at), each.taken_back_by
        state = text("unassigned.undone_by", moment=moment, by=by)
        return GivenLine(
            number=each.assignment,
            scan_id="",
            patient=shown,
            given=given,
            state=state,
            is_open=False,
        )
    state = text("unassigned.waiting" if target is None else "unassigned.analyzed")
    scan_id = each.target if target is not None else each.scan_id
    return GivenLine(
        number=each.assignment,
        scan_id=scan_id,
        patient=shown,
        given=given,
        state=state,
        is_open=True,
    )
