"""The API's lists: the worklist and the patients, a page at a time, and searches for names."""

import json

from aiohttp import web

from daemon.index.people.patient_search import scan_counts
from daemon.index.worklist.record_updates import catch_up
from daemon.index.worklist.rows import Row
from viewer.api.request_fields import Search, answer, read_body
from viewer.api.response_fields import PatientList, PatientRow, SearchKey, Worklist, WorklistRow
from viewer.lookups import GONE, remember
from viewer.patients.list import NO_SCAN, PAGE, asked_list, found_patients, list_address
from viewer.sessions import INDEX, JOINED, RECORDS, SESSION
from viewer.worklist.filter_and_sort import asked_of, read_address
from viewer.worklist.page import page_at
from viewer.worklist.rows import known_rows


async def search(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/searches`: keep the words, so that no address holds a name."""
    asked = await read_body(request, Search)
    return answer(SearchKey(q=remember(request[SESSION], " ".join(asked.text.split()))), 201)


async def list_scans(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/worklist`: filters, order and place as in the page's address."""
    address = read_address(request)
    await catch_up(request.app[JOINED], request.app[RECORDS])
    asked = await asked_of(request, address)
    if asked is None:
        raise web.HTTPNotFound(text=GONE)
    page = await page_at(request, address, asked)
    rows = await known_rows(request, page.shown)
    later = address.link(request.path, after=page.later) if page.later else None
    return answer(Worklist(rows=[_row(row) for row in rows], next=later))


async def list_patients(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/patients`: order, search and place as in the page's address."""
    asked = await asked_list(request)
    found = await found_patients(request.app[INDEX], request.app[RECORDS], asked)
    shown = found[:PAGE]
    counts = await scan_counts(request.app[INDEX], [each.patient_id for each in shown])
    lines = [
        PatientRow(
            patient_key=each.patient_key,
            patient_id=each.patient_id,
            name=each.name,
            birth_date=each.birth_date,
            scans=counts.get(each.patient_id, NO_SCAN).count,
            last_scan=counts.get(each.patient_id, NO_SCAN).last,
        )
        for each in shown
    ]
    more = len(found) > PAGE
    later = list_address(asked.order, asked.key, shown[-1].patient_key) if more else ""
    return answer(PatientList(patients=lines, next=f"/api/v1{later}" if later else None))


def _row(row: Row) -> WorklistRow:
    brief = json.loads(row.brief or "{}")
    return WorklistRow(
        state=row.state,
        patient_key=row.patient_key or "",
        patient_id=row.patient_id,
        patient_name=row.patient_name,
        arrived_at=row.arrived_at,
        acquired_at=row.acquired_at,
        scan_id=row.scan_id,
        finding=brief.get("finding"),
        volume_ml=brief.get("volume_ml"),
        flags=[str(note["code"]) for note in brief.get("quality", [])],
        decision=row.decision,
        reviewer=row.reviewer,
        reason=row.reason,
    )
