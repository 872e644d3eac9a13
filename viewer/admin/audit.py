"""The audit, for administrators: filtered pages with names, newest first, and all of it as CSV.

On the page, what one person opened of one scan within ten minutes is a row; the CSV has each entry.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from aiohttp import web

from daemon.drops import UNASSIGNED
from daemon.index.people.accounts import list_accounts
from daemon.index.people.audit import (
    COLUMNS,
    Action,
    AuditFilter,
    Entry,
    all_entries,
    page_of_audit,
)
from daemon.index.people.patient_search import find_patients
from daemon.index.people.patients import Patient, find_patient, patients_by_id
from daemon.index.scans import ids_of_scans, patients_of_scans
from daemon.outputs.catalogue import text, words
from daemon.outputs.tables import plain_cell
from viewer.lookups import recall
from viewer.request_forms import whole_number
from viewer.sessions import INDEX, JOINED, RECORDS, SESSION
from viewer.templating import id_words, is_day, render, start_of, stored

PAGE = 300  # entries, which are fewer rows
ROWS_AT_ONCE = 500
ONE_VIEW = timedelta(minutes=10)
LOOKING = (Action.VIEW.value, Action.DOWNLOAD.value)


@dataclass(frozen=True)
class Address:
    """What the page's address says. q: the key of a search for patients; first, last: days."""

    account: str = ""
    q: str = ""
    first: str = ""
    last: str = ""
    before: str = ""

    def link(self, before: int | None = None) -> str:
        """The same filters from another place on."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        said["before"] = str(before or "")
        query = urlencode({name: value for name, value in said.items() if value})
        return f"/audit?{query}" if query else "/audit"


@dataclass
class AuditRow:
    """One row of the page. first_at: of its oldest entry; details: of each, the oldest first.

    files: how many of them are files that were sent, pictures of pages among them.
    """

    number: int
    at: str
    account: str
    action: str
    subject: str
    first_at: str
    details: list[str]
    files: int = 0
    full_name: str = ""
    patient: str = ""
    link: str = ""


async def show_audit(request: web.Request) -> web.StreamResponse:
    """`GET /audit`: `before` a number; of one `account`, of searched patients, of some days."""
    records, address = request.app[RECORDS], _read_address(request)
    asked = AuditFilter(
        address.account, await _subjects(request, address.q), *_days(address.first, address.last)
    )
    before = int(address.before) if address.before else None
    entries = await page_of_audit(records, before, asked, PAGE + 1)
    accounts = {each.name: each.full_name for each in await list_accounts(records)}
    rows = one_row_a_view(entries[:PAGE])
    await _name(request, rows, accounts)
    values = {
        "title": text("audit.title"),
        "section": "audit",
        "actions": words("audit_action"),
        "rows": rows,
        "address": address,
        "search": recall(request[SESSION], address.q) or "",
        "accounts": list(accounts),
        "older": address.link(entries[PAGE - 1].number) if len(entries) > PAGE else "",
        "newest": address.link() if before else "",
    }
    return render(request, "audit.html", values)


def _read_address(request: web.Request) -> Address:
    """HTTPNotFound for one that no link of ours has."""
    address = Address(**{each.name: request.query.get(each.name, "") for each in fields(Address)})
    if address.before and whole_number(address.before, or_else=-1) < 0:
        raise web.HTTPNotFound(text=text("audit.no_page"))
    if not (is_day(address.first) and is_day(address.last)):
        raise web.HTTPNotFound(text=text("fault.no_day"))
    return address


def _days(first: str, last: str) -> tuple[str, str]:
    """From when to when days last, as the records keep moments; '' is open."""
    since = stored(start_of(date.fromisoformat(first))) if first else ""
    after = date.fromisoformat(last) + timedelta(days=1) if last else None
    return since, stored(start_of(after)) if after else ""


async def _subjects(request: web.Request, key: str) -> tuple[str, ...] | None:
    """Whom a search has found, and their scans; None without a search."""
    typed = recall(request[SESSION], key) if key else ""
    if typed is None:
        raise web.HTTPNotFound(text=text("fault.search_gone"))
    if not typed:
        return None
    found = await find_patients(request.app[JOINED], typed)
    patients = await patients_by_id(request.app[RECORDS], found)
    scans = await ids_of_scans(request.app[INDEX], found)
    return (*(each.patient_key for each in patients.values()), *scans)


def one_row_a_view(entries: list[Entry]) -> list[AuditRow]:
    """Entries, newest first, as rows: looks of one account at one thing within ten minutes are
    one, unless something else was done to it in between."""
    rows: list[AuditRow] = []
    seen: dict[tuple[str, str], AuditRow] = {}
    for entry in entries:
        key, is_look = (entry.account, entry.subject), entry.action in LOOKING
        row = seen.get(key)
        if row is None or not is_look or _minutes_between(entry.at, row.first_at) > ONE_VIEW:
            told = (entry.number, entry.at, entry.account, entry.action, entry.subject)
            row = AuditRow(*told, first_at=entry.at, details=[])
            rows.append(row)
        row.first_at = entry.at
        row.details.insert(0, entry.detail)
        row.files += entry.action == Action.DOWNLOAD
        if entry.action == Action.VIEW:
            row.action = entry.action
        if is_look:
            seen[key] = row
        else:
            seen.pop(key, None)
    return rows


def _minutes_between(before: str, after: str) -> timedelta:
    return datetime.fromisoformat(after) - datetime.fromisoformat(before)


async def _name(request: web.Request, rows: list[AuditRow], accounts: Mapping[str, str]) -> None:
    """Whose account it is, and whose scan or record each row is about."""
    index, records = request.app[INDEX], request.app[RECORDS]
    subjects = {row.subject for row in rows if row.subject and not row.subject.startswith("/")}
    patient_of = await patients_of_scans(index, subjects)
    known = await patients_by_id(records, patient_of.values())
    by_key = {key: await find_patient(records, key) for key in subjects - patient_of.keys()}
    for row in rows:
        row.full_name = accounts.get(row.account, "")
        scanned = known.get(patient_of.get(row.subject, ""))
        patient = scanned or by_key.get(row.subject)
        if patient is not None:
            row.patient = _words(patient)
            row.link = f"/scans/{row.subject}" if scanned else f"/patients/{row.subject}"


def _words(patient: Patient) -> str:
    if patient.patient_id == UNASSIGNED:
        return text("audit.nobody")
    return patient.name or id_words(patient.patient_id)


async def send_audit(request: web.Request) -> web.StreamResponse:
    """`GET /audit.csv`: every entry with its hash, oldest first, streamed."""
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": 'attachment; filename="audit.csv"',
    }
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    rows: list[list[str]] = [COLUMNS.split(", ")]
    async for entry in all_entries(request.app[RECORDS]):
        rows.append([str(plain_cell(value)) for value in vars(entry).values()])
        if len(rows) >= ROWS_AT_ONCE:
            await response.write(_lines(rows))
            rows = []
    await response.write(_lines(rows))
    await response.write_eof()
    return response


def _lines(rows: list[list[str]]) -> bytes:
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    return table.getvalue().encode()
