"""What was said of a mask, in words; and what a page had shown when somebody spoke from it."""

from dataclasses import dataclass

from daemon.history import judged_revision
from daemon.index.corrections import Correction
from daemon.index.reviews import Decision, Review
from daemon.index.scans import ScanRow
from daemon.outputs.sentences import moment_words
from daemon.reviewing import is_corrected

DECISIONS = {
    Decision.ACCEPTED: "Accept",
    Decision.REJECTED: "Reject",
    Decision.NEEDS_CORRECTION: "Needs correction",
}
KEYS = {Decision.ACCEPTED: "a", Decision.REJECTED: "r", Decision.NEEDS_CORRECTION: ""}
SAID = {
    Decision.ACCEPTED: "Accepted",
    Decision.REJECTED: "Rejected",
    Decision.NEEDS_CORRECTION: "Needs correction",
}
OTHER = "other"
REASONS = {
    "missed": "Missed tumor",
    "not_tumor": "Not tumor",
    "border": "Border wrong",
    "place": "Wrong side or place",
    "scan": "Wrong scan",
    OTHER: "Other",
}


@dataclass(frozen=True)
class Seen:
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
    def of(cls, scan: ScanRow, reviews: list[Review], corrections: list[Correction]) -> "Seen":
        """What a page shows that is made now; lists have the latest first."""
        last = reviews[0].review_id if reviews else 0
        return cls(judged_revision(scan.report), last, len(corrections))

    @classmethod
    def read(cls, token: str) -> "Seen":
        """From a form; what is no token has seen nothing."""
        parts = token.split(".")
        is_told = len(parts) == 3 and all(part.isdecimal() and len(part) < 16 for part in parts)
        return cls(*(int(part) for part in parts)) if is_told else cls(0, 0, 0)


@dataclass(frozen=True)
class Statement:
    """What somebody said of a mask, in words; older: about which revision, if not the newest."""

    said: str
    by: str
    at: str
    comment: str
    older: str


def statement(review: Review, judged: int) -> Statement:
    """A review in words, on a page whose mask is of revision `judged`."""
    reason = REASONS.get(review.reason, "")
    said = f"{SAID[review.decision]}: {reason.lower()}" if reason else SAID[review.decision]
    older = f"about the mask of revision {review.revision}" if review.revision != judged else ""
    return Statement(said, review.reviewer, moment_words(review.at), review.comment, older)


def mask_words(scan: ScanRow, revisions: list[ScanRow]) -> str:
    """Who drew the newest mask, where that is not plainly the network's only one."""
    if is_corrected(scan.report):
        mask = scan.report["mask"]
        by = f"by {mask['by']}, {moment_words(mask['at'])}"
        dice = mask["agreement"]["dice"]
        return (
            f"The newest mask was corrected {by}. It agrees with the network's at Dice {dice:.2f}."
        )
    drawn = next((row.report["mask"] for row in revisions if is_corrected(row.report)), None)
    if drawn is None:
        return ""
    return (
        f"{drawn['by']} had corrected an earlier mask; then the network judged this scan again."
        " The newest counts. The corrected one is kept in its revision."
    )


def news_since(
    seen: Seen, scan: ScanRow, reviews: list[Review], corrections: list[Correction]
) -> list[str]:
    """What has come since the page was opened, a sentence each."""
    judged = judged_revision(scan.report)
    news = [f"Revision {judged} has come with a new mask."] if judged != seen.revision else []
    for each in reviews:
        if each.review_id > seen.review_id:
            said = statement(each, judged)
            comment = f" “{said.comment}”" if said.comment else ""
            older = f", {said.older}" if said.older else ""
            news.append(f"{said.by} said{older}: {said.said}.{comment}")
    for drawn in corrections[: max(0, len(corrections) - seen.corrections)]:
        news.append(f"{drawn.corrected_by} has sent a corrected mask.")
    return news
