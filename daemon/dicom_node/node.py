"""The node's process from start to end: it listens, sorts, files, and keeps its account.

Where only the viewer takes objects, by STOW-RS, it does not listen, and sorts all the same.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import signal
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from daemon.background import wish_to_stop
from daemon.confinement import bounds_of_received
from daemon.dicom_node.associations import Book, Ending
from daemon.dicom_node.commitment_reports import CommitmentReports
from daemon.dicom_node.object_storage import Room, Store
from daemon.dicom_node.staging import Staging
from daemon.dicom_node.study_assembly import ALLOWANCE, Sorter
from daemon.logs import log_to_stderr
from daemon.pipeline.worker_processes import Slot
from daemon.safe_files import only_one_at
from daemon.settings import DicomSettings, Settings
from model.errors import GliowatchError

if TYPE_CHECKING:
    from daemon.dicom_node.server import NodeServer, Peer

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25  # between two looks
FAREWELL_SECONDS = 4.0  # for objects that are arriving when the end is wished for
ABORT_SECONDS = 2.0  # for the associations that are open then


class NodeFault(GliowatchError):
    """The node cannot listen, or its certificate cannot be read; the sentence says why."""


def serve(settings: Settings) -> None:
    """Receive until SIGTERM or the parent's end; the parent handles Ctrl-C.

    It listens where `dicom.on` says so. What keeps it from that is logged; whoever started it
    tries again.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run_node(settings, lambda line: None, listens=settings.dicom.on)
    except GliowatchError as error:
        log.error("node_refused", extra={"reason": type(error).__name__})
        raise SystemExit(1) from None


def run_node(settings: Settings, say: Callable[[str], object], listens: bool = True) -> None:
    """Receive until Ctrl-C or SIGTERM; `say` gets where. Raises NodeFault, AlreadyRunning.

    listens: False for a node that only sorts.
    """
    log_to_stderr()
    settings.daemon.inbox.mkdir(parents=True, exist_ok=True)
    staging = Staging(settings.daemon.inbox)
    staging.make()
    with only_one_at(staging.lock):
        asyncio.run(_Node(settings, staging, listens).run(say))


class _Nobody:
    """In place of a server, where nobody connects."""

    def peers(self) -> "list[Peer]":
        return []

    def ended(self) -> "list[Peer]":
        return []

    def shutdown(self) -> None:
        return


class _Node:
    def __init__(self, settings: Settings, staging: Staging, listens: bool) -> None:
        dicom = settings.dicom
        self._settings, self._staging = settings, staging
        if halves := staging.remove_halves():
            log.warning("halves_removed", extra={"files": halves})
        # The library writes objects to temporary files: they are begun where they stay.
        tempfile.tempdir = str(staging.arriving)
        self._book = Book(staging.state)
        room = Room(staging.arriving, dicom.reserve_gb * 1e9)
        store = Store(staging, self._book, dicom.max_object_mb * 10**6, room)
        asks = any(to.commitment for to in dicom.send)
        reports = CommitmentReports(staging.root) if asks else None
        self._server = _listening(dicom, store, self._book, reports) if listens else _Nobody()
        bounds = bounds_of_received(settings, staging.root, ALLOWANCE.memory_bytes)
        self._slot = Slot(bounds)
        self._sorter = Sorter(
            staging, self._slot, settings.daemon.close_seconds, dicom.hold_seconds
        )
        self._is_away = False

    async def run(self, say: Callable[[str], object]) -> None:
        """Until there is a wish to stop."""
        stop = wish_to_stop()
        if multiprocessing.parent_process() is None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        if isinstance(self._server, _Nobody):
            say("Studies are taken by the viewer alone, by STOW-RS")
        else:
            self._accept(self._server, say)
        log.info("node_started")
        try:
            while not stop.is_set():
                await self._look_until(stop)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
        finally:
            await self._end()
        log.info("node_stopped")

    def _accept(self, server: "NodeServer", say: Callable[[str], object]) -> None:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        dicom, port = self._settings.dicom, int(server.server_address[1])
        self._book.listens(port)
        say(f"The DICOM node listens as {dicom.ae_title} on {dicom.host}, port {port}")

    async def _look_until(self, stop: asyncio.Event) -> None:
        """One look, given up where the end is wished for: a worker that hangs holds up no end."""
        looking, stopping = asyncio.create_task(self._look()), asyncio.create_task(stop.wait())
        await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not looking.done():
            looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking

    async def _look(self) -> None:
        self._reap()
        try:
            done = await self._sorter.look(self._open)
            self._book.filed(done.studies, done.doubles)
            self._book.write()
        except OSError as error:  # unmounted, perhaps: senders are refused until it is back
            if not self._is_away:
                log.warning("inbox_away", extra={"errno": error.errno})
            self._is_away = True
        else:
            self._is_away = False

    def _open(self) -> frozenset[int]:
        return frozenset(peer.incoming.number for peer in self._server.peers())

    def _reap(self, ending: Ending | None = None) -> None:
        """Note what ended. ending: what to call an end of our own making."""
        for peer in self._server.ended():
            halves = peer.incoming.leave()
            how = peer.how()
            if ending is not None and how is not Ending.RELEASED:
                how = ending
            ended = self._book.end(peer.incoming.number, how)
            extra = {"association": ended.number, "reason": how.value, "objects": ended.objects}
            log.info("association_ended", extra=extra | {"bytes": ended.size, "files": halves})

    def _wait_for_arriving(self) -> None:
        ends = time.monotonic() + FAREWELL_SECONDS
        while time.monotonic() < ends and any(p.incoming.files for p in self._server.peers()):
            time.sleep(LOOK_SECONDS / 5)

    def _abort_all(self) -> None:
        """All at once, and not for long: a peer that does not listen holds up no end."""
        open_ones = [peer.association for peer in self._server.peers() if peer.association]
        aborting = [threading.Thread(target=each.abort, daemon=True) for each in open_ones]
        for each in aborting:
            each.start()
        ends = time.monotonic() + ABORT_SECONDS
        for each in aborting:
            each.join(max(0.0, ends - time.monotonic()))

    async def _end(self) -> None:
        """What is arriving may end; then the associations are, by us; nothing answered is lost."""
        await asyncio.to_thread(self._server.shutdown)
        await asyncio.to_thread(self._wait_for_arriving)
        self._reap()
        await asyncio.to_thread(self._abort_all)
        self._reap(Ending.STOPPED)
        with contextlib.suppress(OSError):
            self._book.write()
        self._slot.close()


def _listening(
    dicom: DicomSettings, store: Store, book: Book, reports: CommitmentReports | None
) -> "NodeServer":
    from daemon.dicom_node.server import make_server

    try:
        return make_server(dicom, store, book, tls_context(dicom), reports)
    except OSError as error:
        why = error.strerror or "it is no address of this machine"
        raise NodeFault(
            f"The DICOM node cannot listen on dicom.host {dicom.host}, dicom.port {dicom.port}:"
            f" {why}."
        ) from None


def tls_context(dicom: DicomSettings) -> ssl.SSLContext | None:
    """What the node encrypts with, None for nothing. Raises NodeFault."""
    if not dicom.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # PS3.15 B.12, the modified BCP 195 profile
    try:
        context.load_cert_chain(dicom.tls_certificate, dicom.tls_key or None)
        if dicom.tls_ca:
            context.load_verify_locations(dicom.tls_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError):
        raise NodeFault(
            "The certificate, its key or the authority of the DICOM node cannot be read:"
            " dicom.tls_certificate, tls_key, tls_ca."
        ) from None
    return context
