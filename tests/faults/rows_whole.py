"""Rows 14 to 16, 20, 24, 25: bursts, a second daemon, a lost inbox, a long night, bit rot."""

import json
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from tests.faults import scans
from tests.faults.account import Outcome, gliowatch, settle
from tests.faults.daemons import Daemon
from tests.faults.hospital import Hospital, until

MOST_GROWTH = 20 << 20  # bytes of the daemon's memory between a quarter and the end of a soak
MOST_NEW_FILES = 4  # descriptors
TICKS = os.sysconf("SC_CLK_TCK")
MOST_SHARE = 0.05  # of a processor, while nothing is to be done
SELDOM = ("env", "GLIOWATCH_DAEMON__RECONCILE_SECONDS=60")  # as sites have it
ENDED = "state NOT IN ('waiting', 'running')"
Row = Callable[[Path, Path, float], Outcome]


def burst(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 14: many files while the daemon is frozen: after it, all are seen.

    It does not wait for all of them to be analyzed: what the daemon has not come to must wait.
    """
    hospital = Hospital(folder, weights)
    count = max(2_000, round(50_000 * scale))
    with hospital.run() as daemon:
        hospital.warm_up()
        seconds = _freeze_and_drop(hospital, daemon, count)
        ending = daemon.stop()
    seen = _drops(hospital) - 1
    hospital.check(seen >= count, f"{seen} of {count} were seen")
    hospital.waits = len(hospital.waiting())
    notes = f"all seen after {seconds:.0f} s; SIGTERM took {ending:.1f} s"
    return settle(hospital, f"{count} files while stopped", notes)


def long_queue(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 14b: with many files waiting, each is handled about as fast as with few."""
    hospital = Hospital(folder, weights)
    count = max(1_000, round(50_000 * scale))
    with hospital.run() as daemon:
        hospital.warm_up()
        for number in range(40):
            hospital.drop(f"few/{number}.png", b"one of few %d" % number)
        few = _rate(hospital, 30)
        _freeze_and_drop(hospital, daemon, count)
        many = _rate(hospital, 100)
        daemon.stop()
    told = f"{few:.1f} a second with 40 waiting, {many:.2f} with {count}"
    hospital.check(many > few / 4, told)
    hospital.waits = len(hospital.waiting())
    return settle(hospital, "a long queue", told)


def _rate(hospital: Hospital, count: int) -> float:
    """How many drops a second end: the next `count`, or those of 20 seconds.

    Asked of the index: walking through the inbox all the time would slow down what it measures.
    """
    before = _drops(hospital, ENDED)
    until(lambda: _drops(hospital, ENDED) > before, 60)
    first, known = time.monotonic(), _drops(hospital, ENDED)
    until(lambda: _drops(hospital, ENDED) >= known + count, 20)
    return (_drops(hospital, ENDED) - known) / (time.monotonic() - first)


def _freeze_and_drop(hospital: Hospital, daemon: Daemon, count: int) -> float:
    """Drop many files while the daemon is stopped; seconds until the index knows all of them."""
    known = _drops(hospital)
    daemon.process.send_signal(signal.SIGSTOP)
    for number in range(count):
        hospital.drop(f"P{number % 500}/{number}.png", b"no picture %d" % number)
    daemon.process.send_signal(signal.SIGCONT)
    hospital.fault()
    until(lambda: _drops(hospital) >= known + count, max(60, count / 50))
    return time.monotonic() - hospital.last_fault


def _drops(hospital: Hospital, which: str = "1") -> int:
    with closing(sqlite3.connect(f"file:{hospital.index}?mode=ro", uri=True)) as index:
        return int(index.execute(f"SELECT count(*) FROM drops WHERE {which}").fetchone()[0])


def second_daemon(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 15: a second daemon with the same settings refuses with a sentence."""
    return _two_daemons(Hospital(folder, weights), "two daemons, one inbox", "settings.toml")


def second_index(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 15b: a second daemon on the same inbox refuses though it has an index of its own."""
    hospital = Hospital(folder, weights)
    hospital.write_settings(folder / "other.toml", "other.sqlite")
    return _two_daemons(hospital, "two daemons, one inbox, two indexes", "other.toml")


def _two_daemons(hospital: Hospital, title: str, settings: str) -> Outcome:
    with hospital.run() as first:
        hospital.warm_up()
        for number in range(6):
            hospital.drop(f"P{number}/a.png", scans.png(number))
        with Daemon(hospital, once=True, settings=settings) as second:
            hospital.fault()
            code = second.wait(60)
        hospital.check(code == 2, f"the second ended with {code}")
        until(hospital.is_drained)
        first.stop()
    said = [line for line in _lines(hospital) if line.startswith("gliowatch: ")]
    hospital.check(said == ["gliowatch: Another gliowatch runs on this inbox already."], f"{said}")
    return settle(hospital, title)


def _lines(hospital: Hospital) -> list[str]:
    return (hospital.folder / "log.jsonl").read_text().splitlines()


def vanishing_inbox(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 16: the inbox is away for a while, or an empty folder lies in its place."""
    hospital = Hospital(folder, weights)
    away = folder / "away"
    with hospital.run() as daemon:
        hospital.warm_up()
        for number in range(max(2, round(10 * scale))):
            hospital.drop(f"P{number}/a.png", scans.png(2 * number))
            hospital.inbox.rename(away)
            if number % 2:
                hospital.inbox.mkdir()
            hospital.fault()
            time.sleep(2)
            hospital.check(daemon.process.poll() is None, f"the daemon ended: {daemon.said()}")
            if number % 2:
                hospital.inbox.rmdir()
            away.rename(hospital.inbox)
            hospital.drop(f"Q{number}/a.png", scans.png(2 * number + 1))
            until(hospital.is_drained)
        if daemon.process.poll() is None:
            daemon.stop()
    return settle(hospital, "inbox that vanishes")


def inbox_away_while_leaving(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 16b: the inbox is away just when the files of a published scan should leave it."""
    plan = {"at": "daemon.intake.cleanup:leave", "do": "pause", "nth": 1}
    hospital = Hospital(folder, weights)
    hospital.drop("P/a.png", scans.png(1))
    return _inbox_away_at(hospital, plan, "inbox away while files leave")


def inbox_away_while_filing(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 16c: the inbox is away just when a loose DICOM file should be filed by its patient."""
    plan = {"at": "daemon.intake.patient_folders:patients_of", "do": "pause", "nth": 1}
    hospital = Hospital(folder, weights)
    hospital.drop("IM1", scans.dicom(1)[0])
    return _inbox_away_at(hospital, plan, "inbox away while a loose file is filed")


def _stays_drained(hospital: Hospital) -> bool:
    """A loose file that is being filed has no name in the inbox for a moment: that is no end."""
    if not hospital.is_drained():
        return False
    time.sleep(1)
    return hospital.is_drained()


def _inbox_away_at(hospital: Hospital, plan: dict[str, object], title: str) -> Outcome:
    gate, away = hospital.folder / "gate", hospital.folder / "away"
    with hospital.run(({**plan, "gate": str(gate)},)) as daemon:
        hospital.check(until(gate.with_suffix(".reached").exists), "the step was not reached")
        hospital.inbox.rename(away)
        hospital.fault()
        gate.with_suffix(".open").touch()
        time.sleep(2)
        if hospital.inbox.exists():
            hospital.check(False, "the daemon made a new inbox where the old one was away")
            hospital.inbox.rename(hospital.folder / "made")
        away.rename(hospital.inbox)
        hospital.check(daemon.process.poll() is None, f"the daemon ended: {daemon.said()}")
        until(lambda: _stays_drained(hospital))
        if daemon.process.poll() is None:
            daemon.stop()
    return settle(hospital, title)


def soak(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 20: many scans with random faults; memory and descriptors of the daemon stay flat."""
    hospital, chance = Hospital(folder, weights), random.Random(20)
    count = max(25, round(2_000 * scale))
    samples: list[tuple[int, int]] = []
    with hospital.run() as daemon:
        hospital.warm_up()
        for number in range(count):
            ending, content = scans.either(number)
            _soak_one(hospital, daemon, chance, f"P{number % 40}/{number}{ending}", content)
            until(lambda: len(hospital.waiting()) < 20)
            if number in (count // 4, count - 1):
                until(hospital.is_drained)
                samples.append((daemon.resident(), daemon.open_files()))
        daemon.stop()
    (memory, files), (memory_then, files_then) = samples
    grown, new = memory_then - memory, files_then - files
    hospital.check(grown < MOST_GROWTH, f"memory grew by {grown >> 20} MB")
    hospital.check(new <= MOST_NEW_FILES, f"{new} more descriptors are open")
    notes = f"memory {memory >> 20} to {memory_then >> 20} MB, files {files} to {files_then}"
    return settle(hospital, "soak", notes)


def _soak_one(
    hospital: Hospital, daemon: Daemon, chance: random.Random, name: str, content: bytes
) -> None:
    """One scan, and one time in three something goes wrong."""
    path = hospital.drop(name, content)
    match chance.randrange(15):
        case 0:
            for pid in daemon.analyzing():
                os.kill(pid, signal.SIGKILL)
        case 1:
            hospital.drop(f"again/{name}", content)
        case 2:
            hospital.drop(f"cut/{name}", content[: len(content) // 2])
        case 3:
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            daemon.process.send_signal(signal.SIGCONT)
        case 4:
            if os.path.exists(path):
                hospital.append(path, b"more")
        case _:
            return
    hospital.fault()


def idle_folders(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 24: many patients' folders and nothing to do: no core burns, a drop is seen soon."""
    hospital, count = Hospital(folder, weights), max(2_000, round(20_000 * scale))
    for number in range(count):
        (hospital.inbox / f"P{number}").mkdir()
    seconds = max(5.0, 20 * scale)
    with hospital.run(prefix=SELDOM) as daemon:
        hospital.warm_up()
        time.sleep(2)
        before = _cpu_seconds(daemon.process.pid)
        time.sleep(seconds)
        used = (_cpu_seconds(daemon.process.pid) - before) / seconds
        began = time.monotonic()
        hospital.drop("P7/a.png", scans.png(1))
        hospital.fault()
        until(lambda: len(hospital.published()) == 2)
        soon = time.monotonic() - began
        until(hospital.is_drained)
        daemon.stop()
    hospital.check(used < MOST_SHARE, f"{used:.0%} of a core with nothing to do")
    notes = f"{count} folders, {used:.1%} of a core, published after {soon:.1f} s"
    return settle(hospital, "many folders and nothing to do", notes)


def altered_results(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 25: a byte changed, cut off, deleted or added in a result is told by verify --full."""
    hospital = Hospital(folder, weights)
    for number in range(max(2, round(20 * scale))):
        hospital.drop(f"P{number}/a.png", scans.png(number))
    hospital.drain()
    missed, kinds = [], 0
    for place in hospital.published():
        for what, path, content in _alterations(place):
            before = path.read_bytes() if path.exists() else None
            times = path.stat() if path.exists() else None
            _write(path, content)
            if times and content is not None:
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            hospital.fault()
            kinds += 1
            if not _is_told(hospital):
                missed.append(f"{what} {path.suffix}")
            _write(path, before)
            if times:
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    hospital.check(kinds, "nothing was altered")
    hospital.check(not missed, f"not told: {sorted(set(missed))}")
    return settle(hospital, "results altered behind our back", f"{kinds} alterations, all told")


def _alterations(place: Path) -> Iterator[tuple[str, Path, bytes | None]]:
    """What, which file, and its content from now on; None deletes it."""
    mask = next(place.glob("*_seg.*"))
    report, page = next(place.glob("*_report.json")), next(place.glob("*_report.pdf"))
    picture = next(place.glob("*_overlay.png"), mask)
    yield "appended to", mask, mask.read_bytes() + b"junk"
    yield "emptied", page, b""
    yield "edited", report, report.read_bytes()[:-1] + b" "
    yield "deleted", picture, None
    yield "added", place / "source" / "more.png", b"nobody dropped this"


def _write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def _is_told(hospital: Hospital) -> bool:
    done = gliowatch("verify", "--full", "--json", "--settings", str(hospital.settings))
    return done.returncode == 1 and bool(json.loads(done.stdout)["differences"])


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


ROWS: dict[str, Row] = {
    "14": burst,
    "14b": long_queue,
    "15": second_daemon,
    "15b": second_index,
    "16": vanishing_inbox,
    "16b": inbox_away_while_leaving,
    "16c": inbox_away_while_filing,
    "20": soak,
    "24": idle_folders,
    "25": altered_results,
}
