"""An archive in this process, a site with results to send, and objects of every kind."""

import os
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from daemon.destinations.sender import Sender
from daemon.dicom_node import outgoing_classes
from daemon.dicom_node.commitment_reports import PUSH_MODEL, PUSH_MODEL_INSTANCE
from daemon.index.database import Database, now, open_index, open_records
from daemon.index.ledger import take_over
from daemon.index.people.reviews import Decision, add_review
from daemon.index.sent_objects import SentObject, grant, objects_of_scan, wish, wishes
from daemon.settings import Settings
from daemon.settings.archives import Destination
from tests.viewer.test_house import scan_row, settings_in

CLASSES = {
    "seg": "1.2.840.10008.5.1.4.1.1.66.4",
    "sr": "1.2.840.10008.5.1.4.1.1.88.34",
    "sc": "1.2.840.10008.5.1.4.1.1.7",
    "pdf": "1.2.840.10008.5.1.4.1.1.104.1",
    "ko": "1.2.840.10008.5.1.4.1.1.88.59",
}
SILENCE = threading.Event()


def write_object(path: Path, kind: str, size: int = 2000) -> str:
    """A small object of a kind; its SOP Instance UID."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = UID(CLASSES[kind]), generate_uid()
    made.PatientID, made.StudyInstanceUID, made.SeriesInstanceUID = "P", "1.2.3", "1.2.3.4"
    made.Modality = kind.upper()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.add_new(0x00420011, "OB", os.urandom(size // 2 * 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return str(made.SOPInstanceUID)


@dataclass
class Archive:
    """What came, in its order. answer: the status for an object, or what is done in its place.

    asked: each question what it keeps; report: what it says on the same association, if anything,
    made of the question.
    """

    port: int = 0
    came: list[str] = field(default_factory=list)
    associations: int = 0
    answer: Callable[[str], int | str] = lambda uid: 0
    asked: list[Dataset] = field(default_factory=list)
    report: Callable[[Dataset], Dataset | None] = lambda question: None

    @property
    def counts(self) -> Counter[str]:
        """How often each UID came."""
        return Counter(self.came)


@contextmanager
def archive(
    port: int = 0, called: str = "PACS1", kinds: tuple[str, ...] = (), commits: bool = False
) -> Iterator[Archive]:
    """It listens while the context is open. kinds: of object that it takes; all if none; commits:
    whether it can be asked what it keeps."""
    its = Archive()

    def store(event: Event) -> int:
        request: Any = event.request
        uid = str(request.AffectedSOPInstanceUID)
        said = its.answer(uid)
        if said == "break":
            connection: Any = event.assoc.dul.socket
            connection.socket.shutdown(socket.SHUT_RDWR)
            return 0x0110
        if said == "silence":
            SILENCE.wait(3)
            return 0x0110
        its.came.append(uid)
        return int(said)

    def accepted(event: Event) -> None:
        its.associations += 1

    def asked(event: Event) -> tuple[int, None]:
        its.asked.append(event.action_information)
        told = its.report(event.action_information)
        if told is not None:
            threading.Timer(0.2, _report_on, (event.assoc, told)).start()
        return 0, None

    entity = AE(called)
    entity.require_called_aet = True
    for uid in [CLASSES[kind] for kind in kinds] or outgoing_classes.CLASSES:
        entity.add_supported_context(uid)
    if commits:
        entity.add_supported_context(PUSH_MODEL)
    handlers: Any = [
        (evt.EVT_C_STORE, store),
        (evt.EVT_ACCEPTED, accepted),
        (evt.EVT_N_ACTION, asked),
    ]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    its.port = server.server_address[1]
    try:
        yield its
    finally:
        server.shutdown()


def said_of(question: Dataset, *refused: str) -> Dataset:
    """That all objects of a question are kept, but these UIDs."""
    told = Dataset()
    told.TransactionUID = question.TransactionUID
    told.ReferencedSOPSequence, told.FailedSOPSequence = [], []
    for item in question.ReferencedSOPSequence:
        if item.ReferencedSOPInstanceUID in refused:
            item.FailureReason = 0x0112  # no such object
            told.FailedSOPSequence.append(item)
        else:
            told.ReferencedSOPSequence.append(item)
    return told


def _report_on(association: Association, told: Dataset) -> int | None:
    """Report it; the status of the answer, None without one."""
    event_type = 2 if told.FailedSOPSequence else 1
    status, _ = association.send_n_event_report(
        told, event_type, UID(PUSH_MODEL), UID(PUSH_MODEL_INSTANCE)
    )
    return int(status.Status) if "Status" in status else None


def report_to(port: int, told: Dataset) -> int | None:
    """As an archive does on an association of its own; the status of the answer."""
    entity = AE("PACS1")
    entity.add_requested_context(PUSH_MODEL)
    role = build_role(UID(PUSH_MODEL), scp_role=True)
    association = entity.associate("127.0.0.1", port, ae_title="GLIOWATCH", ext_neg=[role])
    assert association.is_established
    try:
        return _report_on(association, told)
    finally:
        if association.is_established:
            association.release()
        association.join(30)


def folder_of(scan_id: str, revision: int) -> Path:
    """Where a revision lies, below the outbox."""
    return Path("P") / (scan_id if revision == 1 else f"{scan_id}-r{revision}")


@dataclass
class Site:
    """Databases and an outbox. kinds: of the objects of each result."""

    settings: Settings
    index: Database
    records: Database

    async def publish(
        self, scan_id: str, kinds: str = "seg sr sc pdf", revision: int = 1, moment: str = ""
    ) -> list[str]:
        """A result with such objects; their UIDs in the order in which they go."""
        folder = folder_of(scan_id, revision)
        uids = [
            write_object(self.settings.daemon.outbox / folder / "dicom" / f"{kind}{n}.dcm", kind)
            for n, kind in enumerate(kinds.split())
        ]
        await self.enter(scan_id, revision, moment)
        return uids

    async def enter(self, scan_id: str, revision: int = 1, moment: str = "") -> None:
        """A result that lies in the outbox becomes known, as a rebuild enters it."""
        scan = scan_row("P", scan_id, revision=revision)
        folder = os.fsencode(folder_of(scan_id, revision))
        changed = replace(scan, revision=revision, folder=folder, published_at=moment or now())
        await take_over(self.index, changed)

    async def say(self, scan_id: str, decision: Decision) -> None:
        """A review of the first revision."""
        await add_review(self.records, scan_id, 1, decision, "", "R. Viewer")

    async def sender(self, to: Destination) -> Sender:
        """A sender that has begun."""
        return await Sender.begin(self.index, self.records, self.settings.daemon, to)

    async def send_again(self, scan_id: str, sender: Sender) -> None:
        """What the button does."""
        await wish(self.index, scan_id)
        ((number, wished),) = await wishes(self.index)
        await sender.want(wished)
        await grant(self.index, number, wished)

    async def rows(self, scan_id: str) -> list[SentObject]:
        """What the index has of a scan."""
        return await objects_of_scan(self.index, scan_id)


@asynccontextmanager
async def site_in(folder: Path) -> AsyncIterator[Site]:
    """A site without a daemon."""
    settings = settings_in(folder)
    daemon = settings.daemon
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        yield Site(settings, index, records)


def destination(port: int, **changes: Any) -> Destination:
    """A fast one, on this machine."""
    values: dict[str, Any] = {
        "name": "pacs",
        "host": "127.0.0.1",
        "port": port,
        "called_ae_title": "PACS1",
        "rate": 1000.0,
        "first_pause_seconds": 0.05,
        "longest_pause_seconds": 0.1,
        "answer_seconds": 10.0,
    }
    return Destination(**values | changes)


async def send_all(sender: Sender) -> None:
    """One look, and all that is due."""
    await sender.look(is_whole=True)
    await sender.send_due()
