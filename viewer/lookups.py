"""What several pages ask: the patient or scan of an address, and searches kept in a session."""

import secrets
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from daemon.drops import UNASSIGNED
from daemon.index.people.patient_deletion import deletion_of
from daemon.index.people.patient_merges import merged_into
from daemon.index.people.patients import Patient, ensure_patients, find_patient, patients_by_id
from daemon.index.people.triage.assignments import assignment_of, is_taken_back
from daemon.index.scans import ScanRow, find_scan, revisions_of
from daemon.outputs.catalogue import text
from viewer.patients.fields import day_words
from viewer.request_forms import read_form
from viewer.sessions import INDEX, RECORDS, SESSION, Session


async def known_patients(request: web.Request, patient_ids: Iterable[str]) -> dict[str, Patient]:
    """The records of these patients; one who came by a drop alone gets an empty record.

    For one who was merged into another it is the record of the other.
    """
    records, wanted = request.app[RECORDS], set(patient_ids)
    found = await patients_by_id(records, wanted)
    if not wanted <= found.keys():
        await ensure_patients(records, wanted - found.keys())
        found = await patients_by_id(records, wanted)
    into = await merged_into(records, wanted)
    others = await patients_by_id(records, into.values())
    return found | {patient_id: others[other] for patient_id, other in into.items()}


async def asked_patient(request: web.Request) -> Patient:
    """The patient of the address, or HTTPNotFound; HTTPGone for one who was deleted."""
    patient = await find_patient(request.app[RECORDS], request.match_info["patient_key"])
    if patient is None:
        raise web.HTTPNotFound(text=text("fault.no_patient"))
    await refuse_deleted(request, patient)
    return patient


async def asked_scan(request: web.Request) -> ScanRow:
    """The newest revision of the scan of the address, or HTTPNotFound.

    HTTPGone if its patient was deleted, or if it was given to the patient by mistake. A scan of
    `unassigned` that was given to a patient leads there.
    """
    scan = await find_scan(request.app[INDEX], request.match_info["scan_id"])
    if scan is None:
        raise web.HTTPNotFound(text=text("fault.no_scan"))
    patient = (await patients_by_id(request.app[RECORDS], [scan.patient_id])).get(scan.patient_id)
    if patient is not None:
        await refuse_deleted(request, patient)
    if await is_taken_back(request.app[INDEX], scan.scan_id):
        raise web.HTTPGone(text=text("fault.taken_back"))
    if scan.patient_id == UNASSIGNED:
        await _lead_on(request, scan)
    return scan


async def _lead_on(request: web.Request, scan: ScanRow) -> None:
    """To the same page of the scan that it became, once that is there."""
    given = await assignment_of(request.app[RECORDS], scan.scan_id)
    if given is None or await find_scan(request.app[INDEX], given.target) is None:
        return
    if request.method != "GET":
        raise web.HTTPConflict(text=text("fault.assigned"))
    raise web.HTTPSeeOther(request.path.replace(scan.scan_id, given.target, 1))


async def refuse_deleted(request: web.Request, patient: Patient) -> None:
    """HTTPGone for a patient who was deleted."""
    if not patient.deleted_at:
        return
    kept = await deletion_of(request.app[RECORDS], patient.patient_key)
    if kept is None:
        raise web.HTTPGone(text=text("fault.deleted"))
    raise web.HTTPGone(text=text("fault.deleted_until", day=day_words(kept.erase_at)))


async def asked_revisions(request: web.Request) -> tuple[ScanRow, list[ScanRow]]:
    """The revision that `?revision=` names, else the newest, and all of them, newest first.

    Raises as `asked_scan` does.
    """
    newest = await asked_scan(request)
    all_of_them = await revisions_of(request.app[INDEX], newest.scan_id)
    asked = request.query.get("revision")
    if asked is None:
        return newest, all_of_them
    found = [scan for scan in all_of_them if str(scan.revision) == asked]
    if not found:
        raise web.HTTPNotFound(text=text("fault.no_revision"))
    return found[0], all_of_them


async def asked_revision(request: web.Request) -> ScanRow:
    """The revision of the scan that the address names, else the newest, or HTTPNotFound."""
    return (await asked_revisions(request))[0]


LISTS = ("/", "/patients", "/audit")  # the pages that have a search box
LONGEST = 100  # characters
MOST_SEARCHES = 50  # of a session; the oldest goes
PLACES = ("q", "after", "before")  # what a new search does not keep of an address


def remember(session: Session, typed: str) -> str:
    """The key of a search in this session; the same text has the same key."""
    for key, known in session.searches.items():
        if known == typed:
            return key
    key = secrets.token_urlsafe(9)
    session.searches[key] = typed
    if len(session.searches) > MOST_SEARCHES:
        del session.searches[next(iter(session.searches))]
    return key


def recall(session: Session, key: str) -> str | None:
    """What was typed, or None if it is not known any more."""
    return session.searches.get(key)


async def search(request: web.Request) -> web.StreamResponse:
    """`POST /searches`: keep `text`, and lead back to the list at `back` with the key as `q`.

    The filters of the list stay; an empty text ends the search.
    """
    form = await read_form(request)
    back = urlsplit(form.get("back", ""))
    if back.path not in LISTS or back.netloc or back.scheme:
        raise web.HTTPBadRequest(text=text("fault.search_list"))
    fields = [(name, value) for name, value in parse_qsl(back.query) if name not in PLACES]
    typed = " ".join(form.get("text", "").split())
    if len(typed) > LONGEST:
        raise web.HTTPBadRequest(text=text("fault.search_long", most=LONGEST))
    if typed:
        fields.append(("q", remember(request[SESSION], typed)))
    raise web.HTTPSeeOther(back.path + (f"?{urlencode(fields)}" if fields else ""))
