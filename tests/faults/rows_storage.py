"""Rows 11 and 18: an outbox that is full, or read-only."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import scans
from tests.faults.account import Outcome, settle
from tests.faults.daemons import Daemon
from tests.faults.hospital import Hospital, until

Row = Callable[[Path, Path, float], Outcome]
TMPFS_BYTES = 60_000_000


@contextmanager
def _small_disk(folder: Path, options: str) -> Iterator[bool]:
    """A tmpfs over a folder for as long as the context is open; False where that is forbidden."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "gliowatch-faults", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _not_mounted(title: str) -> Outcome:
    return Outcome(title, skipped="this user may not mount a file system")


def full_outbox(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 11: the outbox has ever less room left; each time it is freed again."""
    hospital, title = Hospital(folder, weights), "outbox without space"
    amounts = (0, 3, 20, 45, 80, 130, 200, 300) if scale > 0.2 else (3, 60)
    with _small_disk(hospital.outbox, f"size={TMPFS_BYTES}") as is_mounted:
        if not is_mounted:
            return _not_mounted(title)
        with hospital.run() as daemon:
            hospital.warm_up()
            for number, kilobytes in enumerate(amounts):
                _fill_and_free(hospital, daemon, number, kilobytes * 1000)
            if daemon.process.poll() is None:
                daemon.stop()
        hospital.drain()
        return settle(hospital, title, f"left free: {amounts} kB")


def _fill_and_free(hospital: Hospital, daemon: Daemon, number: int, room: int) -> None:
    ballast = hospital.outbox / ".ballast"
    free = os.statvfs(hospital.outbox)
    ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_bsize - room)))
    for name, content in ((".png", scans.png(number)), (".nii.gz", scans.nifti(number))):
        hospital.drop(f"P{number}/a{name}", content)
    for each, content in enumerate(scans.dicom(number)):
        hospital.drop(f"D{number}/{each}", content)
    time.sleep(3)
    hospital.fault()
    ballast.unlink()
    ended = daemon.process.poll()
    hospital.check(ended is None, f"the daemon ended with {ended}: {daemon.said()}")
    if ended is None:
        hospital.check(until(hospital.is_drained, 60), f"not resumed after {room} bytes were left")


def no_inodes(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 11b: the outbox has room, but no inodes: not even a folder can be made."""
    hospital, title = Hospital(folder, weights), "outbox without inodes"
    with _small_disk(hospital.outbox, "nr_inodes=60") as is_mounted:
        if not is_mounted:
            return _not_mounted(title)
        with hospital.run() as daemon:
            hospital.warm_up()
            _use_up_inodes(hospital.outbox / ".ballast")
            hospital.drop("P/a.png", scans.png(1))
            _trouble_passes(hospital, daemon, lambda: _remove(hospital.outbox / ".ballast"))
        hospital.drain()
        return settle(hospital, title)


def _use_up_inodes(folder: Path) -> None:
    folder.mkdir()
    number = 0
    while os.statvfs(folder).f_favail:
        (folder / str(number)).touch()
        number += 1


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _trouble_passes(hospital: Hospital, daemon: Daemon, mend: Callable[[], object]) -> None:
    """Give the daemon time to meet the trouble, mend it, and see that it goes on by itself."""
    until(lambda: daemon.process.poll() is not None, 4)
    hospital.fault()
    mend()
    ended = daemon.process.poll()
    hospital.check(ended is None, f"the daemon ended with {ended}: {daemon.said()}")
    if ended is None:
        hospital.check(until(hospital.is_drained, 60), "not resumed")
        daemon.stop()


def read_only_outbox(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 18: the outbox turns read-only for a while."""
    hospital, title = Hospital(folder, weights), "outbox read-only"
    with _small_disk(hospital.outbox, f"size={TMPFS_BYTES}") as is_mounted:
        if not is_mounted:
            return _not_mounted(title)
        with hospital.run() as daemon:
            hospital.warm_up()
            _remount(hospital.outbox, "ro")
            hospital.drop("P/a.png", scans.png(1))
            _trouble_passes(hospital, daemon, lambda: _remount(hospital.outbox, "rw"))
        hospital.drain()
        return settle(hospital, title)


def interrupted_publish(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 18b: the outbox is read-only in the moment of the rename: nothing half shows."""
    hospital, title = Hospital(folder, weights), "publish interrupted"
    gate = folder / "gate"
    plan = {"at": "daemon.pipeline.outbox:publish", "do": "pause", "nth": 1, "gate": str(gate)}
    with _small_disk(hospital.outbox, f"size={TMPFS_BYTES}") as is_mounted:
        if not is_mounted:
            return _not_mounted(title)
        hospital.drop("P/a.png", scans.png(1))
        with hospital.once((plan,)) as daemon:
            until(gate.with_suffix(".reached").exists)
            _remount(hospital.outbox, "ro")
            hospital.fault()
            gate.with_suffix(".open").touch()
            daemon.wait(3)
        hospital.check(not hospital.published(), "a result shows that was never published")
        _remount(hospital.outbox, "rw")
        hospital.drain()
        return settle(hospital, title)


def _remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


ROWS: dict[str, Row] = {
    "11": full_outbox,
    "11b": no_inodes,
    "18": read_only_outbox,
    "18b": interrupted_publish,
}
