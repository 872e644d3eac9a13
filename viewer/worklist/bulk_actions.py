"""What is done about several scans of the worklist at once, or about one on its page.

They are settled, so that they need no person, taken back, labelled, assigned to a person, or
analyzed again.
"""

from collections.abc import Sized
from dataclasses import dataclass, fields
from typing import Any

from aiohttp import web

from daemon.index.people.audit import Action, note
from daemon.index.people.triage.assignees import assignee_of
from daemon.index.people.triage.scan_labels import label_list, labels_of
from daemon.index.people.triage.settled_scans import Settling, settlings_of
from daemon.index.scans import ScanRow
from daemon.operations import queue_control
from daemon.operations.queue_control import UnknownScan
from daemon.outputs.catalogue import text, words
from daemon.outputs.wording import moment_words
from daemon.permissions import Right, may
from daemon.records.scan_triage import (
    LONGEST_LABEL,
    CannotTriage,
    assign,
    put_on,
    readers,
    take_off,
)
from daemon.records.settled_scans import CannotSettle, reasons, settle, take_back
from daemon.scan_history import judged_revision
from viewer.login import is_local
from viewer.request_forms import read_lists, whole_number
from viewer.sessions import INDEX, RECORDS, SESSION, signer

MOST_SCANS = 200  # at once
LONGEST_ID = 40  # characters
DONE = {
    **{"settle": "settle.done", "take_back": "settle.undone", "reprocess": "settle.queued"},
    **{"label": "label_scans.put", "unlabel": "label_scans.removed"},
    "assign": "assign_scans.done",
}
TRIAGE = ("label", "unlabel", "assign")


@dataclass(frozen=True)
class Wish:
    """What to do with scans. reason, comment: to settle; label: its name; account: of a person."""

    action: str
    reason: str = ""
    comment: str = ""
    label: str = ""
    account: str = ""


async def act_on_scans(request: web.Request) -> web.StreamResponse:
    """`POST /worklist/act`: `action` to each `scan`, then back to the page that asked."""
    form = await read_lists(request)
    scans = [each[:LONGEST_ID] for each in form.getall("scan", [])]
    wish = Wish(**{each.name: form.get(each.name, "") for each in fields(Wish)})
    count = await do_to_scans(request, scans, wish)
    back = form.get("back", "/")
    place, hash_mark, part = (back if is_local(back) else "/").partition("#")
    link = f"{place}{'&' if '?' in place else '?'}said={wish.action}&count={count}"
    raise web.HTTPSeeOther(link + hash_mark + part)


async def do_to_scans(request: web.Request, scans: list[str], wish: Wish) -> int:
    """Do it; of how many scans. HTTPBadRequest, HTTPForbidden, HTTPNotFound say why not."""
    if wish.action not in DONE:
        raise web.HTTPBadRequest(text=text("fault.no_action"))
    check_count(scans)
    if wish.action == "reprocess":
        return await _reprocess(request, scans)
    try:
        return await _note_of(request, scans, wish)
    except (CannotSettle, CannotTriage) as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def check_count(scans: Sized) -> None:
    """HTTPBadRequest for none, or for too many at once."""
    if not scans:
        raise web.HTTPBadRequest(text=text("settle.none_chosen"))
    if len(scans) > MOST_SCANS:
        raise web.HTTPBadRequest(text=text("settle.too_many", most=MOST_SCANS))


async def _note_of(request: web.Request, scans: list[str], wish: Wish) -> int:
    """What the records say from now on; of how many scans that is news."""
    index, records, who = request.app[INDEX], request.app[RECORDS], signer(request)
    if wish.action == "take_back":
        return await take_back(index, records, scans, wish.comment.strip(), who)
    if wish.action in ("label", "unlabel"):
        change = put_on if wish.action == "label" else take_off
        return await change(index, records, scans, wish.label, who)
    if wish.action == "assign":
        account = whole_number(wish.account, or_else=-1)
        return await assign(index, records, scans, account, who)
    reason, comment = wish.reason, wish.comment
    return await settle(index, records, scans, reason=reason, comment=comment, who=who)


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
    said, count = request.query.get("said", ""), whole_number(request.query.get("count", ""), -1)
    return text(DONE[said], count=count) if said in DONE and count >= 0 else ""


async def triage_values(request: web.Request) -> dict[str, Any]:
    """What forms need in which a label or a person is chosen."""
    records = request.app[RECORDS]
    labels, people = await label_list(records), await readers(records)
    return {
        "labels": labels,
        "label_choices": [(str(each.label_id), each.name) for each in labels],
        "readers": people,
        "reader_choices": [(str(each.account_id), each.full_name) for each in people],
        "longest_label": LONGEST_LABEL,
        "account_id": request[SESSION].account_id,
    }


async def triage_of(request: web.Request, scan_id: str) -> dict[str, Any]:
    """What a scan's page shows of its labels and of who is to look at it."""
    records = request.app[RECORDS]
    assignee = await assignee_of(records, scan_id)
    return {
        "scan_labels": await labels_of(records, scan_id),
        "assignee": assignee,
        "assigned_at": moment_words(assignee.set_at) if assignee else "",
        "triage_said": done_words(request) if request.query.get("said") in TRIAGE else "",
        **await triage_values(request),
    }


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
        "settle_said": "" if request.query.get("said") in TRIAGE else done_words(request),
    }


def _line(each: Settling) -> SettlingLine:
    reasons = words("settle_reason")
    said = reasons.get(each.reason, each.reason) if each.reason else text("settle.taken_back")
    return SettlingLine(said, each.settled_by, moment_words(each.settled_at), each.comment)
