"""Row 28: other machines that die, freeze, are of another release, or show a wrong certificate."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from daemon.machines.activity_file import MachineSeen, read_account
from tests.daemon.machines.stations import (
    OTHER_RELEASE,
    Station,
    free_address,
    make_certificates,
)
from tests.faults import scans
from tests.faults.account import Outcome, settle
from tests.faults.daemons import Daemon
from tests.faults.hospital import Hospital, until

NAMES = ("alpha", "beta", "gamma")
KINDS = ("worker", "scheduler", "coordinator", "frozen")
TOGETHER = 6  # scans of a round: more than all places
CARRIES = b"_cmsgpack"  # a library that only what talks to other machines has loaded


def machines_that_fail(folder: Path, weights: Path, scale: float) -> Outcome:
    """Each fault while scans are on other machines, at a gate that keeps them there."""
    address, tls = free_address(), make_certificates(folder.with_name("tls"))
    wrong = make_certificates(folder.with_name("wrong-tls"))
    keys = "".join(f'{key} = "{path}"\n' for key, path in tls.items())
    hospital = Hospital(folder, weights, f'slots = 1\n[workers]\naddress = "{address}"\n{keys}')
    gate = folder / "gate"
    plan = [{"at": "daemon.pipeline.worker_tasks:analyze_parcel", "do": "pause"}]
    plan = [each | {"gate": str(gate), "where": "worker"} for each in plan]
    rounds = KINDS * max(1, round(25 * scale))
    with ExitStack() as stack:
        stations = [
            stack.enter_context(Station(name, address, tls, folder, plan)) for name in NAMES
        ]
        stranger = stack.enter_context(Station("stranger", address, wrong, folder))
        other = stack.enter_context(
            Station("other", address, tls, folder, program=("-c", OTHER_RELEASE))
        )
        daemon = stack.enter_context(hospital.run())
        _all_there(hospital)
        for number, kind in enumerate(rounds):
            _drop_some(hospital, gate, number)
            daemon = _strike(hospital, kind, daemon, stations, stack)
            gate.with_suffix(".open").touch()
            drained = until(hospital.is_drained)
            hospital.check(drained, f"scans stand still after: {kind}")
            for station in stations:
                station.send(signal.SIGCONT)
            _all_there(hospital)
        hospital.check(other.process.poll() == 2, "a machine of another release goes on")
        hospital.check("0.0.9" in other.said(), f"another release was told: {other.said()}")
        hospital.check("Reports to" not in stranger.said(), "a stranger was let in")
        sent = _note(hospital)
        daemon.stop()
    return settle(hospital, "other machines: kill -9, frozen, other release, stranger", sent)


def _seen(hospital: Hospital) -> tuple[MachineSeen, ...]:
    return read_account(hospital.folder / "machines.json")


def _all_there(hospital: Hospital) -> None:
    there = until(lambda: {x.name for x in _seen(hospital) if x.is_there} == set(NAMES))
    hospital.check(there, f"not all machines report: {_seen(hospital)}")


def _drop_some(hospital: Hospital, gate: Path, number: int) -> None:
    """So many scans that some go to other machines; back when one of them is there."""
    for ending in (".open", ".reached"):
        gate.with_suffix(ending).unlink(missing_ok=True)
    for each in range(TOGETHER):
        one = number * TOGETHER + each
        hospital.drop(f"P{one}/scan.png", scans.png(one))
    hospital.check(until(gate.with_suffix(".reached").exists), "no scan went to another machine")
    until(lambda: any(each.running for each in _seen(hospital)), 20)


def _strike(
    hospital: Hospital, kind: str, daemon: Daemon, stations: list[Station], stack: ExitStack
) -> Daemon:
    """One fault; the daemon that is at work then."""
    busy = {each.name for each in _seen(hospital) if each.running}
    station = next((each for each in stations if each.name in busy), stations[0])
    hospital.fault()
    match kind:
        case "worker":
            station.send(signal.SIGKILL)
            station.process.wait()
            station.start()
        case "frozen":
            station.send(signal.SIGSTOP)
        case "scheduler":
            os.kill(_carrier(daemon), signal.SIGKILL)
        case "coordinator":
            daemon.kill()
            time.sleep(2)  # its processes end by themselves
            return stack.enter_context(hospital.run())
    return daemon


def _carrier(daemon: Daemon) -> int:
    """The process beside the daemon that carries scans to other machines."""
    maps = {pid: Path(f"/proc/{pid}/maps") for pid in daemon.workers()}
    return next(pid for pid, path in maps.items() if CARRIES in path.read_bytes())


def _note(hospital: Hospital) -> str:
    seen = _seen(hospital)
    done = sum(each.scans for each in seen)
    there = sum(each.sent + each.received for each in seen) / max(1, done) / 1000
    return f"since the last start {done} scans by other machines, {there:.0f} kB each, both ways"


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {"28": machines_that_fail}
