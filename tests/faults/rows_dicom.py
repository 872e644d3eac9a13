"""Rows 26 and 27: the DICOM node and the sender under kills, cuts, a full disk, an absent PACS."""

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom.transport import AssociationSocket

from daemon.destinations.journal import Journal
from daemon.dicom_node.server import _Socket
from tests.daemon.destinations.archive import Archive, archive
from tests.daemon.dicom_node.senders import (
    RealNode,
    cut_after,
    deliver,
    deliver_all,
    kept,
    pixels,
)
from tests.faults import scans
from tests.faults.account import Outcome, settle
from tests.faults.daemons import PATIENCE, ROOT
from tests.faults.hospital import Hospital, until
from tests.faults.rows_storage import TMPFS_BYTES, _not_mounted, _small_disk
from tests.scale.site import free_port

CLOSE_SECONDS = 4.0  # longer than a killed node needs to be there again
SENDERS = 2  # associations at the same time
PAUSE_SECONDS = 0.1  # before each object of a sender
ARCHIVE = "pacs"


def _dicom_rows_begin() -> None:
    """pynetdicom as a sender leaves a socket that was closed first to the collector: not here."""
    patch.object(AssociationSocket, "_shutdown_socket", _Socket._shutdown_socket).start()


def _study(number: int) -> list[Dataset]:
    """A FLAIR study of a patient of its own."""
    objects: list[Dataset] = [dcmread(BytesIO(content)) for content in scans.dicom(number)]
    for each in objects:
        each.PatientID = f"P{number}"
    return objects


def _patience(studies: int) -> float:
    """Seconds for so many studies, also beside much other work."""
    return max(PATIENCE, 60.0 * studies)


# ---- what comes in ----


class _Received:
    """The account of row 26: what was sent, by its pixels, against what came of it."""

    def __init__(self, hospital: Hospital) -> None:
        _dicom_rows_begin()
        self.hospital, self.sent = hospital, list[Dataset]()
        self.studies = 0
        self._lock = threading.Lock()

    def study(self) -> list[Dataset]:
        """One more study, which is to be found again."""
        with self._lock:
            self.studies += 1
            made = _study(self.studies)
            self.sent += made
        return list(made)

    def settle(self, node: RealNode, title: str, *notes: str) -> Outcome:
        """Once all is sent: the node files it, the daemon analyzes it, and all of it is there."""
        hospital, staging = self.hospital, node.staging
        is_filed = until(
            lambda: (
                not any(staging.arrived.glob("*.dcm")) and not any(staging.studies.rglob("*.dcm"))
            ),
            _patience(self.studies),
        )
        hospital.check(is_filed, "the node has objects that it does not file")
        hospital.check(node.end() == 0, "the node did not end well")
        hospital.check(not list(staging.arriving.glob("*.dcm")), "halves are left")
        for path in hospital.inbox.glob("[!.]*/*/*.dcm"):
            hospital.expect(path.read_bytes())
        hospital.drain(seconds=_patience(self.studies))
        outcome = settle(hospital, title, *notes, f"{self.studies} studies")
        found, wanted = _sources(hospital), Counter(pixels(each) for each in self.sent)
        outcome.lost += (wanted - found).total()
        outcome.twice += (found - wanted).total()
        outcome.dropped = len(self.sent)
        return outcome


def _sources(hospital: Hospital) -> Counter[str]:
    """The pixels of all objects in the results' own copies of what came."""
    found = Counter[str]()
    for folder in hospital.outbox.glob("[!.]*/*/source"):
        found.update(kept(folder))
    return found


def receiver_killed(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 26: kill -9 of the node in mid-association: what was answered with success is there.

    A sender sends again what was not answered.
    """
    hospital, moments = Hospital(folder, weights), random.Random(26)
    account, enough, left = _Received(hospital), threading.Event(), list[Dataset]()
    node = RealNode(folder, CLOSE_SECONDS)
    port = node.port

    def send() -> None:
        while not enough.is_set():
            waiting = account.study()
            deliver_all(port, waiting, PAUSE_SECONDS)
            left.extend(waiting)

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for each in senders:
        each.start()
    for _ in range(max(3, round(100 * scale))):
        until(lambda node=node: any(node.staging.arriving.parent.rglob("*.dcm")), 20)  # type: ignore[misc]
        time.sleep(moments.uniform(0, 1.0))
        node.kill()
        hospital.fault()
        node = RealNode(folder, CLOSE_SECONDS, port)
    enough.set()
    for each in senders:
        each.join()
    hospital.check(not left, f"{len(left)} objects were never taken")
    return account.settle(node, "kill -9 of the DICOM node in mid-association")


def sender_cut_off(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 26b: a sender's connection breaks after any number of bytes, and it sends again."""
    hospital, moments = Hospital(folder, weights), random.Random(262)
    account, waiting = _Received(hospital), list[Dataset]()
    node = RealNode(folder, CLOSE_SECONDS)
    for _ in range(max(4, round(100 * scale))):
        waiting += [] if waiting else account.study()
        with cut_after(node.port, moments.uniform(100, 60_000)) as way:
            deliver(way, waiting)
        hospital.fault()
    deliver_all(node.port, waiting)
    hospital.check(not waiting, f"{len(waiting)} objects were never taken")
    return account.settle(node, "a sender's connection cut")


def receiver_without_space(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 26c: the disk of the node fills up while a study comes: refused, and taken later."""
    hospital, title = Hospital(folder, weights), "the DICOM node's disk full"
    hospital.inbox.rmdir()
    with _small_disk(hospital.inbox, f"size={TMPFS_BYTES}") as is_mounted:
        if not is_mounted:
            return _not_mounted(title)
        moments, account = random.Random(263), _Received(hospital)
        node, refused = RealNode(folder, CLOSE_SECONDS), 0
        ballast = hospital.inbox / ".receiving" / "ballast"
        for _ in range(max(2, round(30 * scale))):
            waiting = account.study()
            room = int(moments.uniform(0, 30_000))
            ballast.write_bytes(bytes(max(0, _free(hospital.inbox) - room)))
            deliver(node.port, waiting)
            refused += len(waiting)
            hospital.fault()
            ballast.unlink()
            deliver_all(node.port, waiting)
            hospital.check(not waiting, f"{len(waiting)} objects were never taken")
        hospital.check(refused, "nothing was refused")
        return account.settle(node, title, f"{refused} objects refused at first")


def _free(folder: Path) -> int:
    free = os.statvfs(folder)
    return free.f_bavail * free.f_bsize


# ---- what goes out ----


class _Sent:
    """The account of row 27: each object of the outbox against what an archive got.

    An object is sent twice if it comes again though the journal had it. One that the archive took
    and the journal has not, since a fault came between, goes again under its own UID.
    """

    def __init__(self, hospital: Hospital, its: Archive, port: int, **keys: object) -> None:
        _dicom_rows_begin()
        self.hospital, self.its = hospital, its
        hospital.outbox.mkdir()
        self._journal = Journal(hospital.outbox, ARCHIVE)
        values = {"name": ARCHIVE, "host": "127.0.0.1", "called_ae_title": "PACS1", "port": port}
        values |= {"first_pause_seconds": 0.1, "longest_pause_seconds": 0.5, **keys}
        lines = "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())
        with hospital.settings.open("a") as settings:
            settings.write(f"[[dicom.send]]\n{lines}")
        self._seen = 0  # of what has come
        self._noted: set[str] = set()
        self.twice = 0

    def analyze(self, studies: int) -> None:
        """So many results with their objects."""
        for number in range(studies):
            drop_study(self.hospital, number)
        self.hospital.drain(seconds=_patience(studies))

    def wanted(self) -> dict[str, str]:
        """UID of each object of the outbox, by the SHA-256 of its file."""
        found = {}
        for path in self.hospital.outbox.glob("[!.]*/*/dicom/**/*.dcm"):
            content = path.read_bytes()
            uid = str(dcmread(BytesIO(content), specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
            found[hashlib.sha256(content).hexdigest()] = uid
        return found

    def look(self) -> None:
        """After a fault: what has come since the last one, and what the journal has now."""
        self.twice += sum(uid in self._noted for uid in self.its.came[self._seen :])
        self._seen = len(self.its.came)
        wanted = self.wanted()
        self._noted = {wanted[note.sha256] for note in self._journal.read_from(0)[0]}

    def settle(self, title: str, *notes: str) -> Outcome:
        """Once all is sent."""
        self.look()
        came, wanted = self.its.counts, set(self.wanted().values())
        states = _states(self.hospital)
        self.hospital.check(set(states) == {"sent"}, f"states of the objects: {dict(states)}")
        self.hospital.check(set(came) <= wanted, "objects came that are none of ours")
        again = came.total() - len(came)
        told = (f"{len(wanted)} objects", f"{again} came again before they were noted")
        outcome = settle(self.hospital, title, *notes, *told)
        outcome.lost += len(wanted - set(came))
        outcome.twice += self.twice
        return outcome


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def drop_study(hospital: Hospital, number: int) -> None:
    """The files of one FLAIR study, below a patient of its own."""
    for each, content in enumerate(scans.dicom(number)):
        hospital.drop(f"D{number}/{each}", content)


def _states(hospital: Hospital) -> Counter[str]:
    """How many objects are in each state."""
    with closing(sqlite3.connect(f"file:{hospital.index}?mode=ro", uri=True)) as index:
        rows = index.execute("SELECT state, count(*) FROM sent_objects GROUP BY 1")
        return Counter({str(state): int(count) for state, count in rows})


def _becomes_sent(hospital: Hospital, results: int) -> bool:
    """Wait until all objects of so many results are sent; False if they are not."""

    def entered() -> int:
        with closing(sqlite3.connect(f"file:{hospital.index}?mode=ro", uri=True)) as index:
            return int(index.execute("SELECT count(*) FROM sent_results").fetchone()[0])

    return until(
        lambda: entered() >= results and set(_states(hospital)) == {"sent"}, _patience(results)
    )


@contextmanager
def _sending(hospital: Hospital) -> "Iterator[subprocess.Popen[bytes]]":
    """`gliowatch send`, killed at the end if it lives still."""
    command = [sys.executable, "-m", "gliowatch", "send", "--settings", "settings.toml"]
    own = os.environ | {"PYTHONPATH": str(ROOT)}
    with (
        (hospital.folder / "sender.log").open("ab") as log,
        subprocess.Popen(command, cwd=hospital.folder, env=own, stdout=log, stderr=log) as running,
    ):
        try:
            yield running
        finally:
            running.kill()


def sender_killed(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 27: kill -9 of `gliowatch send` while objects go: each is in the archive once."""
    hospital, moments = Hospital(folder, weights), random.Random(27)
    with archive() as its:
        account = _Sent(hospital, its, its.port, rate=50.0)
        account.analyze(studies := max(4, round(60 * scale)))
        for _ in range(max(4, round(100 * scale))):
            before, some = len(its.came), moments.randint(1, 2)
            with _sending(hospital) as running:
                until(
                    lambda before=before, some=some, running=running: (  # type: ignore[misc]
                        len(its.came) >= before + some or running.poll() is not None
                    )
                )
                time.sleep(moments.uniform(0, 0.02))
                hospital.fault(int(running.poll() is None))
            account.look()
        with _sending(hospital) as running:
            code = running.wait(_patience(studies))
        hospital.check(code == 0, f"the last sender ended with {code}")
        return account.settle("kill -9 of the sender in mid-send")


def archive_cut_off(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 27b: the connection to the archive breaks after any number of bytes."""
    hospital, moments = Hospital(folder, weights), random.Random(272)
    cuts = [moments.uniform(500, 300_000) for _ in range(max(4, round(100 * scale)))]
    studies = max(3, round(60 * scale))
    with archive() as its, cut_after(its.port, *cuts, *[float("inf")] * 50) as way:
        account = _Sent(hospital, its, way, rate=50.0)
        account.analyze(studies)
        with hospital.run() as daemon:
            hospital.check(_becomes_sent(hospital, studies), "not all was sent")
            hospital.fault(len(cuts))
            daemon.stop()
        return account.settle("the connection to the archive cut")


def archive_away(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 27c: the archive is away while results come; then all goes, oldest first, in its pace.

    A night of tries in seconds, since the pauses between them are short.
    """
    hospital, port, rate = Hospital(folder, weights), free_port(), 20.0
    studies, seconds = max(3, round(40 * scale)), max(4.0, 120 * scale)
    with ExitStack() as night:
        account = _Sent(hospital, Archive(), port, rate=rate, tries=1)
        with hospital.run() as daemon:
            for number in range(studies):
                drop_study(hospital, number)
                time.sleep(seconds / studies)
            hospital.check(
                until(hospital.is_drained, _patience(studies)),
                "results were held up by the archive",
            )
            hospital.check(until(lambda: _states(hospital)), "nothing waits for the archive")
            is_patient = set(_states(hospital)) <= {"waiting", "failed"}
            hospital.check(is_patient, f"in the night: {dict(_states(hospital))}")
            hospital.check(until(lambda: daemon.has_logged("archive_away")), "it was not told")
            account.its = night.enter_context(archive(port))
            hospital.fault()
            began = time.monotonic()
            hospital.check(_becomes_sent(hospital, studies), "not all was sent")
            took = time.monotonic() - began
            daemon.stop()
        came = account.its.came
        hospital.check(came == _in_order(hospital, account.wanted()), "not oldest first")
        hospital.check(took >= (len(came) - 1) / rate * 0.9, f"{len(came)} came in {took:.1f} s")
        return account.settle("the archive away for a night", f"caught up in {took:.1f} s")


def _in_order(hospital: Hospital, wanted: dict[str, str]) -> Sequence[str]:
    """The UIDs of all objects in the order in which they were to go."""
    with closing(sqlite3.connect(f"file:{hospital.index}?mode=ro", uri=True)) as index:
        rows = index.execute("SELECT sha256 FROM sent_objects ORDER BY number").fetchall()
    return [wanted[str(row[0])] for row in rows]


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {
    "26": receiver_killed,
    "26b": sender_cut_off,
    "26c": receiver_without_space,
    "27": sender_killed,
    "27b": archive_cut_off,
    "27c": archive_away,
}
