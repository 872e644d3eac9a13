"""Rows 1, 2, 17 and 19: kills of daemon and worker, poison scans, and a gentle end."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.faults import scans
from tests.faults.account import Outcome, settle
from tests.faults.daemons import Daemon
from tests.faults.hospital import SHIPPED, Hospital, until

LEDGER = "daemon.index.ledger:"
POINTS = (  # functions at whose calls the daemon is killed, before and after
    *(LEDGER + name for name in ("add_drops", "change_files", "mark_rested")),
    "daemon.index.queue:claim_next",
    *(LEDGER + name for name in ("finish", "finish_duplicate", "reject", "mark_left")),
    "daemon.pipeline.outbox:staging_folder",
    "daemon.pipeline.outbox:publish",
    "daemon.intake.cleanup:leave",
    "daemon.index.database:Database.change",  # inside the transactions
    "daemon.index.people.patients:ensure_patients",
    "daemon.safe_files:rename_new",
    "os:rename",
    "os:unlink",
)

MET_ONCE = tuple(LEDGER + name for name in ("change_files", "finish_duplicate", "reject"))


def kills_of_the_daemon(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 1: at random moments, and before and after each commit point."""
    hospital = Hospital(folder, weights)
    moments = random.Random(1)
    kills = max(3, round(200 * scale))
    count = _drop_some(hospital, 0, max(12, round(500 * scale)))
    for _ in range(kills):
        if len(hospital.waiting()) < 8:  # or the next kill finds no work
            count = _drop_some(hospital, count, 8)
        with hospital.once() as daemon:
            _kill_at_random(hospital, daemon, moments)
    points = [(point, when) for point in POINTS for when in ("before", "after")]
    chosen = points if scale > 0.2 else moments.sample(points, 3)
    reached = sum(
        _kill_at_point(hospital, at, when, 1000 * number, _which(at, moments))
        for number, (at, when) in enumerate(chosen, start=1)
    )
    hospital.check(reached == len(chosen), f"{len(chosen) - reached} commit points not reached")
    hospital.drain()
    what = f"{hospital.faults - reached} random moments, {reached} of {len(chosen)} commit points"
    return settle(hospital, "kill -9 of the daemon", what)


def kills_with_real_weights(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 1b: the same, fewer times, with the weights that are shipped."""
    outcome = kills_of_the_daemon(folder, SHIPPED, scale / 4)
    return replace(outcome, title=f"{outcome.title}, real weights")


def _drop_some(hospital: Hospital, first: int, count: int) -> int:
    """Drop so many new scans; the number of the next one."""
    for number in range(first, first + count):
        ending, content = scans.either(number)
        hospital.drop(f"P{number}/scan{ending}", content)
    return first + count


def _kill_at_random(hospital: Hospital, daemon: Daemon, moments: random.Random) -> None:
    """While it starts, or some results after that; at times with worker and all."""
    before, some = len(hospital.published()), moments.randint(1, 3)
    if moments.random() < 0.75:
        until(
            lambda: len(hospital.published()) >= before + some or daemon.process.poll() is not None
        )
    time.sleep(moments.uniform(0, 0.4 if moments.random() < 0.75 else 2.5))
    if daemon.process.poll() is None:
        hospital.fault()
    (daemon.kill if moments.random() < 0.7 else daemon.kill_group)()


def _which(at: str, moments: random.Random) -> int:
    """At which call: the first or the second, where what is dropped leads to two."""
    number = moments.choice((1, 1, 2))
    return 1 if at in MET_ONCE else number


def _kill_at_point(hospital: Hospital, at: str, when: str, seed: int, nth: int) -> bool:
    """Drop what reaches every point, and let the daemon kill itself there; whether it did."""
    hospital.drop(f"Q{seed}/a.png", scans.png(seed))
    hospital.drop(f"Q{seed}/b.png", scans.png(seed))
    hospital.drop(f"Q{seed}/c.png", scans.png(seed)[:200])
    growing = hospital.drop(f"Q{seed}/d.png", scans.png(seed + 1))
    plan = {"at": at, "when": when, "nth": nth, "do": "kill", "where": "daemon"}
    with hospital.once((plan,)) as daemon:
        until(lambda: daemon.has_logged("seen") or daemon.process.poll() is not None)
        if os.path.exists(growing):
            hospital.append(growing, b"more")
        is_killed = daemon.wait() == -signal.SIGKILL
    if is_killed:
        hospital.fault()
    return is_killed


def kills_of_workers(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 2: each time after some progress, so that no scan is hit three times."""
    hospital = Hospital(folder, weights)
    moments = random.Random(2)
    kills = max(3, round(60 * scale))
    for number in range(4 * kills):
        ending, content = scans.either(number)
        hospital.drop(f"P{number}/scan{ending}", content)
    with hospital.once() as daemon:
        for _ in range(kills):
            before = len(hospital.published())
            if not until(lambda before=before: len(hospital.published()) > before):  # type: ignore[misc]
                break
            time.sleep(moments.uniform(0, 0.2))
            for pid in daemon.workers():
                os.kill(pid, signal.SIGKILL)
                hospital.fault()
        code = daemon.wait()
    hospital.check(code == 0, f"the run ended with {code}: {daemon.said()}")
    return settle(hospital, "kill -9 of workers")


def poison_scans(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 17: scans that hang, crash or exhaust the worker are rejected; the rest is analyzed."""
    hospital = Hospital(folder, weights, extra="scan_timeout_seconds = 20.0\nattempts = 2")
    poisons = ("segfault", "memory", *(("hang",) if scale > 0.2 else ()))
    analyze = "daemon.pipeline.worker_tasks:analyze_into"
    plan = tuple(
        {"at": analyze, "do": poison, "value": f"poison-{poison}", "where": "worker"}
        for poison in poisons
    )
    for number, poison in enumerate(poisons):
        hospital.drop(f"poison-{poison}/a.png", scans.png(100 + number))
        hospital.drop(f"well-{poison}/a.png", scans.png(200 + number))
    with hospital.once(plan) as daemon:
        code = daemon.wait()
        hospital.fault(sum(each["event"] == "attempt_failed" for each in daemon.events()))
    hospital.check(code == 1, f"the run ended with {code}: {daemon.said()}")
    rejected = {path.parent.name for path in hospital.inbox.glob(".rejected/*/a.png")}
    hospital.check(rejected == {f"poison-{poison}" for poison in poisons}, f"rejected: {rejected}")
    hospital.check(len(hospital.published()) == len(poisons), "a healthy scan was not judged")
    return settle(hospital, "hang, segfault and memory kill in the worker", ", ".join(poisons))


def gentle_ends(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 19: SIGTERM at random moments after the start: an end within 10 s, with code 0."""
    hospital = Hospital(folder, weights)
    moments = random.Random(19)
    longest = 0.0
    for number in range(max(3, round(60 * scale))):
        for each in range(3):
            hospital.drop(f"P{number}/{each}.png", scans.png(10 * number + each))
        start = moments.choice((hospital.run, hospital.once))
        with start() as daemon:
            until(lambda daemon=daemon: daemon.has_logged("started"))  # type: ignore[misc]
            time.sleep(moments.uniform(0, 5))
            if daemon.process.poll() is None:
                hospital.fault()
                longest = max(longest, daemon.stop())
    hospital.drain()
    return settle(hospital, "SIGTERM at random moments", f"longest end {longest:.1f} s")


def end_while_loading(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 19b: SIGTERM while the worker loads a network that takes for ever."""
    hospital = Hospital(folder, weights)
    hospital.drop("P/a.png", scans.png(1))
    plan = {"at": "daemon.pipeline.worker_tasks:warm_up", "do": "hang", "where": "worker"}
    with hospital.once((plan,)) as daemon:
        until(lambda: daemon.has_logged("started") and daemon.workers())
        time.sleep(1)
        hospital.fault()
        daemon.stop()
    hospital.drain()
    return settle(hospital, "SIGTERM while the network loads")


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {
    "1": kills_of_the_daemon,
    "1b": kills_with_real_weights,
    "2": kills_of_workers,
    "17": poison_scans,
    "19": gentle_ends,
    "19b": end_while_loading,
}
