"""What the API's endpoints do: lists, patients, scans, uploads, queue, system, agreement."""

import asyncio
from dataclasses import asdict, replace
from datetime import date, datetime

from aiohttp import web

from daemon.drops import shown_id
from daemon.index.patient_scans import scans_together
from daemon.index.people.corrections import corrections_of
from daemon.index.people.patient_search import scan_counts
from daemon.index.people.patients import change_patient, find_patient
from daemon.index.people.reviews import corrected_masks, last_words, reviews_of
from daemon.index.queue import PAGE as QUEUE_PAGE
from daemon.index.sent_objects import objects_of_scan
from daemon.index.worklist_rows import Row, catch_up
from daemon.operations.status import condition
from daemon.outputs.catalogue import text
from daemon.records import reviews
from daemon.report import read_brief
from viewer.admin.monthly_figures import figures_now
from viewer.admin.system import LISTS, asked_page, do
from viewer.api.request_fields import (
    AcquiredOn,
    ChangedPatient,
    Confirmed,
    MergeNumber,
    MergeWish,
    NewPatient,
    NewReview,
    PixelSpacing,
    QueueAction,
    ScansAction,
    Search,
    answer,
    read_body,
)
from viewer.api.response_fields import (
    Agreement,
    Done,
    FileLink,
    MergedPatient,
    MonthsAndScanners,
    OnePatient,
    OneScan,
    PatientList,
    PatientRow,
    QueuePage,
    Received,
    ScanNamed,
    ScanOfPatient,
    SearchKey,
    SentLine,
    SentList,
    SystemNow,
    Worklist,
    WorklistRow,
)
from viewer.lookups import asked_revisions, asked_scan, known_patients, remember
from viewer.patients.deletion import bring_back_asked, delete_if_typed
from viewer.patients.edit import editable_patient, enter_patient
from viewer.patients.fields import entered, faults
from viewer.patients.list import NO_SCAN, PAGE, asked_list, found_patients, list_address
from viewer.patients.merge import merge_keyed, merge_lines, undo_numbered
from viewer.request_forms import FORM
from viewer.scans.files import Role, held_files, listed_files
from viewer.scans.overrides import take_date, take_spacing
from viewer.scans.reviews import PageState, take_statement
from viewer.scans.sent_objects import wish_to_send
from viewer.sessions import INDEX, JOINED, RECORDS, SESSION, SETTINGS, signer
from viewer.upload.page import place_upload
from viewer.worklist.bulk_actions import Wish, do_to_scans
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
        raise web.HTTPNotFound(text=text("fault.search_gone"))
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
            patient_id=shown_id(each.patient_id),
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
    brief = read_brief(row.brief) if row.brief else None
    return WorklistRow(
        state=row.state,
        patient_key=row.patient_key or "",
        patient_id=shown_id(row.patient_id),
        patient_name=row.patient_name,
        arrived_at=row.arrived_at,
        acquired_at=row.acquired_at,
        scan_id=row.scan_id,
        finding=brief.finding if brief else None,
        volume_ml=brief.volume_ml if brief else None,
        flags=[note.code for note in brief.quality] if brief else [],
        decision=row.decision,
        reviewer=row.reviewer,
        reason=row.reason,
        labels=list(row.labels),
        assignee=row.assignee or None,
    )


async def show_patient(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/patients/{patient_key}`."""
    return await _told(request, (await editable_patient(request)).patient_key)


async def add(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/patients`."""
    new = await read_body(request, NewPatient)
    values = entered(new.entered.model_dump())
    patient, wrong = await enter_patient(request, new.patient_id.strip(), values)
    if patient is None:
        raise web.HTTPBadRequest(text=" ".join(wrong))
    return await _told(request, patient.patient_key, 201)


async def change(request: web.Request) -> web.StreamResponse:
    """`PATCH /api/v1/patients/{patient_key}`: fields that are left out stay."""
    sent = await read_body(request, ChangedPatient)
    patient = await editable_patient(request)
    values = entered(asdict(patient) | sent.entered.model_dump(exclude_unset=True))
    if wrong := faults(values, date.today()):
        raise web.HTTPBadRequest(text=" ".join(wrong))
    records, key = request.app[RECORDS], patient.patient_key
    if not await change_patient(records, key, sent.version, values, signer(request)):
        raise web.HTTPConflict(text=text("api.record_changed"))
    return await _told(request, key)


async def delete(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/patients/{patient_key}/delete`."""
    if not await delete_if_typed(request, (await read_body(request, Confirmed)).patient_id):
        raise web.HTTPBadRequest(text=text("delete.wrong_id"))
    return web.Response(status=204)


async def undelete(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/patients/{patient_key}/undelete`."""
    return await _told(request, await bring_back_asked(request))


async def merge(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/patients/{patient_key}/merge`: 409 for two who cannot be merged."""
    asked = await read_body(request, MergeWish)
    return await _told(request, (await merge_keyed(request, asked.into, asked.reason)).patient_key)


async def unmerge(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/patients/{patient_key}/unmerge`."""
    number = (await read_body(request, MergeNumber)).number
    return await _told(request, (await undo_numbered(request, number)).patient_key)


async def _told(request: web.Request, patient_key: str, status: int = 200) -> web.Response:
    patient = await find_patient(request.app[RECORDS], patient_key)
    assert patient is not None, "it was just found"
    scans = await scans_together(request.app[INDEX], patient.patient_id)
    lines = [
        ScanOfPatient(
            scan_id=each.scan_id,
            revision=each.revision,
            finding=each.finding,
            volume_ml=each.volume_ml,
            acquired_at=each.acquired_at,
            published_at=each.published_at,
            patient_id=shown_id(each.patient_id),
        )
        for each in scans
    ]
    shown = replace(patient, patient_id=shown_id(patient.patient_id))
    told = await merge_lines(request, patient)
    merges = [MergedPatient.of(each, patient) for each in told if not each.undone]
    return answer(OnePatient(patient=shown, scans=lines, merges=merges), status)


async def show_scan(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/scans/{scan_id}`: the newest revision, or the one of `?revision=`."""
    scan, revisions = await asked_revisions(request)
    records, outbox = request.app[RECORDS], request.app[SETTINGS].daemon.outbox
    patient = (await known_patients(request, [scan.patient_id]))[scan.patient_id]
    held = await asyncio.to_thread(held_files, outbox, scan)
    reviews = await reviews_of(records, scan.scan_id)
    corrections = await corrections_of(records, scan.scan_id)
    roles = [role for _, group in listed_files(held) for role in group]
    report = scan.report.changed(patient_id=shown_id(scan.patient_id))
    if report.change:
        report = report.changed(change=report.change.told)
    return answer(
        OneScan(
            scan_id=scan.scan_id,
            revision=scan.revision,
            revisions=[each.revision for each in revisions],
            patient_key=patient.patient_key,
            published_at=scan.published_at,
            removed_at=scan.removed_at,
            report=report,
            reviews=reviews,
            seen=PageState.of(revisions[0], reviews, corrections).token,
            files=[_link(request.path, scan.revision, role) for role in roles],
        )
    )


async def review(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/scans/{scan_id}/reviews`: 409 where somebody else spoke meanwhile."""
    said = await read_body(request, NewReview)
    scan = await asked_scan(request)
    form = {name: str(value) for name, value in said.model_dump().items()}
    if await take_statement(request, scan, form) is not None:
        raise web.HTTPConflict(text=text("api.news"))
    return answer(ScanNamed(scan_id=scan.scan_id), 201)


async def act_on_scans(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/worklist`: what the list does to the chosen scans."""
    said = await read_body(request, ScansAction)
    wish = Wish(**said.model_dump(exclude={"scans"}))
    return answer(Done(count=await do_to_scans(request, said.scans, wish)))


async def enter_date(request: web.Request) -> web.StreamResponse:
    """`PUT /api/v1/scans/{scan_id}/date`."""
    scan = await take_date(request, (await read_body(request, AcquiredOn)).acquired_on)
    return answer(ScanNamed(scan_id=scan.scan_id))


async def enter_spacing(request: web.Request) -> web.StreamResponse:
    """`PUT /api/v1/scans/{scan_id}/spacing`."""
    said = await read_body(request, PixelSpacing)
    numbers = (said.across, said.down, said.between)
    across, down, between = ("" if each is None else str(each) for each in numbers)
    scan = await take_spacing(request, (across, down, between))
    return answer(ScanNamed(scan_id=scan.scan_id))


async def list_sent(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/scans/{scan_id}/sent`."""
    scan = await asked_scan(request)
    found = await objects_of_scan(request.app[INDEX], scan.scan_id)
    return answer(SentList(objects=[SentLine.of(each) for each in found]))


async def send_again(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/scans/{scan_id}/send`: 409 where the settings name no archive."""
    scan = await wish_to_send(request)
    return answer(ScanNamed(scan_id=scan.scan_id), 202)


def _link(path: str, revision: int, role: Role) -> FileLink:
    return FileLink(
        role=role.name,
        content_type=role.content_type,
        label=role.label,
        url=f"{path}/files/{role.name}?revision={revision}",
    )


async def upload(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/uploads`: streamed into the inbox as one drop, or nothing of it is kept."""
    if request.content_type != FORM:
        raise web.HTTPUnsupportedMediaType(text=text("api.multipart"))
    count = await place_upload(request)
    if count == 0:
        raise web.HTTPBadRequest(text=text("upload.no_file"))
    return answer(Received(files=count), 201)


async def list_queue(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/queue?list=…&page=…`: what runs and waits, what rests, what failed."""
    name = request.query.get("list", "queue")
    if name not in LISTS:
        raise web.HTTPNotFound(text=text("fault.no_list"))
    page = asked_page(request, "page")
    drops = await LISTS[name](request.app[INDEX], page)
    later = f"{request.path}?list={name}&page={page + 1}" if len(drops) == QUEUE_PAGE else None
    return answer(QueuePage(drops=drops, next=later))


async def act(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/queue`: what the buttons of the system page do."""
    asked = await read_body(request, QueueAction)
    return answer(Done(count=await do(request, asked.action, asked.scan, asked.confirmed)))


async def show_system(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/system`."""
    daemon = request.app[SETTINGS].daemon
    now = await condition(
        request.app[INDEX],
        daemon.outbox,
        daemon.reconcile_seconds,
        daemon.slots,
    )
    return answer(
        SystemNow(
            daemon=now.sign,
            paused=now.paused,
            disk_low=now.disk_low,
            counts=now.counts,
            minutes_left=now.minutes_left,
            share_free=now.share_free,
        )
    )


async def show_agreement(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/agreement`."""
    records = request.app[RECORDS]
    words, corrected = await last_words(records), await corrected_masks(records)
    return answer(
        Agreement(
            overall=reviews.overall(words, corrected),
            months=reviews.by_month(words, corrected),
            networks=reviews.by_network(words, corrected),
            difference=reviews.difference_of(corrected),
        )
    )


async def show_months(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/months`."""
    found = await figures_now(request.app, datetime.now().astimezone())
    return answer(MonthsAndScanners(months=list(found.months), scanners=list(found.scanners)))
