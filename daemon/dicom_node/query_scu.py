"""A PACS is asked for a patient's studies (C-FIND) and told to send us one (C-MOVE).

The objects come by C-STORE to our own node, as any others do.
"""

import asyncio
import logging

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)

from daemon.dicom_node.peer_answers import (
    MOST_STUDIES,
    PeerAway,
    StudyFound,
    names_one,
    studies_in,
)
from daemon.dicom_node.storescu import end_association, open_association
from daemon.settings.archives import Priors

log = logging.getLogger(__name__)

PENDING = (0xFF00, 0xFF01)
NO_DESTINATION = 0xA801


class Pacs:
    """One PACS. Each call has an association of its own."""

    def __init__(self, priors: Priors, our_title: str) -> None:
        """our_title: how the PACS calls our node, to which it is told to send."""
        self._priors, self._our_title = priors, our_title
        self._association: Association | None = None

    async def studies_of(self, patient_id: str) -> list[StudyFound]:
        """All studies of this very patient. Raises PeerAway."""
        return await asyncio.to_thread(self._find, patient_id)

    async def fetch(self, study_uid: str) -> bool:
        """Whether all objects of a study have come. Raises PeerAway."""
        return await asyncio.to_thread(self._move, study_uid)

    async def close(self) -> None:
        """End what a thread waits for still: it gets no answer."""
        await asyncio.to_thread(self._abort)

    def _abort(self) -> None:
        association = self._association
        if association is not None and association.is_established:
            association.abort()

    def _find(self, patient_id: str) -> list[StudyFound]:
        if not names_one(patient_id):
            return []
        asked = _study_query(patient_id, self._priors.issuer)
        found: list[StudyFound] = []
        association = self._associate(StudyRootQueryRetrieveInformationModelFind)
        try:
            last = 0xC000
            answers = association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind)
            for status, told in answers:
                last = int(status.Status) if "Status" in status else 0xC000
                if last in PENDING and told is not None and len(found) < MOST_STUDIES:
                    found += studies_in(told, patient_id, self._priors.issuer)
        finally:
            self._release(association)
        if last != 0:
            raise PeerAway("query", f"{last:04X}")
        return found

    def _move(self, study_uid: str) -> bool:
        asked = Dataset()
        asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", study_uid
        association = self._associate(StudyRootQueryRetrieveInformationModelMove)
        association.dimse_timeout = association.network_timeout = self._priors.move_seconds
        try:
            last: Dataset | None = None
            for status, _ in association.send_c_move(
                asked, self._our_title, StudyRootQueryRetrieveInformationModelMove
            ):
                last = status
        finally:
            self._release(association)
        if last is None or "Status" not in last:
            raise PeerAway("no_answer")
        if last.Status == NO_DESTINATION:
            raise PeerAway("destination", f"{last.Status:04X}")
        failed = last.get("NumberOfFailedSuboperations") or 0
        if last.Status != 0 or failed:
            log.warning("move_failed", extra={"status": f"{last.Status:04X}", "objects": failed})
        return bool(last.Status == 0 and not failed)

    def _associate(self, model: str) -> Association:
        association = self._association = open_association(self._priors, [model])
        if not association.accepted_contexts:
            self._release(association)
            raise PeerAway("no_query")
        return association

    def _release(self, association: Association) -> None:
        end_association(association, self._priors.answer_seconds)


def _study_query(patient_id: str, issuer: str) -> Dataset:
    """What is asked: the patient is the key, the rest are what we want to know."""
    asked = Dataset()
    asked.SpecificCharacterSet = "" if patient_id.isascii() else "ISO_IR 192"
    asked.QueryRetrieveLevel = "STUDY"
    asked.PatientID, asked.IssuerOfPatientID = patient_id, issuer
    asked.StudyInstanceUID = asked.StudyDate = asked.ModalitiesInStudy = ""
    return asked
