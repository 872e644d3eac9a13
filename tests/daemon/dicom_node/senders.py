"""Objects to send, a sender, and the node: its server in this process, or the real process."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import AE
from pynetdicom.association import Association

from daemon.dicom_node.associations import Book, Ending
from daemon.dicom_node.commitment_reports import CommitmentReports
from daemon.dicom_node.node import tls_context
from daemon.dicom_node.object_storage import Room, Store
from daemon.dicom_node.server import NodeServer, _Socket, make_server
from daemon.dicom_node.staging import Staging
from daemon.settings import DicomSettings
from tests.conftest import ROOT

TITLE = "GLIOWATCH"
PATIENCE = 200.0  # seconds for which a sender tries again


def picture(patient: str | None, study: str, size: int = 1000, uid: str = "") -> Dataset:
    """One MR object with so many bytes of pixels."""
    made = Dataset()
    made.SOPClassUID = MRImageStorage
    made.SOPInstanceUID = uid or generate_uid()
    if patient is not None:
        made.PatientID = patient
    made.StudyInstanceUID, made.SeriesInstanceUID = study, f"{study}.1"
    made.Modality, made.Rows, made.Columns, made.BitsAllocated = "MR", 1, 1, 16
    made.PixelData = os.urandom(size)
    made["PixelData"].VR = "OW"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def close_for_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """pynetdicom as a sender leaves a socket that the other side closed first to the collector; in
    tests that is a warning. Here it does as our node does."""
    close = _Socket._shutdown_socket
    monkeypatch.setattr("pynetdicom.transport.AssociationSocket._shutdown_socket", close)


@contextmanager
def associated(
    port: int, called: str = TITLE, calling: str = "SENDER", syntax: UID = ExplicitVRLittleEndian
) -> Iterator[Association]:
    """An association for MR and C-ECHO, released at the end if it is open still."""
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = 60
    entity.network_timeout = 900  # of silence: many wait for each other
    entity.add_requested_context(MRImageStorage, [syntax])
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", port, ae_title=called)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        if association.is_alive():
            association.join(30)


def send(port: int, *objects: Dataset, calling: str = "SENDER") -> list[int]:
    """The status of each; -1 where no answer came."""
    with associated(port, calling=calling) as association:
        assert association.is_established
        answers = [association.send_c_store(each) for each in objects]
    return [getattr(answer, "Status", -1) for answer in answers]


def deliver(port: int, waiting: list[Dataset], pause: float = 0.0) -> None:
    """One association: what is answered with success leaves the list, up to the first that is not.

    pause: seconds before each object.
    """
    with associated(port) as association, contextlib.suppress(RuntimeError):  # it has just ended
        while waiting and association.is_established:
            time.sleep(pause)
            if getattr(association.send_c_store(waiting[0]), "Status", -1):
                return
            del waiting[0]


def deliver_all(port: int, waiting: list[Dataset], pause: float = 0.0) -> None:
    """Again and again until all is answered with success, as a PACS does; not for ever."""
    ends = time.monotonic() + PATIENCE
    while waiting and time.monotonic() < ends:
        deliver(port, waiting, pause)
        time.sleep(0.3 if waiting else 0.0)


@contextmanager
def cut_after(port: int, *sizes: float) -> Iterator[int]:
    """A way to a peer that breaks once so many bytes have gone over it; its port.

    sizes: of one connection after the other; a further one is not taken.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def forward(source: socket.socket, target: socket.socket, most: float) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while passed < most and (part := source.recv(4096)):
                target.sendall(part)
                passed += len(part)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def carry() -> None:
        for size in sizes:
            try:
                client, _ = listener.accept()
            except OSError:  # the end
                return
            with client, socket.create_connection(("127.0.0.1", port)) as node:
                back = threading.Thread(target=forward, args=(node, client, float("inf")))
                back.start()
                forward(client, node, size)
                back.join()

    carrying = threading.Thread(target=carry)
    carrying.start()
    yield int(listener.getsockname()[1])
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    carrying.join(60)
    listener.close()


def kept(folder: Path) -> dict[str, int]:
    """The hashes of all pixels below a folder's objects, each with how often it is there."""
    from pydicom import dcmread

    counts: dict[str, int] = {}
    for path in sorted(folder.rglob("*.dcm")):
        if ".receiving" in path.parts and "arriving" in path.parts:
            continue
        name = pixels(dcmread(path))
        counts[name] = counts.get(name, 0) + 1
    return counts


def pixels(each: Dataset) -> str:
    """What tells two of these objects apart."""
    return hashlib.sha256(each.PixelData).hexdigest()


@dataclass
class Listening:
    """A server in this process, without the sorter."""

    port: int
    staging: Staging
    book: Book
    server: NodeServer

    def objects(self) -> list[Path]:
        """What was answered with success."""
        return sorted(self.staging.arrived.iterdir())

    def endings(self, count: int, seconds: float = 60) -> list[Ending]:
        """How so many associations ended."""
        found: list[Ending] = []
        ends = time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < ends, f"only {found} ended"
            for peer in self.server.ended():
                peer.incoming.leave()
                self.book.end(peer.incoming.number, peer.how())
                found.append(peer.how())
            time.sleep(0.02)
        return found


@contextmanager
def listening(folder: Path, monkeypatch: pytest.MonkeyPatch, **keys: object) -> Iterator[Listening]:
    """The server over an inbox below `folder`; keys: of [dicom]."""
    inbox = folder / "inbox"
    inbox.mkdir(exist_ok=True)
    staging = Staging(inbox)
    staging.make()
    monkeypatch.setattr(tempfile, "tempdir", str(staging.arriving))
    settings = DicomSettings.model_validate({"port": 0, "reserve_gb": 0.0, **keys})
    book = Book(staging.state)
    room = Room(staging.arriving, settings.reserve_gb * 1e9)
    store = Store(staging, book, settings.max_object_mb * 10**6, room)
    reports = CommitmentReports(staging.root)
    server = make_server(settings, store, book, tls_context(settings), reports)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Listening(int(server.server_address[1]), staging, book, server)
    finally:
        server.shutdown()
        thread.join(10)


SETTINGS = """[daemon]
rest_seconds = 0.3
reconcile_seconds = 1.0
[viewer]
port = 0
[dicom]
port = 0
reserve_gb = 0.0
"""


class RealNode:
    """`gliowatch receive` as its own process, over the folder's settings if there are some."""

    def __init__(self, folder: Path, close_seconds: float = 1.0, port: int = 0) -> None:
        self.folder, self.inbox = folder, folder / "inbox"
        if not (folder / "settings.toml").exists():
            (folder / "settings.toml").write_text(SETTINGS)
        own = {"DAEMON__CLOSE_SECONDS": close_seconds, "DICOM__PORT": port, "DICOM__RESERVE_GB": 0}
        named = {f"GLIOWATCH_{key}": str(value) for key, value in own.items()}
        named["PYTHONPATH"] = str(ROOT)
        command = [sys.executable, "-m", "gliowatch", "receive", "--settings", "settings.toml"]
        self.log = folder / "node.log"
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | named,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"port (\d+)$", line.strip())
        assert found, line + self.log.read_text()
        self.port = int(found[1])

    @property
    def staging(self) -> Staging:
        """Its folders."""
        return Staging(self.inbox)

    def studies(self) -> list[Path]:
        """The folders that it has filed."""
        return sorted(self.inbox.glob("*/received-*"))

    def memory(self) -> int:
        """Bytes that it holds."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """As the system would when it is out of memory."""
        self._process.kill()
        self._process.communicate(timeout=120)

    def end(self) -> int:
        """Ask it to end; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=120)
        return self._process.returncode

    def wait_for(self, studies: int, seconds: float = 300) -> list[Path]:
        """Its folders, once there are so many."""
        ends = time.monotonic() + seconds
        while len(found := self.studies()) < studies:
            assert time.monotonic() < ends, self.log.read_text()[-2000:]
            time.sleep(0.1)
        return found


@contextmanager
def real_node(folder: Path, close_seconds: float = 1.0) -> Iterator[RealNode]:
    """It is ended at the end, if it is there still."""
    node = RealNode(folder, close_seconds)
    try:
        yield node
    finally:
        node.kill()
