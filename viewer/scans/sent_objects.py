"""What of a scan went to which archive, on its page and in the API; and sending it again."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.destinations.send_status import answer_words, runs
from daemon.index.commitments import Commitment
from daemon.index.scans import ScanRow
from daemon.index.sent_objects import SendState, SentObject, objects_of_scan, wish, wishes
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from viewer.lookups import asked_scan
from viewer.request_forms import read_form
from viewer.sessions import INDEX, SETTINGS


@dataclass(frozen=True)
class Row:
    """One object for one archive, in words."""

    to: str
    kind: str
    revision: str
    state: str
    when: str
    answer: str
    tries: int
    is_wrong: bool


async def sent_values(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """What the page shows; nothing where no archive is named and nothing was sent."""
    settings, index = request.app[SETTINGS], request.app[INDEX]
    rows = [row_of(each) for each in await objects_of_scan(index, scan.scan_id)]
    if not rows and not settings.receivers:
        return {"sends": False}
    return {
        "sends": True,
        "may_send": bool(settings.receivers) and scan.removed_at is None,
        "sent_rows": rows,
        "send_asked": scan.scan_id in {scan_id for _, scan_id in await wishes(index)},
        "sender_runs": await asyncio.to_thread(runs, settings.daemon.outbox),
    }


def row_of(each: SentObject) -> Row:
    """One row of the table."""
    return Row(
        to=each.destination,
        kind=text(f"sending_kind.{each.kind}"),
        revision=str(each.revision) if each.revision else text("sending.beside"),
        state=state_words(each),
        when=moment_words(each.ended_at or each.wanted_at),
        answer=answer_words(each.code, each.reason),
        tries=each.tries,
        is_wrong=is_wrong(each),
    )


def state_words(each: SentObject) -> str:
    """Where it stands, with what the archive said of keeping it."""
    if each.state is not SendState.SENT or each.commitment is Commitment.NONE:
        return text(f"sending_state.{each.state}")
    if each.commitment_code:
        return text("sending_commitment.refused_code", code=each.commitment_code)
    return text(f"sending_commitment.{each.commitment}")


def is_wrong(each: SentObject) -> bool:
    """Whether somebody should look after it."""
    if each.state is SendState.SENT:
        return each.commitment in (Commitment.REFUSED, Commitment.UNANSWERED)
    return each.state in (SendState.FAILED, SendState.GIVEN_UP)


async def send_again(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/send`."""
    await read_form(request)
    scan = await wish_to_send(request)
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}#sent")


async def wish_to_send(request: web.Request) -> ScanRow:
    """The scan of the address goes again to all archives that wait for such results.

    HTTPConflict where there is none.
    """
    scan = await asked_scan(request)
    if not request.app[SETTINGS].receivers:
        raise web.HTTPConflict(text=text("sending.no_destination"))
    await wish(request.app[INDEX], scan.scan_id)
    return scan
