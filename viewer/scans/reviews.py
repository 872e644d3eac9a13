"""The review of a scan: accept, reject or ask for a correction; and the review history in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.index.people.corrections import Correction, corrections_of
from daemon.index.people.reviews import Decision, Review, Seen, add_review, reviews_of
from daemon.index.scans import ScanRow, revisions_of
from daemon.outputs.catalogue import text, words
from daemon.outputs.wording import moment_words
from daemon.records.reviews import drawn_by
from daemon.scan_history import judged_revision
from viewer.lookups import asked_scan, known_patients
from viewer.request_forms import read_form, whole_number
from viewer.scans.corrections import correction_values
from viewer.sessions import INDEX, RECORDS, signer
from viewer.templating import render

KEYS = {Decision.ACCEPTED: "a", Decision.REJECTED: "r", Decision.NEEDS_CORRECTION: ""}
DECISIONS, SAID = words("decide"), words("decision")
OTHER = "other"
REASONS = words("reject_reason")


@dataclass(frozen=True)
class PageState:
    """What a page showed when it was opened: the mask's revision, the last statement's number,
    and how many corrected masks there were. It stands in the form as `token`."""

    revision: int
    review_id: int
    corrections: int

    @property
    def token(self) -> str:
        """It in the form."""
        return f"{self.revision}.{self.review_id}.{self.corrections}"

    @classmethod
    def of(cls, scan: ScanRow, reviews: list[Review], corrections: list[Correction]) -> "PageState":
        """What a page shows that is made now; lists have the latest first."""
        last = reviews[0].review_id if reviews else 0
        return cls(judged_revision(scan.report), last, len(corrections))

    @classmethod
    def read(cls, token: str) -> "PageState":
        """From a form; what is no token has seen nothing."""
        parts = [whole_number(part, or_else=-1) for part in token.split(".")]
        return cls(*parts) if len(parts) == 3 and min(parts) >= 0 else cls(0, 0, 0)


@dataclass(frozen=True)
class Statement:
    """What somebody said of a mask, in words; older: about which revision, if not the newest."""

    said: str
    by: str
    at: str
    comment: str
    older: str


def statement(review: Review, analyzed: int) -> Statement:
    """A review in words, on a page whose mask is of revision `analyzed`."""
    reason = REASONS.get(review.reason, "")
    said = SAID[review.decision]
    if reason:
        said = text("review.reason_said", decision=said, reason=reason.lower())
    about = text("review.about_revision", revision=review.revision)
    older = about if review.revision != analyzed else ""
    return Statement(said, review.reviewer, moment_words(review.at), review.comment, older)


def mask_words(scan: ScanRow, revisions: list[ScanRow]) -> str:
    """Who drew the newest mask, where that is not plainly the network's only one."""
    if mask := scan.report.mask:
        by, at, dice = mask.by, moment_words(mask.at), mask.agreement.dice
        return text("review.mask_corrected", by=by, at=at, dice=dice)
    drawn = next((row.report.mask for row in revisions if row.report.mask), None)
    if drawn is None:
        return ""
    return text("review.mask_replaced", by=drawn.by)


NEWS = {  # by whether it is about an older mask, and whether there is a comment
    (False, False): "review.news_said",
    (False, True): "review.news_said_comment",
    (True, False): "review.news_older",
    (True, True): "review.news_older_comment",
}


def news_since(
    seen: PageState, scan: ScanRow, reviews: list[Review], corrections: list[Correction]
) -> list[str]:
    """What has come since the page was opened, a sentence each."""
    analyzed = judged_revision(scan.report)
    is_new = analyzed != seen.revision
    news = [text("review.new_revision", revision=analyzed)] if is_new else []
    for each in reviews:
        if each.review_id > seen.review_id:
            said = statement(each, analyzed)
            key = NEWS[bool(said.older), bool(said.comment)]
            told = {"by": said.by, "about": said.older, "comment": said.comment}
            news.append(text(key, said=said.said, **told))
    for drawn in corrections[: max(0, len(corrections) - seen.corrections)]:
        news.append(text("review.news_mask", by=drawn.corrected_by))
    return news


LONGEST_COMMENT = 2000  # characters


async def review_values(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """What the review section of a scan's page shows."""
    reviews = await reviews_of(request.app[RECORDS], scan.scan_id)
    corrections = await corrections_of(request.app[RECORDS], scan.scan_id)
    analyzed = judged_revision(scan.report)
    revisions = await revisions_of(request.app[INDEX], scan.scan_id)
    return {
        "decisions": [(value, DECISIONS[value], key) for value, key in KEYS.items()],
        "reasons": REASONS,
        "statements": [statement(review, analyzed) for review in reviews],
        "seen": PageState.of(scan, reviews, corrections).token,
        "judged_revision": analyzed,
        "was_saved": "saved" in request.query,
        "was_saved_before": "reviewed" in request.query,
        "mask_words": mask_words(scan, revisions),
        **await correction_values(request, scan, corrections),
    }


async def review(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/reviews`: add a statement about the mask that was shown.

    If the page is stale, what has changed is shown first, to be confirmed. Who wants to go on is
    led to the next scan that nobody has reviewed.
    """
    form = await read_form(request)
    scan = await asked_scan(request)
    goes_on = form.get("go_on", "") == "1"
    late = await take_statement(request, scan, form)
    if late is not None:
        return await _ask_again(request, scan, late, goes_on)
    if goes_on:
        raise web.HTTPSeeOther(f"/next?after={scan.scan_id}&saved=1")
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}?saved=1#review")


@dataclass(frozen=True)
class Late:
    """A statement from what is old by now: what came since, in sentences, and what was said."""

    now_seen: PageState
    news: list[str]
    fields: dict[str, Any]


async def take_statement(
    request: web.Request, scan: ScanRow, form: Mapping[str, str]
) -> Late | None:
    """Add what was said of a mask, or tell what its author had not seen. Raises HTTPBadRequest."""
    decision, reason, comment = _checked(form)
    about = await _asked_revision(request, scan, form.get("revision", ""))
    records, seen = request.app[RECORDS], PageState.read(form.get("seen", ""))
    is_same_mask = seen.revision == judged_revision(scan.report)
    if is_same_mask and await add_review(
        records,
        scan.scan_id,
        about[0],
        decision,
        comment=comment,
        reviewer=signer(request),
        reason=reason,
        drawn_by=about[1],
        seen=Seen(seen.review_id, seen.corrections),
    ):
        return None
    reviews = await reviews_of(records, scan.scan_id)
    corrections = await corrections_of(records, scan.scan_id)
    fields = {"decision": decision, "reason": reason, "comment": comment, "revision": about[0]}
    news = news_since(seen, scan, reviews, corrections)
    return Late(PageState.of(scan, reviews, corrections), news, fields)


def _checked(form: Mapping[str, str]) -> tuple[Decision, str, str]:
    """Decision, reason ('' unless rejected) and comment of a form; HTTPBadRequest."""
    decision, comment = form.get("decision", ""), form.get("comment", "").strip()
    if decision not in DECISIONS:
        raise web.HTTPBadRequest(text=text("review.no_decision"))
    reason = form.get("reason", "") if decision == Decision.REJECTED else ""
    if decision == Decision.REJECTED and reason not in REASONS:
        raise web.HTTPBadRequest(text=text("review.no_reason"))
    if not comment and (decision == Decision.NEEDS_CORRECTION or reason == OTHER):
        raise web.HTTPBadRequest(text=text("review.no_comment"))
    if len(comment) > LONGEST_COMMENT:
        raise web.HTTPBadRequest(text=text("review.long_comment", most=LONGEST_COMMENT))
    return Decision(decision), reason, comment


async def _asked_revision(request: web.Request, scan: ScanRow, typed: str) -> tuple[int, str]:
    """The revision that a form is about, and who drew its mask; HTTPBadRequest if there is none."""
    for row in await revisions_of(request.app[INDEX], scan.scan_id):
        if str(row.revision) == typed:
            return judged_revision(row.report), drawn_by(row.report)
    raise web.HTTPBadRequest(text=text("review.no_revision"))


async def _ask_again(
    request: web.Request, scan: ScanRow, late: Late, goes_on: bool
) -> web.Response:
    """The statement once more, under what came meanwhile: it may still be confirmed."""
    patients = await known_patients(request, [scan.patient_id])
    about, fields = late.fields["revision"], late.fields
    values = {
        "title": text("review.confirm_title"),
        "section": "worklist",
        "scan": scan,
        "patient": patients[scan.patient_id],
        "age": None,
        "news": late.news,
        "is_older": about != late.now_seen.revision,
        "said": statement(
            Review(
                scan_id=scan.scan_id,
                revision=about,
                decision=fields["decision"],
                comment="",
                reviewer="",
                at="",
                reason=fields["reason"],
            ),
            about,
        ).said,
        "fields": fields | {"seen": late.now_seen.token, "go_on": "1" if goes_on else ""},
    }
    return render(request, "review_confirm.html", values, 409)
