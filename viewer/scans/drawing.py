"""Masks that are drawn in the browser: kept as a person's draft, and measured stroke by stroke.

What is drawn is sent as any corrected mask (`viewer/scans/corrections.py`). A draft is opened in a
process of its own, never in this one.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from daemon.confinement import bounds_of_slices
from daemon.index.people.mask_drafts import MaskDraft, drawn_mask
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text
from daemon.outputs.drawn_mask_wording import DrawnFigures, drawn_figures
from daemon.outputs.wording import moment_words
from daemon.pipeline.worker_processes import SharedSlot, WorkerFailed
from daemon.records.mask_drafts import (
    MOST_BYTES,
    check_packed,
    end_draft,
    keep_draft,
    others_drafts,
    own_draft,
)
from daemon.scan_history import spacing_in
from model.errors import GliowatchError
from viewer.lookups import asked_scan
from viewer.request_forms import CSRF_HEADER, check_csrf
from viewer.scans.files import GZIP, ROLES, Held, find_file
from viewer.sessions import RECORDS, SESSION, SETTINGS
from viewer.uploads_streaming import pieces

MASK = "seg.nii.gz"
MOST_WAITING = 8  # masks to be measured; who draws on drops those in between


MEASURER = web.AppKey("measurer", SharedSlot)


async def open_measurer(app: web.Application) -> AsyncIterator[None]:
    """While the application runs; the process itself starts with the first mask."""
    settings = app[SETTINGS].now
    app[MEASURER] = SharedSlot(
        bounds_of_slices(settings), settings.viewer.slice_allowance, MOST_WAITING
    )
    yield
    app[MEASURER].close()


@dataclass(frozen=True)
class Drawing:
    """What a page knows before somebody draws. own: of this person's draft, in words, '' for none;
    others: who else draws, since when, each as a sentence."""

    own: str
    own_revision: int
    others: list[str]


async def drawing_values(
    request: web.Request, scan: ScanRow, held: dict[str, Held], newest: int
) -> dict[str, Any]:
    """For the fragment of a scan's page by which its mask is drawn; None where it cannot be."""
    can_draw = scan.revision == newest and scan.finding != "not_judged" and MASK in held
    if not can_draw or scan.removed_at is not None:
        return {"drawing": None}
    records, session = request.app[RECORDS], request[SESSION]
    own = await own_draft(records, scan.scan_id, session.account_id)
    drawing = Drawing(
        own=text("drawing.own", at=moment_words(own.kept_at)) if own else "",
        own_revision=own.revision if own else 0,
        others=await _others(request, scan),
    )
    return {"drawing": drawing}


async def _others(request: web.Request, scan: ScanRow) -> list[str]:
    others = await others_drafts(request.app[RECORDS], scan.scan_id, request[SESSION].account_id)
    return [_other(draft) for draft in others]


def _other(draft: MaskDraft) -> str:
    began, kept = moment_words(draft.begun_at), moment_words(draft.kept_at)
    return text("drawing.other", name=draft.full_name, began=began, kept=kept)


async def send_draft(request: web.Request) -> web.StreamResponse:
    """`GET /scans/{scan_id}/draft`: one's own draft, a packed NIfTI file; 204 without one."""
    scan = await asked_scan(request)
    mask = await drawn_mask(request.app[RECORDS], scan.scan_id, request[SESSION].account_id)
    if mask is None:
        return web.Response(status=204)
    return web.Response(body=mask, content_type=GZIP)


async def take_draft(request: web.Request) -> web.StreamResponse:
    """`PUT /scans/{scan_id}/draft`: measure and keep what is drawn so far, a packed NIfTI file.

    Answers what it measures, null where the worker failed, and who else draws. What is no mask on
    the scan's grid is not kept.
    """
    _check(request)
    scan = await asked_scan(request)
    published = await asyncio.to_thread(
        find_file, request.app[SETTINGS].daemon.outbox, scan, ROLES[MASK]
    )
    if published is None or scan.finding == "not_judged":
        raise web.HTTPBadRequest(text=text("correction.no_mask"))
    mask = await _body(request)
    try:
        figures = await _measured(request, scan, published, mask)
    except GliowatchError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from None
    account_id = request[SESSION].account_id
    await keep_draft(request.app[RECORDS], scan.scan_id, account_id, scan.revision, mask)
    others = await _others(request, scan)
    return web.json_response({"figures": asdict(figures) if figures else None, "others": others})


async def _measured(
    request: web.Request, scan: ScanRow, published: Path, mask: bytes
) -> DrawnFigures | None:
    """None where the worker failed, or too many wait: it is kept all the same.

    Raises GliowatchError.
    """
    check_packed(mask)
    try:
        async with request.app[MEASURER].turn():
            spacing = spacing_in(scan.report)
            return await request.app[MEASURER].run(drawn_figures, published, mask, spacing)
    except WorkerFailed:
        return None


async def drop_draft(request: web.Request) -> web.StreamResponse:
    """`DELETE /scans/{scan_id}/draft`: one's own draft is given up."""
    _check(request)
    scan = await asked_scan(request)
    await end_draft(request.app[RECORDS], scan.scan_id, request[SESSION].account_id)
    return web.Response(status=204)


async def _body(request: web.Request) -> bytes:
    """The body, no larger than a draft may be; HTTPRequestEntityTooLarge, HTTPBadRequest."""
    too_large = web.HTTPRequestEntityTooLarge(
        max_size=MOST_BYTES, text=text("drawing.too_large", mb=MOST_BYTES // 10**6)
    )
    if (request.content_length or 0) > MOST_BYTES:
        raise too_large
    content = bytearray()
    async for piece in pieces(request):
        content += piece
        if len(content) > MOST_BYTES:
            raise too_large
    return bytes(content)


def _check(request: web.Request) -> None:
    check_csrf(request[SESSION], request.headers.get(CSRF_HEADER, ""))
