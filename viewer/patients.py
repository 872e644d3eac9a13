"""The pages that show patients: the list by name, and one patient with the history of scans."""

from dataclasses import dataclass
from datetime import date

from aiohttp import web

from daemon.index.identities import is_in_conflict
from daemon.index.patients import Patient, find_patient, list_patients
from daemon.index.scans import ScanRow, scans_of_patient
from daemon.outputs.sentences import FINDING_WORDS, IDENTITY_CONFLICT, moment_words
from viewer.keys import INDEX, RECORDS
from viewer.lookups import asked_patient
from viewer.pages import render
from viewer.patient_fields import GROUPS
from viewer.wording import KINDS, age, found_side, found_size

PAGE = 50


@dataclass(frozen=True)
class HistoryLine:
    """One scan in a patient's history, in words."""

    scan_id: str
    acquired: str
    kind: str
    finding: str
    size: str
    side: str


async def show_patients(request: web.Request) -> web.StreamResponse:
    """`/patients`: a page of all patients by name."""
    records = request.app[RECORDS]
    after = await _asked_after(request)
    start = (after.name, after.patient_id) if after else ("", "")
    found = await list_patients(records, start, PAGE + 1)
    shown, today = found[:PAGE], date.today()
    values = {
        "title": "Patients",
        "section": "patients",
        "patients": [(patient, age(patient.birth_date, today)) for patient in shown],
        "is_first": after is None,
        "next_key": shown[-1].patient_key if len(found) > PAGE else None,
    }
    return render(request, "patients.html", values)


async def show_patient(request: web.Request) -> web.StreamResponse:
    """`/patients/{patient_key}`: what people entered, and the scans."""
    patient = await asked_patient(request)
    scans = await scans_of_patient(request.app[INDEX], patient.patient_id)
    values = {
        "title": "Patient",
        "section": "patients",
        "patient": patient,
        "age": age(patient.birth_date, date.today()),
        "groups": GROUPS,
        "history": [history_line(scan) for scan in scans],
        "in_doubt": IDENTITY_CONFLICT
        if await is_in_conflict(request.app[INDEX], patient.patient_id)
        else "",
    }
    return render(request, "patient.html", values)


def history_line(scan: ScanRow) -> HistoryLine:
    """A scan as a line of its patient's history."""
    kind = scan.report["input"]["kind"]
    return HistoryLine(
        scan.scan_id,
        moment_words(scan.acquired_at),
        KINDS.get(kind, kind),
        FINDING_WORDS[scan.finding],
        found_size(scan.report),
        found_side(scan.report),
    )


async def _asked_after(request: web.Request) -> Patient | None:
    """The last patient of the page before; names and ids stay out of the address."""
    key = request.query.get("after", "")
    patient = await find_patient(request.app[RECORDS], key) if key else None
    if key and patient is None:
        raise web.HTTPNotFound(text="There is no such page of the list.")
    return patient
