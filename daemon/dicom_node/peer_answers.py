"""What an archive answers to an object, by C-STORE or STOW-RS, as one of a few outcomes; and to the
question for a patient's studies, by C-FIND or QIDO-RS."""

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from daemon.outputs.catalogue import text
from model.errors import GliowatchError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

log = logging.getLogger(__name__)


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


MOST_STUDIES = 1000  # of one patient that are looked at
WILD = frozenset("*?\\")  # in a PatientID they would ask for other patients too
LONGEST_ID = 64


@dataclass(frozen=True)
class StudyFound:
    """One study of the patient. day: YYYYMMDD, '' where the PACS does not say."""

    uid: str
    day: str
    modalities: tuple[str, ...]


def names_one(patient_id: str) -> bool:
    """Whether a PACS can be asked for this patient, and for nobody else."""
    return 0 < len(patient_id) <= LONGEST_ID and not WILD & set(patient_id)


def studies_in(told: "Dataset", patient_id: str, issuer: str) -> list[StudyFound]:
    """An answer, if it is of this patient: some archives match more than they are asked for."""
    try:
        its_issuer = str(told.get("IssuerOfPatientID") or "").strip()
        if str(told.get("PatientID") or "").strip() != patient_id:
            return []
        if issuer and its_issuer and its_issuer != issuer:
            return []
        uid, day = str(told.StudyInstanceUID or ""), str(told.get("StudyDate") or "")
        listed = told.get("ModalitiesInStudy") or ()
        modalities = (listed,) if isinstance(listed, str) else tuple(str(each) for each in listed)
    except Exception:  # pydicom analyzes a value only now, and any damage means the same here
        log.warning("answer_unreadable")
        return []
    return [StudyFound(uid, day, modalities)] if uid else []
