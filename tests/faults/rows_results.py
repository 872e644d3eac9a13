"""Rows 12e to 13c, 24 and 25: a lost index, a wrong clock with retention, idle folders, bit rot."""

import asyncio
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from daemon.index.database import open_records
from daemon.index.people.reviews import Decision, add_review
from tests.faults import scans
from tests.faults.account import Outcome, gliowatch, settle
from tests.faults.hospital import Hospital, until

PAGE = 4096
TICKS = os.sysconf("SC_CLK_TCK")
MOST_SHARE = 0.05  # of a processor, while nothing is to be done
SELDOM = ("env", "GLIOWATCH_DAEMON__RECONCILE_SECONDS=60")  # as sites have it
RETENTION = "keep_days = 365.0\ngrace_days = 0.0"


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
            code = daemon.wait(100)
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
    title = "clock 400 days ahead, with retention"
    if shutil.which("faketime") is None:
        return Outcome(title, skipped="faketime is not installed (Debian: apt install faketime)")
    hospital = Hospital(folder, weights, extra=RETENTION)
    count = _publish(hospital, max(3, round(20 * scale)))
    asyncio.run(_accept_all(hospital))
    with hospital.run() as daemon:  # a round with the right time, which is then known
        until(lambda: daemon.has_logged("started"))
        time.sleep(5)
        daemon.stop()
    for number in range(max(1, round(5 * scale))):
        with hospital.run(prefix=("faketime", "-f", "+400d")) as daemon:
            until(lambda daemon=daemon: daemon.has_logged("started"))  # type: ignore[misc]
            hospital.fault()
            time.sleep(8)
            daemon.stop()
        kept = len(hospital.published())
        hospital.check(kept == count, f"time {number + 1}: {kept} of {count} results are left")
    hospital.drain()
    return settle(hospital, title, f"{count} reviewed scans")


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
        until(lambda: _known(hospital) == 2)
        soon = time.monotonic() - began
        until(hospital.is_drained)
        daemon.stop()
    hospital.check(used < MOST_SHARE, f"{used:.0%} of a core with nothing to do")
    notes = f"{count} folders, {used:.1%} of a core, published after {soon:.1f} s"
    return settle(hospital, "many folders and nothing to do", notes)


def altered_results(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 25: a byte changed, cut off, deleted or added in a result is told by verify --full."""
    hospital = Hospital(folder, weights)
    _publish(hospital, max(2, round(20 * scale)))
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


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {
    "12e": killed_while_rebuilding,
    "12f": lost_index,
    "13c": clock_with_retention,
    "24": idle_folders,
    "25": altered_results,
}
