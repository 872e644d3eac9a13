"""C-STORE to an archive: one association for as many objects as wait."""

import asyncio
import logging
import ssl
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association

from daemon.dicom_node.outgoing_classes import CLASSES
from daemon.dicom_node.peer_answers import NO_ANSWER, Answer, PeerAway, Verdict, answer_of_status
from daemon.settings.archives import Destination, Peer

log = logging.getLogger(__name__)

CONNECT_SECONDS = 15.0
PLAIN = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
REJECTIONS = {  # PS3.8 9.3.4: by source and reason; others are "rejected"
    (1, 3): "calling",
    (1, 7): "called",
    (3, 1): "busy",
    (3, 2): "busy",
}


class StoreScu:
    """Objects to one archive. Not for two tasks at once."""

    def __init__(self, destination: Destination) -> None:
        self._to = destination
        self._association: Association | None = None

    async def send(self, content: bytes) -> Answer:
        """Send one object, the bytes of its file. Raises PeerAway."""
        try:
            return await asyncio.to_thread(self._send, content)
        except asyncio.CancelledError:
            self._abort()  # the thread waits for an answer that nobody wants any more
            raise

    async def close(self) -> None:
        """Release the association, if there is one."""
        await asyncio.to_thread(self._release)

    def _abort(self) -> None:
        if self._association is not None and self._association.is_established:
            self._association.abort()

    def _send(self, content: bytes) -> Answer:
        made = dcmread(BytesIO(content))
        association = self._association
        if association is None or not association.is_established:
            association = self._association = open_association(self._to, CLASSES)
        accepted = {str(each.abstract_syntax) for each in association.accepted_contexts}
        if str(made.SOPClassUID) not in accepted:
            return Answer(Verdict.REFUSED, "", "context")
        try:
            status = association.send_c_store(made)
        except (RuntimeError, ValueError) as error:  # it has just ended, or cannot be encoded
            log.warning("store_failed", extra={"reason": type(error).__name__})
            return NO_ANSWER
        return answer_of_status(int(status.Status)) if "Status" in status else NO_ANSWER

    def _release(self) -> None:
        association, self._association = self._association, None
        if association is not None:
            end_association(association, self._to.answer_seconds)


def open_association(to: Peer, classes: Iterable[str], handlers: Sequence[Any] = ()) -> Association:
    """An association for these classes. handlers: of pynetdicom's events. Raises PeerAway."""
    entity = ApplicationEntity(to.calling_ae_title)
    entity.connection_timeout = CONNECT_SECONDS
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = to.answer_seconds
    for uid in classes:
        for syntax in PLAIN:  # one context each, so that the archive need not choose
            entity.add_requested_context(uid, syntax)
    tls = (tls_context(to), to.host) if to.tls else None
    association = entity.associate(
        to.host,
        to.port,
        ae_title=to.called_ae_title,
        tls_args=tls,
        evt_handlers=list(handlers),
    )
    if not association.is_established:
        raise _why_not(association)
    return association


def end_association(association: Association, seconds: float) -> None:
    """Release it if it is open, and wait for its end."""
    if association.is_established:
        association.release()
    if association.is_alive():
        association.join(seconds)


def _why_not(association: Association) -> PeerAway:
    """Why an association was not to be had."""
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        source, reason = int(answer.result_source or 0), int(answer.diagnostic or 0)
        return PeerAway(REJECTIONS.get((source, reason), "rejected"), f"{source}.{reason}")
    if answer is not None and answer.result == 0:  # it is there, and takes nothing that we offer
        return PeerAway("context")
    return PeerAway("no_connection")


def tls_context(to: Peer) -> ssl.SSLContext:
    """What we encrypt with; the archive's name must be that of its certificate. Raises PeerAway."""
    try:
        context = ssl.create_default_context(cafile=to.tls_ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if to.tls_certificate:
            context.load_cert_chain(to.tls_certificate, to.tls_key or None)
    except (OSError, ssl.SSLError):
        raise PeerAway("certificate_file") from None
    return context
