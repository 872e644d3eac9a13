"""The list of patients: searched by name or ID, in any of three orders, a page at a time."""

from dataclasses import dataclass
from datetime import date

from aiohttp import web

from daemon.index.database import Database
from daemon.index.people.patient_deletion import deletions
from daemon.index.people.patient_search import (
    MOST_FOUND,
    Order,
    ScanCount,
    count_patients,
    found_ids,
    ids_by_last_scan,
    page_of_patients,
    scan_counts,
)
from daemon.index.people.patients import Patient, find_patient, patients_by_id
from daemon.index.people.triage.assignments import count_unassigned, counted_words
from daemon.outputs.catalogue import text
from daemon.outputs.wording import not_known
from viewer.lookups import recall
from viewer.patients.fields import day_words
from viewer.sessions import INDEX, RECORDS, SESSION
from viewer.templating import age, render

PAGE = 50
NO_SCAN = ScanCount(0, "")
ORDERS = {Order.NAME: "by_name", Order.ID: "by_id", Order.LAST_SCAN: "by_last"}


@dataclass(frozen=True)
class PatientLine:
    """One patient in the list, in words."""

    patient: Patient
    age: int | None
    scans: int
    last: str


@dataclass(frozen=True)
class Asked:
    """What the address asks for; key: of the search in this session, '' for none."""

    order: Order
    key: str
    text: str
    after: Patient | None


async def show_patients(request: web.Request) -> web.StreamResponse:
    """`/patients`: a page of the patients, all or those whom a search finds."""
    asked = await asked_list(request)
    index, records = request.app[INDEX], request.app[RECORDS]
    found = await found_patients(index, records, asked)
    shown, today = found[:PAGE], date.today()
    counts = await scan_counts(index, [patient.patient_id for patient in shown])
    values = {
        "title": text("patients.title"),
        "section": "patients",
        "lines": [
            _line(patient, counts.get(patient.patient_id, NO_SCAN), today) for patient in shown
        ],
        "text": asked.text,
        "back": list_address(asked.order),
        "order": asked.order,
        "orders": [
            (each, text(f"patients.{key}"), list_address(each, asked.key))
            for each, key in ORDERS.items()
        ],
        "count": _count_words(await count_patients(records, asked.text), bool(asked.text)),
        "unassigned": counted_words(await count_unassigned(index)),
        "deleted": len(await deletions(records)),
        "first": list_address(asked.order, asked.key) if asked.after else "",
        "following": list_address(asked.order, asked.key, shown[-1].patient_key)
        if len(found) > PAGE
        else "",
    }
    return render(request, "patients.html", values)


def list_address(order: str, key: str = "", after: str = "") -> str:
    """The address of a page of the list; no name and no ID is in it."""
    plain = {"order": "" if order == Order.NAME else order, "q": key, "after": after}
    query = "&".join(f"{name}={value}" for name, value in plain.items() if value)
    return f"/patients?{query}" if query else "/patients"


async def found_patients(index: Database, records: Database, asked: Asked) -> list[Patient]:
    """One more than a page, so that it is known whether another follows."""
    if asked.order is not Order.LAST_SCAN:
        return await page_of_patients(records, asked.text, asked.order, asked.after, PAGE + 1)
    among = await found_ids(records, asked.text) if asked.text else None
    after = None
    if asked.after is not None:
        patient_id = asked.after.patient_id
        counts = await scan_counts(index, [patient_id])
        after = (counts.get(patient_id, NO_SCAN).last, patient_id)
    ids = await ids_by_last_scan(index, among, after, PAGE + 1)
    known = await patients_by_id(records, ids)
    return [known[each] for each in ids if each in known and not known[each].deleted_at]


def _count_words(count: int, is_search: bool) -> str:
    """How many there are; of what a search finds only so many are counted."""
    if is_search and count > MOST_FOUND:
        return text("patients.found_more", count=MOST_FOUND)
    return text("patients.found" if is_search else "patients.count", count=count)


def _line(patient: Patient, counted: ScanCount, today: date) -> PatientLine:
    last = _last_words(counted.last) if counted.last else ""
    return PatientLine(patient, age(patient.birth_date, today), counted.count, last)


def _last_words(last: str) -> str:
    """The day of the last scan; where none has a date, the list is sorted by arrival alone."""
    is_arrival = last.endswith("+00:00")  # as moments of ours are kept; scanners tell no zone
    return not_known() if is_arrival else day_words(last)


async def asked_list(request: web.Request) -> Asked:
    """What an address asks for; HTTPNotFound for one that no link of ours has."""
    order, key = request.query.get("order", Order.NAME), request.query.get("q", "")
    typed = recall(request[SESSION], key) if key else ""
    after = await _asked_after(request)
    if order not in list(Order) or typed is None:
        raise web.HTTPNotFound(text=text("fault.search_again"))
    return Asked(Order(order), key, typed, after)


async def _asked_after(request: web.Request) -> Patient | None:
    """The last patient of the page before; names and ids stay out of the address."""
    key = request.query.get("after", "")
    patient = await find_patient(request.app[RECORDS], key) if key else None
    if key and (patient is None or patient.deleted_at):
        raise web.HTTPNotFound(text=text("fault.no_list_page"))
    return patient
