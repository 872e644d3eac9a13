"""What an archive answers to an object, by C-STORE or STOW-RS, as one of a few outcomes."""

from dataclasses import dataclass
from enum import StrEnum

from daemon.outputs.catalogue import text
from model.errors import GliowatchError


class Verdict(StrEnum):
    """stored: it is there; refused: it is about this object; later: it is about the archive."""

    STORED = "stored"
    REFUSED = "refused"
    LATER = "later"


@dataclass(frozen=True)
class Answer:
    """code: a DICOM status in four digits, or one of HTTP, '' without an answer; reason: the end
    of the key of its sentence, `sending_reason...`."""

    verdict: Verdict
    code: str
    reason: str


NO_ANSWER = Answer(Verdict.LATER, "", "no_answer")


class PeerAway(GliowatchError):
    """The archive cannot be reached, or does not let us in, whatever the object is."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(text(f"sending_reason.{reason}"))
        self.reason, self.code = reason, code


DUPLICATE = 0x0111  # PS3.7 C.5.7: it has the object
WARNINGS = (0x0001, 0x0107, 0x0116)  # PS3.7 C: stored, with a note
SINGLE = {
    0x0110: "processing",
    0x0122: "class",
    0x0124: "not_authorized",
}


def answer_of_status(status: int) -> Answer:
    """A status of C-STORE (PS3.4 B.2.3, PS3.7 C), which are also the reasons of STOW-RS."""
    code, group = f"{status:04X}", status >> 8
    if status == 0:
        return Answer(Verdict.STORED, code, "stored")
    if status == DUPLICATE:
        return Answer(Verdict.STORED, code, "duplicate")
    if group >> 4 == 0xB or status in WARNINGS:
        return Answer(Verdict.STORED, code, "warning")
    if group == 0xA7:
        return Answer(Verdict.LATER, code, "no_room")
    if group == 0xA9:
        return Answer(Verdict.REFUSED, code, "mismatch")
    if group >> 4 == 0xC:
        return Answer(Verdict.REFUSED, code, "not_understood")
    return Answer(Verdict.REFUSED, code, SINGLE.get(status, "other"))
