"""Connections and associations: who may come in, how many, how long, and how much of anything.

pynetdicom speaks the protocol. What it leaves to its user is here: addresses, a TLS handshake that
holds up nobody else, connections that stay silent or trickle, PDUs and objects that never end.
"""

import contextlib
import errno
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import TCPServer
from typing import IO, Any, cast

from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT, P_DATA
from pynetdicom.transport import (
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

from daemon.dicom_node.associations import Book, Ending
from daemon.dicom_node.commitment_reports import CommitmentReports, report_of
from daemon.dicom_node.object_storage import Incoming, Status, Store
from daemon.dicom_node.presentation_contexts import offer
from daemon.settings import DicomSettings

log = logging.getLogger(__name__)

PDU_BYTES = 1 << 17  # that senders are asked to keep to
LARGEST_PDU = 1 << 20  # bytes that are taken all the same
LARGEST_MESSAGE = 1 << 22  # bytes of one that holds no object, and stays in memory
CHUNK = 1 << 16
SPARE = 50  # connections beside the associations, so that a sender is told to try again
FAILED, NO_SUCH_QUESTION, NOT_UNDERSTOOD = 0x0110, 0x0112, 0x0115  # PS3.7 C, of a report
START_SECONDS = 30.0  # after which a connection that never became a thread is forgotten
WAITING_CONNECTIONS = 256  # that the system keeps until they are accepted


@dataclass
class Peer:
    """One connection. ending: known before the association's own state tells it, or None."""

    incoming: Incoming
    host: str
    began: float = field(default_factory=time.monotonic)
    association: Association | None = None
    ending: Ending | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs any more."""
        if self.association is None:
            return self.ending is not None or time.monotonic() - self.began > START_SECONDS * 2
        return self.association.ident is not None and not self.association.is_alive()

    def how(self) -> Ending:
        """How it ended."""
        its = self.association
        if self.ending is not None:
            return self.ending
        if its is None or its.requestor.primitive is None:
            return Ending.NO_REQUEST
        if its.is_released:
            return Ending.RELEASED
        # What the peer aborted, `_received` has noted: this was aborted here, by the clock.
        return Ending.IDLE if its.is_aborted else Ending.BROKEN


class _Socket(AssociationSocket):
    """Reads no PDU that is longer, or takes longer, than any honest one."""

    seconds: float = 60.0

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, fewer at the connection's end. Raises OSError."""
        if nr_bytes > LARGEST_PDU or self.socket is None:
            raise OSError(errno.EMSGSIZE, "PDU")
        ends, content = time.monotonic() + self.seconds, bytearray()
        while len(content) < nr_bytes:
            if time.monotonic() > ends:
                raise TimeoutError
            part = self.socket.recv(min(nr_bytes - len(content), CHUNK))
            if not part:
                break
            content += part
        return content

    def _shutdown_socket(self) -> None:
        """Closed even if the other side was first, so that no descriptor is left over."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()


class _Messages(DIMSEServiceProvider):
    """Writes objects to files as they come, and lets go of the bytes of those that are refused."""

    def __init__(self, association: Association, peer: Peer, store: Store) -> None:
        super().__init__(association)
        self.peer, self._store = peer, store

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take one more piece; what is no DICOM message ends the association."""
        incoming = self.peer.incoming
        try:
            super().receive_primitive(primitive)
            self._keep_within_bounds()
        except Exception as error:  # of the peer's making, whatever it is; or the disk is full
            number = getattr(error, "errno", None)
            extra = {"association": incoming.number, "errno": number}
            log.warning("message_refused", extra=extra)
            note_file(self.message, incoming)
            self.message = None
            self.dul.event_queue.put("Evt19")

    def _keep_within_bounds(self) -> None:
        """What cannot be kept is let go as it comes, and answered when its last byte has come."""
        incoming, file = self.peer.incoming, note_file(self.message, self.peer.incoming)
        if file is None:
            if _bytes_held(self.message) > LARGEST_MESSAGE:
                raise OSError(errno.EMSGSIZE, "message")
            return
        stream = incoming.files[file]
        fault = self._store.fault_of(stream.tell())
        if file in incoming.refused or fault is not Status.SUCCESS:
            incoming.refused.setdefault(file, fault)
            stream.seek(0)
            stream.truncate()


def _bytes_held(message: DIMSEMessage | None) -> int:
    """How much of a message that has not ended lies in memory."""
    parts = (message.encoded_command_set, message.data_set) if message else ()
    return sum(part.tell() for part in parts if part is not None)


def note_file(message: DIMSEMessage | None, incoming: Incoming) -> Path | None:
    """The file to which a message's object is written, if it has one: it has no answer yet."""
    path = message._data_set_path if message else None
    if message is None or not isinstance(path, Path):
        return None
    incoming.files[path] = cast(IO[bytes], message._data_set_file)
    return path


class _Handler(RequestHandler):
    server: "NodeServer"

    def _create_association(self) -> Association:
        association = super()._create_association()
        peer = self.server.peer_at(self.client_address)
        # Our own socket instead of the one just made, and of the two that say so one event.
        association.dul.socket = None
        association.dul.event_queue.get_nowait()
        connection = _Socket(association, client_socket=self.request)
        connection.seconds = self.server.idle_seconds
        association.set_socket(connection)
        association.dimse = _Messages(association, peer, self.server.store)
        association.dul.daemon = True  # a peer that hangs must not hold up the node's end
        peer.association = association
        return association


class NodeServer(ThreadedAssociationServer):
    """Accepts connections in a thread of its own, and knows every peer until it has ended."""

    daemon_threads = True
    request_queue_size = WAITING_CONNECTIONS

    def __init__(
        self,
        entity: ApplicationEntity,
        address: tuple[str, int],
        ae_title: str,
        contexts: Any,
        ssl_context: ssl.SSLContext | None = None,
        *,
        settings: DicomSettings,
        store: Store,
        book: Book,
        evt_handlers: Any = None,
    ) -> None:
        self.store, self.idle_seconds = store, settings.idle_seconds
        self._settings, self._book = settings, book
        self._networks = [ipaddress.ip_network(each, strict=False) for each in settings.addresses]
        self._tls = ssl_context
        self._peers: dict[int, Peer] = {}
        self._by_address: dict[tuple[str, int], Peer] = {}
        self._lock = threading.Lock()
        super().__init__(
            entity,
            address,
            ae_title,
            contexts,
            evt_handlers=evt_handlers,
            request_handler=_Handler,
        )

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept; nothing is read here, where all others would have to wait."""
        client, address = super().get_request()
        client.settimeout(self._settings.begin_seconds)
        return client, (address[0], address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Note the connection; False for an address that may not come, or if there are too many."""
        host, port = client_address[:2]
        peer = Peer(Incoming(self._book.begin(host)), host)
        if not self._may_come(host):
            peer.ending = Ending.ADDRESS
        elif len(self._peers) >= self._settings.associations + SPARE:
            peer.ending = Ending.BUSY
        with self._lock:
            self._peers[peer.incoming.number] = peer
            self._by_address[host, port] = peer
        return peer.ending is None

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: the TLS handshake, then the association."""
        peer = self.peer_at(client_address)
        try:
            if self._tls is not None:
                request = self._tls.wrap_socket(request, server_side=True)
        except (OSError, ValueError):
            peer.ending = Ending.TLS
            with contextlib.suppress(OSError):
                request.close()
            return
        request.settimeout(self.idle_seconds)
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Anything else that goes wrong at the start of a connection ends it alone."""
        log.exception("connection_failed")

    def shutdown(self) -> None:
        """Accept no more."""
        TCPServer.shutdown(self)
        self.server_close()

    def peer_at(self, client_address: tuple[str, int]) -> Peer:
        """The peer of a connection that was let in."""
        with self._lock:
            return self._by_address[client_address[0], client_address[1]]

    def peers(self) -> list[Peer]:
        """All that have not been taken by `ended`."""
        with self._lock:
            return list(self._peers.values())

    def ended(self) -> list[Peer]:
        """Those that have ended since this was asked last."""
        gone = [peer for peer in self.peers() if peer.has_ended]
        with self._lock:
            for peer in gone:
                del self._peers[peer.incoming.number]
            kept = {id(peer) for peer in self._peers.values()}
            for address in [a for a, peer in self._by_address.items() if id(peer) not in kept]:
                del self._by_address[address]
        return gone

    def _may_come(self, host: str) -> bool:
        if not self._networks:
            return True
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def make_server(
    settings: DicomSettings,
    store: Store,
    book: Book,
    tls: ssl.SSLContext | None,
    reports: CommitmentReports | None = None,
) -> NodeServer:
    """A server that listens already; its port is its own. reports: where those that archives make
    of what they keep go. Raises OSError."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.STORE_RECV_CHUNKED_DATASET = True
    entity = ApplicationEntity(settings.ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(settings.calling_ae_titles)
    entity.maximum_associations = settings.associations
    entity.maximum_pdu_size = PDU_BYTES
    entity.acse_timeout = settings.begin_seconds
    entity.dimse_timeout = entity.network_timeout = settings.idle_seconds
    offer(entity, with_reports=reports is not None)
    handlers: list[tuple[Any, Callable[[evt.Event], Any]]] = [
        (evt.EVT_REQUESTED, lambda event: _requested(event, settings, book)),
        (evt.EVT_REJECTED, _rejected),
        (evt.EVT_ACSE_RECV, _received),
        (evt.EVT_DIMSE_RECV, _complete),
        (evt.EVT_C_STORE, lambda event: _store(event, store)),
        (evt.EVT_N_EVENT_REPORT, lambda event: _report(event, reports)),
    ]
    return NodeServer(
        entity,
        (settings.host, settings.port),
        settings.ae_title,
        entity.supported_contexts,
        tls,
        evt_handlers=handlers,
        settings=settings,
        store=store,
        book=book,
    )


def _peer(event: evt.Event) -> Peer:
    messages = event.assoc.dimse
    assert isinstance(messages, _Messages), "every association of ours has them"
    return messages.peer


def _requested(event: evt.Event, settings: DicomSettings, book: Book) -> None:
    request, peer = event.assoc.requestor.primitive, _peer(event)
    if request is None:
        return
    book.name(peer.incoming.number, request.calling_ae_title)
    allowed = settings.calling_ae_titles
    if request.called_ae_title != settings.ae_title:
        peer.ending = Ending.CALLED
    elif allowed and request.calling_ae_title not in allowed:
        peer.ending = Ending.CALLING


def _rejected(event: evt.Event) -> None:
    peer = _peer(event)
    peer.ending = peer.ending or Ending.BUSY


def _received(event: evt.Event) -> None:
    primitive = getattr(event, "primitive", None)
    if isinstance(primitive, A_ABORT):
        _peer(event).ending = Ending.ABORTED
    elif isinstance(primitive, A_P_ABORT):
        _peer(event).ending = Ending.BROKEN


def _complete(event: evt.Event) -> None:
    note_file(event.message, _peer(event).incoming)


def _store(event: evt.Event, store: Store) -> int:
    return int(store.keep(_peer(event).incoming, event.dataset_path))


def _report(event: evt.Event, reports: CommitmentReports | None) -> tuple[int, None]:
    """What an archive keeps and what not, of a question that we have asked."""
    number = _peer(event).incoming.number
    try:
        status = NO_SUCH_QUESTION
        if reports is not None and reports.keep(report_of(event.event_information)):
            status = int(Status.SUCCESS)
    except OSError as error:  # the inbox is away or full: it may report again
        log.warning("report_not_kept", extra={"association": number, "errno": error.errno})
        status = FAILED
    except Exception as error:  # hostile bytes raise many kinds
        log.warning("report_refused", extra={"association": number, "reason": type(error).__name__})
        status = NOT_UNDERSTOOD
    return status, None
