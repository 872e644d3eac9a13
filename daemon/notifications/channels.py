"""What all ways of telling share: how a try ends, and when it cannot be taken back any more."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from daemon.notifications.messages import Written
from daemon.outputs.catalogue import text


class Outcome(StrEnum):
    """later: for sure not taken; refused: not taken, and another try will hardly help; unclear:
    handed over without an answer."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Answer:
    """code: of SMTP or HTTP, '' without one; reason: the end of a key, `notify_reason...`."""

    outcome: Outcome
    code: str = ""
    reason: str = ""


Handing = Callable[[], Awaitable[None]]  # awaited just before a message is handed over


class Way(Protocol):
    """One receiver's mail server, webhook or chat."""

    async def send(self, message: Written, address: str, handing: Handing) -> Answer:
        """Try once. Raises nothing that the other side can cause."""
        ...


def later(reason: str, code: str = "") -> Answer:
    """It was not taken, and is tried again."""
    return Answer(Outcome.LATER, code, reason)


def answer_words(code: str, reason: str) -> str:
    """Why a try has failed, with the other side's code; '' where it has not."""
    said = text(f"notify_reason.{reason}") if reason else ""
    return text("sending.with_code", reason=said, code=code) if code else said
