"""Two records of one patient: the form that says so, what it shows before, and the way back."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.drops import UNASSIGNED, folder_name, shown_id
from daemon.index.people.patient_merges import Merge, merges_of
from daemon.index.people.patient_search import ScanCount, scan_counts
from daemon.index.people.patients import Patient, find_patient, patients_by_id
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from daemon.records.patient_merges import LONGEST_REASON, CannotMerge, check_merge, merge, unmerge
from viewer.lookups import asked_patient
from viewer.request_forms import read_form, whole_number
from viewer.sessions import INDEX, RECORDS, signer
from viewer.templating import render


@dataclass(frozen=True)
class MergeLine:
    """One statement about a page's patient. other: with whom; is_into: its scans are here."""

    told: Merge
    other: Patient
    is_into: bool

    @property
    def said(self) -> str:
        """Who said so, and when."""
        by, moment = self.told.merged_by, moment_words(self.told.merged_at)
        return text("merge.by", by=by, moment=moment)

    @property
    def undone(self) -> str:
        """Who took it back, and when; '' while it stands."""
        if not self.told.undone_at:
            return ""
        by, moment = self.told.undone_by, moment_words(self.told.undone_at)
        return text("merge.undone", by=by, moment=moment)

    @property
    def shows_here(self) -> bool:
        """Whether the other's scans are on the page."""
        return self.is_into and not self.told.undone_at


async def show_merge(request: web.Request) -> web.StreamResponse:
    """`GET /patients/{patient_key}/merge`: the form that asks with whom."""
    patient = await _asked(request)
    return render(request, "patient_merge.html", _values(patient))


async def merge_patients(request: web.Request) -> web.StreamResponse:
    """`POST`: shows both records first; with `confirmed` the scans are shown with the other."""
    form = await read_form(request)
    patient, index, records = await _asked(request), request.app[INDEX], request.app[RECORDS]
    typed, reason = form.get("into_id", "").strip(), form.get("reason", "").strip()
    values = _values(patient) | {"typed": typed, "reason": reason}
    into = await _named(request, typed)
    if into is None:
        return render(request, "patient_merge.html", values | {"wrong": text("merge.unknown")}, 400)
    try:
        if "confirmed" in form:
            await merge(index, records, patient, into, reason=reason, who=signer(request))
            raise web.HTTPSeeOther(f"/patients/{into.patient_key}")
        await check_merge(records, patient, into, reason)
    except CannotMerge as error:
        return render(request, "patient_merge.html", values | {"wrong": str(error)}, 400)
    counts = await scan_counts(index, [patient.patient_id, into.patient_id])
    pair = [(each, counts.get(each.patient_id, ScanCount(0, "")).count) for each in (patient, into)]
    return render(request, "patient_merge.html", values | {"pair": pair})


async def undo_asked(request: web.Request) -> web.StreamResponse:
    """`POST /patients/{patient_key}/unmerge`: `merge` was a mistake."""
    number = whole_number((await read_form(request)).get("merge", ""))
    raise web.HTTPSeeOther(f"/patients/{(await undo_numbered(request, number)).patient_key}")


async def undo_numbered(request: web.Request, number: int) -> Patient:
    """Take one of the patient's merges back, or HTTPNotFound; the patient of the address."""
    patient = await _asked(request)
    known = {each.merge for each in await merges_of(request.app[RECORDS], patient.patient_id)}
    if number not in known:
        raise web.HTTPNotFound(text=text("merge.gone"))
    await unmerge(request.app[INDEX], request.app[RECORDS], number, signer(request))
    return patient


async def merge_keyed(request: web.Request, into_key: str, reason: str) -> Patient:
    """Merge the patient of the address into the one of this key, whom it gives.

    HTTPNotFound for no such patient, HTTPConflict for a pair that cannot be merged.
    """
    patient, records = await _asked(request), request.app[RECORDS]
    into = await find_patient(records, into_key)
    if into is None:
        raise web.HTTPNotFound(text=text("fault.no_patient"))
    try:
        who = signer(request)
        await merge(request.app[INDEX], records, patient, into, reason=reason, who=who)
    except CannotMerge as error:
        raise web.HTTPConflict(text=str(error)) from None
    return into


async def merge_lines(request: web.Request, patient: Patient) -> list[MergeLine]:
    """All that was ever said of a patient, the latest first."""
    records = request.app[RECORDS]
    told = await merges_of(records, patient.patient_id)
    ids = {each for merged in told for each in (merged.patient_id, merged.into_id)}
    known = await patients_by_id(records, ids)
    return [_line(each, patient, known) for each in told]


async def came_as_words(request: web.Request, patient_id: str) -> str:
    """That a scan is shown with another patient than it came for, and who said so; or ''."""
    told = await merges_of(request.app[RECORDS], patient_id)
    for each in told:
        if each.patient_id == patient_id and not each.undone_at:
            by, moment = each.merged_by, moment_words(each.merged_at)
            return text("merge.came_as", id=shown_id(patient_id), by=by, moment=moment)
    return ""


def _line(told: Merge, patient: Patient, known: dict[str, Patient]) -> MergeLine:
    is_into = told.into_id == patient.patient_id
    return MergeLine(told, known[told.patient_id if is_into else told.into_id], is_into)


async def _asked(request: web.Request) -> Patient:
    patient = await asked_patient(request)
    if patient.patient_id == UNASSIGNED:
        raise web.HTTPNotFound(text=text("fault.no_patient"))
    return patient


async def _named(request: web.Request, typed: str) -> Patient | None:
    """The patient of a typed ID: as the folder is named, or as it stands in the PACS."""
    names = [typed, folder_name(typed)] if typed else []
    found = await patients_by_id(request.app[RECORDS], names)
    return next((found[name] for name in names if name in found), None)


def _values(patient: Patient) -> dict[str, Any]:
    return {
        "title": text("merge.title"),
        "section": "patients",
        "patient": patient,
        "longest_reason": LONGEST_REASON,
        "pair": [],
    }
