"""Corrected masks on a scan's page: sending one, and what became of those that were sent."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.drops import State
from daemon.index.people.corrections import Correction, corrections_of, queued_state
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from daemon.records.corrections import MaskUpload, WrongForm, enter_correction
from daemon.records.mask_drafts import end_draft
from viewer.lookups import asked_scan
from viewer.request_forms import FormPart, FormReader, whole_number
from viewer.sessions import INDEX, RECORDS, SESSION, SETTINGS, signer
from viewer.templating import render
from viewer.uploads_streaming import MEGABYTE, Meter

LONGEST_FIELD = 10_000  # bytes: a comment of 2000 characters in any script
LONGEST_COMMENT = 2000  # characters
ACCEPTS = {"image": ".png", "nifti": ".nii,.gz", "dicom": ".nii,.gz,.dcm"}  # by kind of scan


@dataclass(frozen=True)
class Sent:
    """One corrected mask in words; is_open: it still waits or is being measured."""

    by: str
    at: str
    comment: str
    became: str
    is_refused: bool
    is_open: bool


async def correction_values(
    request: web.Request, scan: ScanRow, corrections: list[Correction]
) -> dict[str, Any]:
    """What the page shows of corrected masks, and the form for another one."""
    sent = [await _sent(request, each) for each in corrections]
    kind = scan.report.input.kind
    is_there = scan.finding != "not_judged" and scan.removed_at is None
    return {
        "corrections": sent,
        "correction_waits": any(each.is_open for each in sent),
        "may_correct": is_there,
        "mask_takes": text(f"corrections.takes_{kind}"),
        "mask_accept": ACCEPTS[kind],
        "newest_revision": scan.revision,
    }


async def show_corrections(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/corrections?revision=`: the list alone, for a page that waits for it."""
    scan = await asked_scan(request)
    corrections = await corrections_of(request.app[RECORDS], scan.scan_id)
    shown = request.query.get("revision", "")
    values = await correction_values(request, scan, corrections)
    values |= {
        "title": text("corrections.title"),
        "scan": scan,
        "is_newer": shown != str(scan.revision),
    }
    return render(request, "corrections.html", values | {"shown_revision": shown})


async def take_correction(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/corrections`: keep a mask, put it on record, and queue it."""
    scan = await asked_scan(request)
    if scan.finding == "not_judged":
        raise web.HTTPBadRequest(text=text("correction.no_mask"))
    settings = request.app[SETTINGS]
    limit, reserve = settings.viewer.max_upload_mb * MEGABYTE, settings.daemon.reserve_gb * 1e9
    meter = Meter(limit, settings.daemon.outbox, reserve)
    meter.announce(request.content_length)
    try:
        await meter.refuse_when_full(request.content_length or 0)
        fields, file = await _receive(request, scan, meter)
    except WrongForm as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    except ConnectionError:
        raise
    except OSError:
        raise web.HTTPServiceUnavailable(text=text("corrections.no_room")) from None
    await enter_correction(
        request.app[INDEX],
        request.app[RECORDS],
        scan,
        file,
        seen_revision=whole_number(fields.get("revision", ""), or_else=scan.revision),
        says_empty="says_empty" in fields,
        comment=fields.get("comment", "").strip(),
        by=signer(request),
    )
    if "drawn" in fields:
        await end_draft(request.app[RECORDS], scan.scan_id, request[SESSION].account_id)
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}#corrections")


async def _receive(request: web.Request, scan: ScanRow, meter: Meter) -> tuple[dict[str, str], str]:
    """The fields, which come before the file, and the name under which that is kept."""
    parts = await FormReader.open(request)
    fields: dict[str, str] = {}
    while (part := await parts.next()) is not None and part.name != "mask":
        fields[part.name] = await _field(part)
    if part is None or not part.filename:
        raise web.HTTPBadRequest(text=text("corrections.no_file"))
    if len(fields.get("comment", "")) > LONGEST_COMMENT:
        raise web.HTTPBadRequest(text=text("review.long_comment", most=LONGEST_COMMENT))
    return fields, await _keep(request, scan, part, meter)


async def _field(part: FormPart) -> str:
    value = await part.value(LONGEST_FIELD)
    if value is None:
        raise web.HTTPBadRequest(text=text("review.long_comment", most=LONGEST_COMMENT))
    return value.decode("utf-8", "replace")


async def _keep(request: web.Request, scan: ScanRow, part: FormPart, meter: Meter) -> str:
    """Stream the file to the disk; it is taken away again if anything fails."""
    outbox = request.app[SETTINGS].daemon.outbox
    upload = await asyncio.to_thread(MaskUpload, outbox, scan.scan_id, part.filename)
    try:
        async for piece in part.pieces():
            await meter.add(len(piece))
            await asyncio.to_thread(upload.write, piece)
        return await asyncio.to_thread(upload.keep)
    finally:
        await asyncio.to_thread(upload.abort)


async def _sent(request: web.Request, correction: Correction) -> Sent:
    queued = await queued_state(request.app[INDEX], correction)
    state, reason = queued or (None, correction.refused)
    is_refused = correction.revision is None and (
        state is State.REJECTED or (state is None and reason is not None)
    )
    return Sent(
        by=correction.corrected_by,
        at=moment_words(correction.at),
        comment=correction.comment,
        became=(reason or "") if is_refused else _became(correction, state),
        is_refused=is_refused,
        is_open=correction.revision is None and not is_refused,
    )


def _became(correction: Correction, state: State | None) -> str:
    if correction.revision is None:
        waits = state in (State.WAITING, None)
        return text("corrections.waiting" if waits else "corrections.measuring")
    dice = correction.dice
    key = "corrections.saved" if dice is None else "corrections.saved_dice"
    return text(key, revision=correction.revision, dice=dice)
