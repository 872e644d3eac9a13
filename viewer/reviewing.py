"""The review of a scan: accept, reject or ask for a correction, with reason, comment and name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.history import judged_revision
from daemon.index.corrections import corrections_of
from daemon.index.reviews import Decision, Review, add_review, reviews_of
from daemon.index.revisions import revisions_of
from daemon.index.scans import ScanRow
from daemon.reviewing import drawn_by
from viewer.correcting import correction_values
from viewer.keys import INDEX, RECORDS
from viewer.lookups import asked_scan, known_patients
from viewer.pages import read_form, render
from viewer.signing import signer
from viewer.statements import (
    DECISIONS,
    KEYS,
    OTHER,
    REASONS,
    Seen,
    mask_words,
    news_since,
    statement,
)

LONGEST_COMMENT = 2000  # characters
NO_DECISION = "Please choose whether the mask is right."
NO_REASON = "Please choose why the mask is rejected."
NO_COMMENT = "Please say in the comment what is wrong with the mask."
TOO_LONG = f"The comment is longer than {LONGEST_COMMENT} characters."
NO_REVISION = "There is no such revision of this scan."


async def review_values(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """What the review section of a scan's page shows."""
    reviews = await reviews_of(request.app[RECORDS], scan.scan_id)
    corrections = await corrections_of(request.app[RECORDS], scan.scan_id)
    judged = judged_revision(scan.report)
    revisions = await revisions_of(request.app[INDEX], scan.scan_id)
    return {
        "decisions": [(value, label, KEYS[value]) for value, label in DECISIONS.items()],
        "reasons": REASONS,
        "statements": [statement(review, judged) for review in reviews],
        "seen": Seen.of(scan, reviews, corrections).token,
        "judged_revision": judged,
        "was_saved": "saved" in request.query,
        "mask_words": mask_words(scan, revisions),
        **await correction_values(request, scan, corrections),
    }


async def review(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/reviews`: add a statement about the mask that was shown.

    Where the page has become old meanwhile, what is new is shown first, to be confirmed.
    """
    form = await read_form(request)
    scan = await asked_scan(request)
    late = await take_statement(request, scan, form)
    if late is not None:
        return await _ask_again(request, scan, late)
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}?saved=1#review")


@dataclass(frozen=True)
class Late:
    """A statement from what is old by now: what came since, in sentences, and what was said."""

    now_seen: Seen
    news: list[str]
    fields: dict[str, Any]


async def take_statement(
    request: web.Request, scan: ScanRow, form: Mapping[str, str]
) -> Late | None:
    """Add what was said of a mask, or tell what its author had not seen. Raises HTTPBadRequest."""
    decision, reason, comment = _checked(form)
    about = await _asked_revision(request, scan, form.get("revision", ""))
    reviews = await reviews_of(request.app[RECORDS], scan.scan_id)
    corrections = await corrections_of(request.app[RECORDS], scan.scan_id)
    now_seen, seen = Seen.of(scan, reviews, corrections), Seen.read(form.get("seen", ""))
    if seen != now_seen:
        fields = {"decision": decision, "reason": reason, "comment": comment}
        news = news_since(seen, scan, reviews, corrections)
        return Late(now_seen, news, fields | {"revision": about[0]})
    said = (scan.scan_id, about[0], decision, comment, signer(request), reason, about[1])
    await add_review(request.app[RECORDS], *said)
    return None


def _checked(form: Mapping[str, str]) -> tuple[Decision, str, str]:
    """Decision, reason ('' unless rejected) and comment of a form; HTTPBadRequest."""
    decision, comment = form.get("decision", ""), form.get("comment", "").strip()
    if decision not in DECISIONS:
        raise web.HTTPBadRequest(text=NO_DECISION)
    reason = form.get("reason", "") if decision == Decision.REJECTED else ""
    if decision == Decision.REJECTED and reason not in REASONS:
        raise web.HTTPBadRequest(text=NO_REASON)
    if not comment and (decision == Decision.NEEDS_CORRECTION or reason == OTHER):
        raise web.HTTPBadRequest(text=NO_COMMENT)
    if len(comment) > LONGEST_COMMENT:
        raise web.HTTPBadRequest(text=TOO_LONG)
    return Decision(decision), reason, comment


async def _asked_revision(request: web.Request, scan: ScanRow, typed: str) -> tuple[int, str]:
    """The revision that a form is about, and who drew its mask; HTTPBadRequest if there is none."""
    for row in await revisions_of(request.app[INDEX], scan.scan_id):
        if str(row.revision) == typed:
            return judged_revision(row.report), drawn_by(row.report)
    raise web.HTTPBadRequest(text=NO_REVISION)


async def _ask_again(request: web.Request, scan: ScanRow, late: Late) -> web.Response:
    """The statement once more, under what came meanwhile: it may still be confirmed."""
    patients = await known_patients(request, [scan.patient_id])
    about, fields = late.fields["revision"], late.fields
    values = {
        "title": "Review: please look again",
        "section": "worklist",
        "scan": scan,
        "patient": patients[scan.patient_id],
        "age": None,
        "news": late.news,
        "is_older": about != late.now_seen.revision,
        "said": statement(
            Review(scan.scan_id, about, fields["decision"], "", "", "", fields["reason"]), about
        ).said,
        "fields": fields | {"seen": late.now_seen.token},
    }
    return render(request, "review_confirm.html", values, 409)
