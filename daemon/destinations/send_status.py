"""What was sent, in a sentence, and whether a sender is at work; it loads no library."""

from pathlib import Path

from daemon.destinations.journal import LOCK, SENT
from daemon.index.commitments import Commitment
from daemon.index.sent_objects import DestinationCounts, SendState
from daemon.outputs.catalogue import text
from daemon.safe_files import is_held


def runs(outbox: Path) -> bool:
    """Whether a sender is at work."""
    return is_held(outbox / SENT / LOCK)


def answer_words(code: str, reason: str) -> str:
    """An answer with its code; '' before any."""
    said = text(f"sending_reason.{reason}") if reason else ""
    return text("sending.with_code", reason=said, code=code) if code else said


def counts_words(counts: DestinationCounts) -> str:
    """One destination in a sentence, and why it cannot be reached."""
    words = text(
        "sending.counts",
        name=counts.name,
        sent=counts.states[SendState.SENT],
        waiting=counts.waiting,
        given_up=counts.states[SendState.GIVEN_UP],
    )
    said = counts.commitments
    if said:
        words += " " + text(
            "sending.commitments",
            committed=said.get(Commitment.COMMITTED, 0),
            asked=said.get(Commitment.ASKED, 0),
            refused=said.get(Commitment.REFUSED, 0),
            unanswered=said.get(Commitment.UNANSWERED, 0),
        )
    return f"{words} {answer_words(counts.code, counts.reason)}".strip()
