"""What is done about several scans of the worklist at once, or about one on its page.

They are settled, so that they need no person, taken back, or analyzed again.
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.index.people.audit import Action, note
from daemon.index.people.settled_scans import Settling, settlings_of
from daemon.index.scans import ScanRow
from daemon.operations import queue_control
from daemon.operations.queue_control import UnknownScan
from daemon.outputs.catalogue import text, words
from daemon.outputs.wording import moment_words
from daemon.permissions import Right, may
from daemon.records.settled_scans import CannotSettle, reasons, settle, take_back
from daemon.scan_history import judged_revision
from viewer.login import is_local
from viewer.request_forms import read_lists
from viewer.sessions import INDEX, RECORDS, SESSION, signer

MOST_SCANS = 200  # at once
LONGEST_ID = 40  # characters
DONE = {"settle": "settle.done", "take_back": "settle.undone", "reprocess": "settle.queued"}


async def act_on_scans(request: web.Request) -> web.StreamResponse:
    """`POST /worklist/act`: `action` to each `scan`, then back to the page that asked."""
    form = await read_lists(request)
    scans = [each[:LONGEST_ID] for each in form.getall("scan", [])]
    action, comment = form.get("action", ""), form.get("comment", "")
    count = await do_to_scans(request, scans, action, form.get("reason", ""), comment)
    back = form.get("back", "/")
    place, hash_mark, part = (back if is_local(back) else "/").partition("#")
    link = f"{place}{'&' if '?' in place else '?'}said={action}&count={count}"
    raise web.HTTPSeeOther(link + hash_mark + part)


async def do_to_scans(
    request: web.Request, scans: list[str], action: str, reason: str, comment: str
) -> int:
    """Do it; of how many scans. HTTPBadRequest, HTTPForbidden, HTTPNotFound say why not."""
    if action not in DONE:
        raise web.HTTPBadRequest(text=text("fault.no_action"))
    if not scans:
        raise web.HTTPBadRequest(text=text("settle.none_chosen"))
    if len(scans) > MOST_SCANS:
        raise web.HTTPBadRequest(text=text("settle.too_many", most=MOST_SCANS))
    index, records, who = request.app[INDEX], request.app[RECORDS], signer(request)
    if action == "reprocess":
        return await _reprocess(request, scans)
    if action == "take_back":
        return await take_back(index, records, scans, comment.strip(), who)
    try:
        return await settle(index, records, scans, reason=reason, comment=comment, who=who)
    except CannotSettle as error:
        raise web.HTTPBadRequest(text=str(error)) from None


async def _reprocess(request: web.Request, scans: list[str]) -> int:
    session = request[SESSION]
    if not may(session.role, Right.QUEUE):
        raise web.HTTPForbidden(text=text("settle.no_right"))
    try:
        count = await queue_control.reprocess(request.app[INDEX], scans)
    except UnknownScan:
        raise web.HTTPNotFound(text=text("fault.no_scan")) from None
    for scan in scans:
        await note(request.app[RECORDS], session.account, Action.CHANGE, scan, "reprocess")
    return count


def done_words(request: web.Request) -> str:
    """What was just done, as the address says; '' where it says nothing of that kind."""
    said, count = request.query.get("said", ""), request.query.get("count", "")
    if said not in DONE or not (count.isdecimal() and len(count) < 8):
        return ""
    return text(DONE[said], count=int(count))


@dataclass(frozen=True)
class SettlingLine:
    """One statement in words."""

    said: str
    by: str
    at: str
    comment: str


async def settling_values(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """What the section of a scan that was not analyzed shows."""
    if scan.finding != "not_judged":
        return {"settlings": [], "is_settled": False, "settle_reasons": {}, "settle_said": ""}
    told = await settlings_of(request.app[RECORDS], scan.scan_id)
    standing = [each for each in told if each.revision == judged_revision(scan.report)]
    return {
        "settlings": [_line(each) for each in told],
        "is_settled": bool(standing and standing[0].reason),
        "settle_reasons": reasons(),
        "settle_said": done_words(request),
    }


def _line(each: Settling) -> SettlingLine:
    reasons = words("settle_reason")
    said = reasons.get(each.reason, each.reason) if each.reason else text("settle.taken_back")
    return SettlingLine(said, each.settled_by, moment_words(each.settled_at), each.comment)
