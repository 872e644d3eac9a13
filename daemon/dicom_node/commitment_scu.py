"""Storage commitment (PS3.4 J): an archive is asked whether it keeps what it took."""

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.pdu import P_DATA_TF

from daemon.dicom_node.commitment_reports import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    CommitmentReport,
    report_of,
)
from daemon.dicom_node.peer_answers import PeerAway
from daemon.dicom_node.storescu import end_association, open_association
from daemon.settings.archives import Destination

SAME_ASSOCIATION_SECONDS = 2.0  # for an archive that reports on the association that asked
REQUEST = 1  # PS3.4 J.3.2.1: the only action type
SUCCESS, NOT_UNDERSTOOD = 0x0000, 0x0115  # PS3.7 C: the latter is "invalid argument value"


def ask(
    to: Destination, transaction: str, objects: Iterable[tuple[str, str]]
) -> CommitmentReport | None:
    """Ask for objects, each by class and instance; the answer if it comes at once.

    Raises PeerAway where the archive does not take the question.
    """
    heard: list[CommitmentReport] = []
    is_answered = threading.Event()

    def report(event: evt.Event) -> tuple[int, None]:
        try:
            heard.append(report_of(event.event_information))
        except (ValueError, AttributeError):
            return NOT_UNDERSTOOD, None
        return SUCCESS, None

    def sent(event: evt.Event) -> None:  # released any earlier, the association cannot answer
        if heard and isinstance(event.pdu, P_DATA_TF):
            is_answered.set()

    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, report), (evt.EVT_PDU_SENT, sent)]
    association = open_association(to, [PUSH_MODEL], handlers)
    try:
        said: Dataset | None = None
        with suppress(RuntimeError, ValueError):  # the association has just ended
            said, _ = association.send_n_action(
                _question(transaction, objects), REQUEST, UID(PUSH_MODEL), UID(PUSH_MODEL_INSTANCE)
            )
        if said is None or "Status" not in said:
            raise PeerAway("no_answer")
        if said.Status != SUCCESS:
            raise PeerAway("not_asked", f"{int(said.Status):04X}")
        is_answered.wait(SAME_ASSOCIATION_SECONDS)
        if heard:
            is_answered.wait(SAME_ASSOCIATION_SECONDS)
    finally:
        end_association(association, to.answer_seconds)
    return next((each for each in heard if each.transaction == transaction), None)


def _question(transaction: str, objects: Iterable[tuple[str, str]]) -> Dataset:
    asked = Dataset()
    asked.TransactionUID = UID(transaction)
    asked.ReferencedSOPSequence = []
    for class_uid, instance_uid in objects:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = class_uid, instance_uid
        asked.ReferencedSOPSequence.append(item)
    return asked
