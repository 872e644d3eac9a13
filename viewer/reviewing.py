"""The review of a scan: accept, reject or ask for a correction, with a comment and a name."""

from aiohttp import web

from daemon.history import judged_revision
from daemon.index.reviews import Decision, Review, add_review
from daemon.outputs.sentences import moment_words
from viewer.keys import RECORDS
from viewer.lookups import asked_scan
from viewer.pages import LONGEST_NAME, read_form

LONGEST_COMMENT = 2000  # characters
DECISIONS = {
    Decision.ACCEPTED: "Accept",
    Decision.REJECTED: "Reject",
    Decision.NEEDS_CORRECTION: "Needs correction",
}
SAID = {
    Decision.ACCEPTED: "Accepted",
    Decision.REJECTED: "Rejected",
    Decision.NEEDS_CORRECTION: "Needs correction",
}


async def review(request: web.Request) -> web.StreamResponse:
    """`POST /scans/{scan_id}/reviews`: add a statement about the revision that was shown."""
    form = await read_form(request)
    scan = await asked_scan(request)
    if form.get("revision") != str(scan.revision):
        raise web.HTTPConflict(
            text="A newer revision of this scan has come meanwhile; please look at it first."
        )
    decision, name, comment = form.get("decision"), form.get("reviewer"), form.get("comment", "")
    if decision not in DECISIONS or not name or not name.strip():
        raise web.HTTPBadRequest(text="A review needs a decision and your name.")
    if decision != Decision.ACCEPTED and not comment.strip():
        raise web.HTTPBadRequest(text="Please say in the comment what is wrong with the mask.")
    if len(name) > LONGEST_NAME or len(comment) > LONGEST_COMMENT:
        raise web.HTTPBadRequest(text="The name or the comment is too long.")
    await add_review(
        request.app[RECORDS],
        scan.scan_id,
        judged_revision(scan.report),
        Decision(decision),
        comment.strip(),
        name.strip(),
    )
    raise web.HTTPSeeOther(f"/scans/{scan.scan_id}")


def review_lines(reviews: list[Review], revision: int) -> list[str]:
    """What was said, in one line each, latest first."""
    return [_line(review, revision) for review in reviews]


def _line(review: Review, revision: int) -> str:
    of = "" if review.revision == revision else f" (revision {review.revision})"
    comment = f": {review.comment}" if review.comment else ""
    when = moment_words(review.at)
    return f"{SAID[review.decision]}{of} by {review.reviewer}, {when}{comment}"
