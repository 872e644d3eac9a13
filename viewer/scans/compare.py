"""Two scans of one patient side by side: canvases that scroll together, and both their numbers."""

import asyncio
from datetime import date
from typing import Any

from aiohttp import web

from daemon.index.patient_scans import scans_together
from daemon.index.people.patients import Patient
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text
from daemon.outputs.wording import finding_words, moment_words
from daemon.report import Report
from viewer.lookups import asked_patient
from viewer.scans.canvas import VIEW_WINDOWS, View, align, view_of
from viewer.scans.files import held_files
from viewer.scans.page import facts
from viewer.sessions import INDEX, SETTINGS
from viewer.templating import age, found_words, render

ROWS = (
    *("label.volume", "label.size", "label.diameters", "label.side", "label.lobe"),
    *("scan.crosses", "label.lesions"),
)


async def show_compare(request: web.Request) -> web.StreamResponse:
    """`/patients/{patient_key}/compare?a=&b=`: the earlier scan comes left; else a choice."""
    patient = await asked_patient(request)
    scans = await scans_together(request.app[INDEX], patient.patient_id)
    by_id = {scan.scan_id: scan for scan in scans}
    asked = [request.query.get(name, "") for name in ("a", "b")]
    if any(each and each not in by_id for each in asked):
        raise web.HTTPNotFound(text=text("compare.no_scan"))
    values: dict[str, Any] = {
        "title": text("compare.title"),
        "section": "patients",
        "patient": patient,
        "age": age(patient.birth_date, date.today()),
        "choices": [(scan.scan_id, _choice(scan)) for scan in scans],
        "asked": asked,
        "pair": None,
    }
    if all(asked) and asked[0] != asked[1]:
        first, second = sorted((by_id[each] for each in asked), key=_order)
        values |= await _pair(request, patient, first, second)
    return render(request, "compare.html", values)


async def _pair(
    request: web.Request, patient: Patient, first: ScanRow, second: ScanRow
) -> dict[str, Any]:
    change = second.report.change
    is_told = change is not None and change.prior_scan_id == first.scan_id
    return {
        "pair": [(scan, moment_words(scan.acquired_at)) for scan in (first, second)],
        "views": [await _view(request, patient, scan) for scan in (first, second)],
        "alignment": align(second, first),
        "rows": _rows(first, second),
        "doubts": pair_doubts(first.report, second.report),
        "change": change.words if change and is_told else text("compare.not_compared"),
        "windows": VIEW_WINDOWS,
    }


def pair_doubts(earlier: Report, later: Report) -> list[str]:
    """What does not fit between two scans of one patient: another side, lesions without a match."""
    if not earlier.lesions or not later.lesions:
        return []
    sides = [report.lesions[0].side for report in (earlier, later)]
    doubts = []
    if set(sides) == {"left", "right"}:
        one, other = (text(f"side_of.{side}") for side in sides)
        doubts.append(text("compare.side_changed", earlier=one, later=other))
    change = later.change
    new, gone = (change.new_lesions, change.gone_lesions) if change else (None, None)
    if change is None or change.prior_scan_id != earlier.scan_id or new is None or gone is None:
        return [*doubts, text("compare.not_matched")]
    if new:
        doubts.append(text("compare.new_lesions", count=len(new)))
    if gone:
        doubts.append(text("compare.gone_lesions", count=len(gone)))
    return doubts


async def _view(request: web.Request, patient: Patient, scan: ScanRow) -> View | None:
    settings = request.app[SETTINGS]
    held = await asyncio.to_thread(held_files, settings.daemon.outbox, scan)
    return view_of(scan, held, settings.viewer.sagittal_nose_left, patient)


def _rows(first: ScanRow, second: ScanRow) -> list[tuple[str, str, str]]:
    """Each number of both scans; those that neither has are left out."""
    told = [dict(facts(scan.report)) for scan in (first, second)]
    findings = [finding_words(scan.report) for scan in (first, second)]
    rows = [(text("label.finding"), findings[0], findings[1])]
    none = text("compare.none")
    for label in map(text, ROWS):
        if label in told[0] or label in told[1]:
            rows.append((label, told[0].get(label, none), told[1].get(label, none)))
    return rows


def _order(scan: ScanRow) -> tuple[bool, str, str]:
    """By date; a scan without one comes last."""
    return scan.acquired_at is None, scan.acquired_at or "", scan.published_at


def _choice(scan: ScanRow) -> str:
    when = moment_words(scan.acquired_at) if scan.acquired_at else text("compare.no_date")
    size = dict(facts(scan.report)).get(text("label.volume"), "")
    finding = ", ".join(part for part in (size, found_words(scan.report)) if part)
    return text("compare.choice", when=when, finding=finding)
