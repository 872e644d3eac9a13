"""Rows 12 and 13: an index that is locked, damaged, cut short or gone; a clock that jumps."""

import asyncio
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from daemon.index.database import open_records
from daemon.index.people.reviews import Decision, add_review
from tests.faults import scans
from tests.faults.account import Outcome, settle
from tests.faults.daemons import Plan
from tests.faults.hospital import Hospital, until

PAGE = 4096
DAY = 86_400.0
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
RETENTION = "keep_days = 365.0\ngrace_days = 0.0"


def locked_index(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 12: another connection holds the index; the daemon waits for it."""
    hospital = Hospital(folder, weights)
    seconds = max(3.0, 60 * scale)
    with hospital.run() as daemon:
        hospital.warm_up()
        with closing(sqlite3.connect(hospital.index, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            hospital.drop("P/a.png", scans.png(1))
            time.sleep(seconds)
            hospital.fault()
            other.execute("ROLLBACK")
        until(lambda: hospital.is_drained() or daemon.process.poll() is not None)
        hospital.check(daemon.process.poll() is None, f"the daemon ended: {daemon.said()}")
        if daemon.process.poll() is None:
            daemon.stop()
    hospital.drain()
    return settle(hospital, "index locked", f"for {seconds:.0f} s")


def end_while_locked(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 12b: SIGTERM while another connection holds the index."""
    hospital = Hospital(folder, weights)
    with hospital.once() as daemon:
        for number in range(20):
            hospital.drop(f"P{number}/a.png", scans.png(number))
        until(hospital.published)
        with closing(sqlite3.connect(hospital.index, timeout=20, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(1)
            hospital.fault()
            daemon.stop()
            other.execute("ROLLBACK")
    hospital.drain()
    return settle(hospital, "SIGTERM while the index is locked")


def lost_wal(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 12c: after a kill, somebody deletes the index's write-ahead log."""
    hospital = Hospital(folder, weights)
    for number in range(8):
        hospital.drop(f"P{number}/a.png", scans.png(number))
    with hospital.once() as daemon:
        until(lambda: len(hospital.published()) >= 3)
        daemon.kill_group()
    for ending in ("-wal", "-shm"):
        hospital.index.with_name(f"index.sqlite{ending}").unlink(missing_ok=True)
    hospital.fault()
    hospital.drain()
    return settle(hospital, "write-ahead log deleted")


def damaged_index(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 12d: a page of the index holds rubbish: rebuilt, or refused with a sentence."""
    hospital = Hospital(folder, weights)
    for number in range(6):
        hospital.drop(f"P{number}/a.png", scans.png(number))
    hospital.drain()
    whole = hospital.index.read_bytes()
    pages = range(len(whole) // PAGE)
    chosen = pages if scale > 0.2 else (0, pages[-2])
    went_on = []
    for page in chosen:
        rubbish = random.Random(page).randbytes(PAGE)
        hospital.index.write_bytes(whole[: page * PAGE] + rubbish + whole[(page + 1) * PAGE :])
        hospital.fault()
        if not _is_refused(hospital) and not _is_sound(hospital.index):
            went_on.append(page)
        hospital.index.write_bytes(whole)
    hospital.check(not went_on, f"went on with a damaged index for {len(went_on)} pages")
    return settle(hospital, "damaged index", f"{len(chosen)} pages, {len(went_on)} not noticed")


def _is_refused(hospital: Hospital) -> bool:
    """Whether a start is refused, which takes one sentence."""
    with hospital.once() as daemon:
        code = daemon.wait()
        sentence = daemon.said()
    if code == 0:
        return False
    is_sentence = sentence.startswith("gliowatch: ") and sentence.endswith(".")
    hospital.check(code == 2 and is_sentence, f"ended with {code}: {sentence}")
    return True


def _is_sound(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(database)) as opened:
            return bool(opened.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def clock_by_faketime(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 13: the whole process lives a day ahead, then a day behind."""
    title = "clock a day forth and back"
    if shutil.which("faketime") is None:
        return Outcome(title, skipped="faketime is not installed (Debian: apt install faketime)")
    hospital = Hospital(folder, weights)
    starts = [(("faketime", "-f", shift), ()) for shift in ("+1d", "-1d")]
    return _late_slices_by_clock(hospital, title, [*starts, ((), ())])


def clock_of_the_records(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 13b: the times that the daemon writes down go a day forth, then back, then further."""
    hospital = Hospital(folder, weights)
    starts: list[tuple[tuple[str, ...], Plan]]
    starts = [((), ({"clock": seconds},)) for seconds in (DAY, 0.0, -DAY)]
    return _late_slices_by_clock(hospital, "clock back, late slices", starts)


def _late_slices_by_clock(
    hospital: Hospital, title: str, starts: "list[tuple[tuple[str, ...], Plan]]"
) -> Outcome:
    """At each start two more slices of one study, and a picture: a revision every time."""
    slices = scans.dicom(1)
    for number, (prefix, plan) in enumerate(starts):
        hospital.drop(f"P{number}/a.png", scans.png(number))
        for each in range(2 * number, 2 * number + 2):
            hospital.drop(f"D/{each}", slices[each])
        with hospital.once(plan, prefix) as daemon:
            hospital.fault()
            code = daemon.wait()
        hospital.check(code == 0, f"start {number + 1}: no end, or another than 0: {code}")
    revisions = sorted(path.name[20:] for path in hospital.outbox.glob("D/*"))
    hospital.check(revisions == ["", "-r2", "-r3"], f"revisions: {revisions}")
    return settle(hospital, title)


def killed_while_rebuilding(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 12e: kill -9 while a damaged index is made again: the next start makes it whole."""
    hospital = Hospital(folder, weights)
    count = _publish(hospital, max(4, round(60 * scale)))
    for number in range(max(2, round(20 * scale))):
        whole = hospital.index.read_bytes()
        hospital.index.write_bytes(os.urandom(PAGE) + whole[PAGE:])
        point = ("_found", "_enter_results", "put_away")[number % 3]
        at = f"daemon.operations.rebuild:{point}"
        plan = {"at": at, "do": "kill", "nth": 1, "when": "before" if number % 2 else "after"}
        with hospital.once((plan,)) as daemon:
            code = daemon.wait()
        hospital.check(code == -9, f"{at} was not reached: {code}, {daemon.said()}")
        hospital.fault()
        hospital.drain()
        hospital.check(_known(hospital) == count, f"{_known(hospital)} of {count} are known")
    return settle(hospital, "kill -9 while the index is made again", f"{count} results")


def lost_index(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 12f: the index is deleted, while gliowatch is stopped and while it runs."""
    hospital = Hospital(folder, weights)
    count = _publish(hospital, max(3, round(30 * scale)))
    for number in range(max(2, round(10 * scale))):
        is_running = number % 2
        if is_running:
            with hospital.run() as daemon:
                until(lambda daemon=daemon: daemon.has_logged("started"))  # type: ignore[misc]
                _delete_index(hospital)
                noticed = until(
                    lambda daemon=daemon: (  # type: ignore[misc]
                        daemon.has_logged("index_replaced") or daemon.process.poll() is not None
                    ),
                    30,
                )
                hospital.check(noticed, "nobody noticed that the index had gone")
        else:
            _delete_index(hospital)
        hospital.fault()
        hospital.drain()
        hospital.check(_known(hospital) == count, f"{_known(hospital)} of {count} are known")
    return settle(hospital, "index deleted", f"{count} results")


def clock_with_retention(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 13c: reviewed scans stay while the clock is 400 days ahead, and after it."""
    title, library = "clock 400 days ahead, with retention", next(iter(LIBRARIES), None)
    if library is None:
        return Outcome(title, skipped="faketime is not installed (Debian: apt install faketime)")
    hospital = Hospital(folder, weights, extra=RETENTION)
    count = _publish(hospital, max(3, round(20 * scale)))
    asyncio.run(_accept_all(hospital))
    with hospital.run() as daemon:  # a round with the right time, which is then known
        until(lambda: daemon.has_logged("started"))
        time.sleep(5)
        daemon.stop()
    for number in range(max(1, round(5 * scale))):
        # by the library itself: the program faketime stays as a parent, and would take the SIGTERM
        ahead = ("env", f"LD_PRELOAD={library}", "FAKETIME=+400d")
        with hospital.run(prefix=ahead) as daemon:
            until(lambda daemon=daemon: daemon.has_logged("started"))  # type: ignore[misc]
            hospital.fault()
            time.sleep(8)
            daemon.stop()
        kept = len(hospital.published())
        hospital.check(kept == count, f"time {number + 1}: {kept} of {count} results are left")
    hospital.drain()
    return settle(hospital, title, f"{count} reviewed scans")


def _publish(hospital: Hospital, count: int) -> int:
    for number in range(count):
        hospital.drop(f"P{number}/a.png", scans.png(number))
    hospital.drain()
    return count


def _delete_index(hospital: Hospital) -> None:
    for ending in ("", "-wal", "-shm"):
        hospital.index.with_name(f"index.sqlite{ending}").unlink(missing_ok=True)


def _known(hospital: Hospital) -> int:
    with closing(sqlite3.connect(f"file:{hospital.index}?mode=ro", uri=True)) as index:
        return int(index.execute("SELECT count(*) FROM scans").fetchone()[0])


async def _accept_all(hospital: Hospital) -> None:
    with closing(sqlite3.connect(f"file:{hospital.index}?mode=ro", uri=True)) as index:
        known = [str(row[0]) for row in index.execute("SELECT scan_id FROM scans")]
    async with open_records(hospital.folder / "records.sqlite") as records:
        for scan in known:
            await add_review(records, scan, 1, Decision.ACCEPTED, "", "Dr. Who")


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {
    "12": locked_index,
    "12b": end_while_locked,
    "12c": lost_wal,
    "12d": damaged_index,
    "12e": killed_while_rebuilding,
    "12f": lost_index,
    "13": clock_by_faketime,
    "13b": clock_of_the_records,
    "13c": clock_with_retention,
}
