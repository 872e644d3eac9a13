"""Rows 22 and 23: a viewer that is killed while people work, and people who take too much."""

import asyncio
import os
import random
import shutil
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from daemon.settings import Settings, load_settings
from tests.faults import scans
from tests.faults.account import Outcome, settle
from tests.faults.daemons import Daemon, memory
from tests.faults.hospital import Hospital, until
from tests.faults.rows_storage import _not_mounted, _small_disk
from tests.scale.site import Visitor, free_port, viewer, visitors

HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
DESCRIPTORS = 256  # of the viewer in row 23
ANSWER_SECONDS = 30.0  # also beside other work; without the limits it took 54 and more
MOST_GROWTH = 40 << 20  # bytes of the viewer while fields without end come
MULTI = {"Content-Type": "multipart/form-data; boundary=x"}
RESERVE_MB = 20
GONE = (ClientError, ConnectionError, TimeoutError)


def reviews_under_kills(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 22: kill -9 of the viewer while reviews are saved: each is whole, with its entry.

    A review that was answered is kept; the audit tells each review that there is, and no other.
    """
    hospital, moments = Hospital(folder, weights), random.Random(22)
    for number in range(max(4, round(20 * scale))):
        hospital.drop(f"P{number}/a.png", scans.png(number))
    hospital.drain()
    known = _scans(hospital)
    (who,) = visitors(_site(hospital), 1)
    answered = Counter[str]()
    for _ in range(max(2, round(100 * scale))):
        settings = _site(hospital)
        with viewer(settings) as pid:
            answered += asyncio.run(_review(hospital, settings, who, known, (pid, moments)))
            hospital.fault()
    with viewer(_site(hospital)):
        pass  # what was begun elsewhere is made good at the start
    made = _count(hospital, "SELECT scan_id, count(*) FROM reviews GROUP BY 1")
    told = _count(
        hospital, "SELECT subject, count(*) FROM audit WHERE action = 'review' GROUP BY 1"
    )
    hospital.check(made == told, f"{made.total()} reviews, {told.total()} entries of the audit")
    hospital.check(not answered - made, f"{(answered - made).total()} answered reviews are lost")
    hospital.check(answered, "no review was saved at all")
    notes = f"{answered.total()} answered, {made.total()} reviews, {told.total()} entries"
    return settle(hospital, "kill -9 of the viewer while reviews are saved", notes)


async def _review(
    hospital: Hospital,
    settings: Settings,
    who: Visitor,
    known: list[str],
    kill: tuple[int, random.Random],
) -> Counter[str]:
    """Four people review until the viewer is killed; how many answers came for each scan."""
    pid, moments = kill
    answered = Counter[str]()

    async def person(number: int, session: ClientSession) -> None:
        mine = known[number::4]
        while True:
            scan = moments.choice(mine)
            last = _last_review(hospital, scan)
            form = {"csrf": who.csrf, "decision": "accepted", "revision": "1"}
            form |= {"seen": f"1.{last}.0", "comment": f"by person {number}"}
            answer = await session.post(f"/scans/{scan}/reviews", data=form, allow_redirects=False)
            answered[scan] += answer.status == 303
            hospital.check(answer.status == 303, f"a review got {answer.status}")

    async with _client(settings, who) as session:
        people = [asyncio.create_task(person(number, session)) for number in range(4)]
        await asyncio.sleep(moments.uniform(0.3, 2.0))
        os.kill(pid, signal.SIGKILL)
        for ended in await asyncio.gather(*people, return_exceptions=True):
            if not isinstance(ended, GONE):
                hospital.check(False, f"a person ended with {ended!r}")
    return +answered


def killed_in_an_upload(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 22b: kill -9 of the viewer in an upload: it holds nothing up, and the start clears it."""
    hospital = Hospital(folder, weights)
    hospital.drop("P/a.png", scans.png(1))
    hospital.drain()
    (who,) = visitors(_site(hospital), 1)
    for number in range(max(2, round(30 * scale))):
        settings = _site(hospital)
        with viewer(settings) as pid:
            come = asyncio.run(_upload_until_killed(hospital, settings, who, pid))
            hospital.fault()
        hospital.check(come, "nothing had come when the viewer was killed")
        halves = list(hospital.inbox.glob("[!.]*/*.part"))
        hospital.check(not halves, "a half file lies in a patient's folder")
        hospital.drop(f"unassigned/{number}.png", scans.png(100 + number))
        hospital.drain()
        hospital.check(list(hospital.outbox.glob("unassigned/*")), "the upload holds a patient up")
    with viewer(_site(hospital)):
        until(lambda: not hospital.waiting(), 20)
    return settle(hospital, "kill -9 of the viewer in an upload")


async def _upload_until_killed(
    hospital: Hospital, settings: Settings, who: Visitor, pid: int
) -> int:
    """Send half of two files, then kill; how many bytes had been written."""
    head = _field("csrf", who.csrf) + _field("patient", "unassigned")
    begun = len(hospital.waiting())

    async def half() -> AsyncIterator[bytes]:
        yield head + _file("files", "a.dcm") + bytes(5000) + b"\r\n"
        yield _file("files", "b.dcm") + bytes(600_000)
        await asyncio.sleep(60)

    async with _client(settings, who) as session:
        sending = asyncio.create_task(session.post("/upload", data=half(), headers=MULTI))
        for _ in range(200):
            if len(hospital.waiting()) >= begun + 2 or sending.done():
                break
            await asyncio.sleep(0.05)
        come = _bytes_come(hospital)
        os.kill(pid, signal.SIGKILL)
        await asyncio.gather(sending, return_exceptions=True)
    return come


def _bytes_come(hospital: Hospital) -> int:
    return sum(os.path.getsize(path) for path in hospital.waiting())


def half_requests(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 23: connections that never send a whole request: pages still answer others."""
    hospital, count = Hospital(folder, weights), max(250, round(900 * scale))
    port = free_port()
    with _run_with(hospital, port, ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")) as daemon:
        hospital.warm_up()
        longest = _answer(port)
        with ExitStack() as lines:
            for _ in range(count):
                lines.enter_context(closing(_half_open(port)))
            hospital.fault(count)
            for _ in range(5):
                longest = max(longest, _answer(port, "127.0.0.2"))
            hospital.check(until(lambda: _is_full_said(daemon), 20), "the log says nothing of it")
        longest = max(longest, _answer(port))
        hospital.drop("P/a.png", scans.png(1))
        until(hospital.is_drained)
        daemon.stop()
    hospital.check(longest < ANSWER_SECONDS, f"a page took {longest:.1f} s")
    notes = f"{count} at {DESCRIPTORS} descriptors; the slowest answer took {longest:.1f} s"
    return settle(hospital, "half requests", notes)


def uploads_without_a_length(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 23b: uploads that say no length leave the disk's reserve; pages still answer."""
    title, count = "uploads without a length on a small disk", max(2, round(40 * scale))
    hospital = Hospital(folder, weights)
    hospital.inbox.rmdir()
    with _small_disk(hospital.inbox, "size=60m") as is_small:
        if not is_small:
            return _not_mounted(title)
        (who,) = visitors(_site(hospital), 1)
        port, least = free_port(), float("inf")
        more = ("env", f"GLIOWATCH_DAEMON__RESERVE_GB={RESERVE_MB / 1000}")
        with _run_with(hospital, port, more) as daemon:
            hospital.warm_up()
            for _ in range(count):
                status, free = asyncio.run(_upload_for_ever(hospital, who, port))
                hospital.check(status == 507, f"an upload got {status}")
                least = min(least, free)
                hospital.fault()
                hospital.check(_answer(port) < ANSWER_SECONDS, "a page did not answer")
            hospital.drop("P/a.png", scans.png(1))
            until(hospital.is_drained)
            daemon.stop()
        # what is under way when the line is reached still comes: some megabytes at any reserve
        hospital.check(least > 0.5 * RESERVE_MB * 1e6, f"only {least / 1e6:.1f} MB were left")
        return settle(hospital, title, f"{least / 1e6:.0f} MB free at least")


def large_fields(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 23c: forms with fields without end are refused early; the viewer does not grow."""
    hospital, megabytes = Hospital(folder, weights), max(60, round(600 * scale))
    hospital.drop("P/a.png", scans.png(1))
    hospital.drain()
    settings, (scan,) = _site(hospital), _scans(hospital)
    (who,) = visitors(settings, 1)
    with viewer(settings) as pid:
        longest = _answer(settings.viewer.port)
        before, sent = memory(pid, "VmRSS"), 0
        for page in (f"/scans/{scan}/corrections", "/login", "/upload"):
            sent += asyncio.run(_send_fields(hospital, settings, (who, page), megabytes))
            hospital.fault()
            longest = max(longest, _answer(settings.viewer.port))
        grown = memory(pid, "VmHWM") - before
    hospital.check(grown < MOST_GROWTH, f"the viewer grew by {grown >> 20} MB")
    hospital.check(longest < ANSWER_SECONDS, f"a page took {longest:.1f} s")
    notes = (
        f"{3 * megabytes} MB offered, {sent >> 20} MB taken, the viewer grew by {grown >> 20} MB"
    )
    return settle(hospital, "fields without end in forms", notes)


async def _send_fields(
    hospital: Hospital, settings: Settings, where: tuple[Visitor, str], megabytes: int
) -> int:
    """How many bytes were taken before the form was refused."""
    (who, page), sent = where, 0

    async def fields() -> AsyncIterator[bytes]:
        nonlocal sent
        for number in range(megabytes):
            piece = _field(f"field{number}", "v" * (1 << 20))
            sent += len(piece)
            yield piece

    async with _client(settings, who) as session:
        try:
            answer = await session.post(page, data=fields(), headers=MULTI, allow_redirects=False)
            is_refused = 400 <= answer.status < 500
            hospital.check(is_refused, f"{page} answered {answer.status}")
        except GONE:
            return sent  # cut off before its end, which is a refusal too
    return sent


async def _upload_for_ever(hospital: Hospital, who: Visitor, port: int) -> tuple[int, int]:
    """Status of an upload that says no length, and how much was free on the disk at least."""
    least = shutil.disk_usage(hospital.inbox).free

    async def body() -> AsyncIterator[bytes]:
        nonlocal least
        yield _field("csrf", who.csrf) + _field("patient", "unassigned") + _file("files", "a.nii")
        for _ in range(200):
            yield bytes(1 << 20)
            least = min(least, shutil.disk_usage(hospital.inbox).free)

    async with _client_at(port, who) as session:
        try:
            answer = await session.post("/upload", data=body(), headers=MULTI)
        except GONE:
            return 507, least  # the answer may be lost where the rest is not taken any more
        return answer.status, least


def _site(hospital: Hospital) -> Settings:
    """The hospital's settings with a port that is free now."""
    settings = load_settings(hospital.settings)
    served = settings.viewer.model_copy(update={"port": free_port(), "idle_minutes": 1440})
    return settings.model_copy(update={"viewer": served})


@contextmanager
def _run_with(hospital: Hospital, port: int, prefix: tuple[str, ...]) -> Iterator[Daemon]:
    """The whole of gliowatch, its viewer on this port."""
    prefix = ("env", f"GLIOWATCH_VIEWER__PORT={port}", *prefix)
    with hospital.run(prefix=prefix) as daemon:
        until(lambda: _listens(port), 90)
        yield daemon


def _client(settings: Settings, who: Visitor) -> ClientSession:
    return _client_at(settings.viewer.port, who)


def _client_at(port: int, who: Visitor) -> ClientSession:
    return ClientSession(
        f"http://127.0.0.1:{port}",
        headers=who.headers,
        connector=TCPConnector(limit=0),
        timeout=ClientTimeout(120),
    )


def _field(name: str, value: str) -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def _file(field: str, name: str) -> bytes:
    said = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
    return f"--x\r\n{said}\r\n\r\n".encode()


def _half_open(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), 10)
    with suppress(ConnectionError):  # one too many is closed at once
        line.sendall(HALF)
    return line


def _listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def _answer(port: int, source: str = "127.0.0.1") -> float:
    """Seconds that a page took; as long as we wait at most where it did not come."""
    began = time.monotonic()
    try:
        address = ("127.0.0.1", port)
        with socket.create_connection(address, ANSWER_SECONDS, (source, 0)) as line:
            line.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            is_page = line.recv(12) == b"HTTP/1.1 200"
    except OSError:
        is_page = False
    return time.monotonic() - began if is_page else ANSWER_SECONDS


def _is_full_said(daemon: Daemon) -> bool:
    return daemon.has_logged("connections_full") or daemon.has_logged(
        "connections_of_one_address_full"
    )


def _scans(hospital: Hospital) -> list[str]:
    with closing(sqlite3.connect(f"file:{hospital.index}?mode=ro", uri=True)) as index:
        return [str(row[0]) for row in index.execute("SELECT scan_id FROM scans ORDER BY 1")]


def _count(hospital: Hospital, question: str) -> Counter[str]:
    records = hospital.folder / "records.sqlite"
    with closing(sqlite3.connect(f"file:{records}?mode=ro", uri=True)) as opened:
        return Counter({str(key): int(count) for key, count in opened.execute(question)})


def _last_review(hospital: Hospital, scan: str) -> int:
    question = f"SELECT scan_id, max(review_id) FROM reviews WHERE scan_id = '{scan}' GROUP BY 1"
    return _count(hospital, question)[scan]


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {
    "22": reviews_under_kills,
    "22b": killed_in_an_upload,
    "23": half_requests,
    "23b": uploads_without_a_length,
    "23c": large_fields,
}
