"""What people measure on the canvas by hand: kept with the scan as their statement, shown to all.

Values are those of the scan's own voxels, which a process of its own reads, never this one.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.index.people.measurements import (
    Document,
    Measurement,
    documents_of,
    measurements_of,
)
from daemon.index.queue import switch
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text, words
from daemon.outputs.shape_figures import Grid, grid_on, shape_figures, shape_words
from daemon.outputs.wording import moment_words
from daemon.permissions import Right, may
from daemon.pipeline.extra_objects import document_name, has_object
from daemon.pipeline.worker_processes import WorkerFailed
from daemon.records.measurements import (
    DOCUMENTS_TOLD,
    WrongMeasurement,
    grid_of,
    keep,
    leave,
    of_person,
    read_shape,
    remove,
)
from daemon.report import Report
from model.drawn_shapes import Drawn, Figures
from model.errors import GliowatchError
from viewer.lookups import asked_revision
from viewer.request_forms import read_form, whole_number
from viewer.scans.canvas import shown_slice
from viewer.scans.drawing import MEASURER
from viewer.scans.files import IMAGE, held_file
from viewer.sessions import INDEX, RECORDS, SESSION, SETTINGS, signer
from viewer.templating import render

NAMES = words("shape_name")


@dataclass(frozen=True)
class Line:
    """One measurement for a page. slice: from 1, '' where it lies on other voxels than are shown;
    other_grid and removed: sentences, or ''."""

    number: int
    name: str
    slice: str
    figures: list[str]
    by: str
    at: str
    other_grid: str
    removed: str
    may_remove: bool


async def measuring_values(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """For the list on a scan's page, and for the shapes on its canvas, as plain values."""
    found = await measurements_of(request.app[RECORDS], scan.scan_id)
    documents = await documents_of(request.app[RECORDS], scan.scan_id)
    session, grid = request[SESSION], grid_of(scan.report)
    lines = [_line(request, scan.report, each) for each in found]
    here = [each for each in found if each.grid == grid and not each.removed_at]
    is_open = scan.report.input.kind == "dicom" and scan.removed_at is None
    numbers = of_person(found, session.account_id, scan.report)
    is_left = any((each.numbers, each.revision) == (numbers, scan.revision) for each in documents)
    may_leave = is_open and bool(numbers) and may(session.role, Right.REVIEW)
    return {
        "shapes": [_shape(scan.report, each) for each in here],
        "measured": [each for each in lines if not each.removed],
        "unmeasured": [each for each in lines if each.removed],
        "may_leave": may_leave and not is_left,
        "left": [await _left(request, each) for each in documents],
        "person": session.account_id,
        "scan": scan,
    }


def _line(request: web.Request, report: Report, each: Measurement) -> Line:
    session = request[SESSION]
    is_here = each.grid == grid_of(report)
    is_own = each.account_id == session.account_id or may(session.role, Right.ADMIN)
    other = "" if is_here else text("measuring.other_grid", revision=each.revision)
    gone = moment_words(each.removed_at)
    return Line(
        number=each.measurement_id,
        name=NAMES[each.drawn.shape],
        slice=str(_slice(report, each.drawn) + 1) if is_here else "",
        figures=shape_words(each.figures, report.has_note("units_unknown")),
        by=each.measured_by,
        at=moment_words(each.measured_at),
        other_grid=other,
        removed=text("measuring.removed", by=each.removed_by, at=gone) if each.removed_at else "",
        may_remove=is_own and may(session.role, Right.REVIEW) and not each.removed_at,
    )


def _slice(report: Report, drawn: Drawn) -> int:
    """The slice of a shape from 0, in the order of the pictures."""
    axis = report.slices.axis if report.slices else 2
    return shown_slice(report, round(drawn.points[0][axis])) or 0


def _shape(report: Report, each: Measurement) -> dict[str, Any]:
    """For static/measuring/measurements.js."""
    return {
        "shape": each.drawn.shape,
        "points": each.drawn.points,
        "slice": _slice(report, each.drawn),
        "words": shape_words(each.figures, is_assumed=False),
    }


async def _left(request: web.Request, document: Document) -> str:
    """What became of a wish for a DICOM SR."""
    outbox = request.app[SETTINGS].daemon.outbox
    name = document_name(document.scan_id, document.revision, document.document_id)
    key = "measuring.left"
    if not await asyncio.to_thread(has_object, outbox, document.scan_id, name):
        told = await switch(request.app[INDEX], DOCUMENTS_TOLD)
        key = "measuring.not_left" if document.document_id <= told else "measuring.leaving"
    return text(key, by=document.asked_by, at=moment_words(document.asked_at))


async def show_measurements(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/measurements?revision=`: the list alone, with the shapes as data."""
    return await _answer(request, await asked_revision(request))


async def _answer(request: web.Request, scan: ScanRow) -> web.Response:
    values = {"title": text("measuring.title"), **await measuring_values(request, scan)}
    return render(request, "measurements.html", values)


async def take_measurement(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/measurements?revision=`: measure a shape and keep it; the list."""
    form = await read_form(request)
    scan = await asked_revision(request)
    with _with_reason():
        drawn = read_shape(form.get("shape", ""), form.get("points", ""))
    figures = await _measured(request, scan, drawn)
    with _with_reason():
        await keep(
            request.app[RECORDS],
            scan,
            drawn=drawn,
            figures=figures,
            account_id=request[SESSION].account_id,
            who=signer(request),
        )
    return await _answer(request, scan)


async def tell_measure(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/measure?revision=&shape=&points=`: what a shape measures, not kept."""
    scan = await asked_revision(request)
    with _with_reason():
        drawn = read_shape(request.query.get("shape", ""), request.query.get("points", ""))
    figures = await _measured(request, scan, drawn)
    is_assumed = scan.report.has_note("units_unknown")
    return web.json_response({"words": shape_words(figures, is_assumed)})


async def drop_measurement(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/measurements/remove?revision=`: `number` stands no longer."""
    form = await read_form(request)
    scan, session = await asked_revision(request), request[SESSION]
    with _with_reason():
        await remove(
            request.app[RECORDS],
            scan.scan_id,
            whole_number(form.get("number", "")),
            account_id=session.account_id,
            is_admin=may(session.role, Right.ADMIN),
            who=signer(request),
        )
    return await _answer(request, scan)


async def leave_measurements(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/measurements/leave?revision=`: one's own become a DICOM SR."""
    await read_form(request)
    scan = await asked_revision(request)
    with _with_reason():
        await leave(request.app[RECORDS], scan, request[SESSION].account_id, signer(request))
    return await _answer(request, scan)


@contextmanager
def _with_reason() -> Iterator[None]:
    """What cannot be taken is answered with its reason: HTTPUnprocessableEntity."""
    try:
        yield
    except WrongMeasurement as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from None


async def _measured(request: web.Request, scan: ScanRow, drawn: Drawn) -> Figures:
    """HTTPUnprocessableEntity for what measures nothing, HTTPServiceUnavailable if it must wait."""
    grid = await _grid(request, scan)
    try:
        async with request.app[MEASURER].turn():
            return await request.app[MEASURER].run(shape_figures, grid, drawn)
    except WorkerFailed:
        raise web.HTTPServiceUnavailable(text=text("measuring.failed")) from None
    except GliowatchError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from None


async def _grid(request: web.Request, scan: ScanRow) -> Grid:
    """The file that the canvas shows."""
    outbox = request.app[SETTINGS].daemon.outbox
    for role in ("flair.nii.gz", IMAGE) if scan.removed_at is None else ():
        held = await asyncio.to_thread(held_file, outbox, scan, role)
        grid = grid_on(scan.report, held.path) if held else None
        if grid is not None:
            return grid
    raise web.HTTPUnprocessableEntity(text=text("measuring.no_picture"))
