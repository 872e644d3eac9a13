"""The real `gliowatch run` over a folder of its own: what it publishes, holds and spends."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Self

from model.errors import GliowatchError

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")  # a second
LOOK_SECONDS = 0.5  # between two looks at memory
STALL_SECONDS = 300.0  # without a new result
RUNTIME = b"libopenvino"  # what a worker has loaded, and nobody else ever does
DAEMON, WORKERS, VIEWER = "daemon", "workers", "viewer"


class BenchStalled(GliowatchError):
    """The daemon ended, or published nothing more."""


class BenchDaemon:
    """`gliowatch run` with its usual settings, but without any rest of files; ends with the `with`.

    peaks: bytes of daemon and viewer at most (VmHWM), and of all workers together at most (the
    sum of their PSS, looked at twice a second).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = threading.Event()
        self._viewer: set[int] = set()
        self.peaks: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Start it."""
        (self._folder / "inbox").mkdir(parents=True)
        (self._folder / "settings.toml").write_text(
            "[daemon]\nrest_seconds = 0\nreserve_gb = 0\n[viewer]\nport = 0\n"
            "[model]\nleast_flair = 1e-9\n"  # the gate looks, and lets a made-up head in
        )
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"],
            cwd=self._folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        return self

    def __exit__(self, *_: object) -> None:
        """End it, with its workers and its viewer."""
        self._ended.set()
        self._process.terminate()
        self._process.wait()
        if self._watcher.is_alive():
            self._watcher.join()

    def drop(self, folder: Path) -> None:
        """Move a patient's folder into the inbox, by one rename."""
        folder.rename(self._folder / "inbox" / folder.name)

    def published(self) -> int:
        """How many scans lie in the outbox."""
        outbox = self._folder / "outbox"
        patients = [each for each in _names(outbox) if not each.startswith(".")]
        return sum(len(_names(outbox / patient)) for patient in patients)

    def wait_for(
        self, scans: int, every: float, advance: Callable[[int], object] = lambda done: None
    ) -> None:
        """Until so many scans are published; looks `every` so many seconds. Raises BenchStalled."""
        seen, moment = -1, time.monotonic()
        while seen < scans:
            if (found := self.published()) != seen:
                seen, moment = found, time.monotonic()
                advance(found)
                continue
            if self._process.poll() is not None or time.monotonic() - moment > STALL_SECONDS:
                raise BenchStalled("The daemon that was to be measured did not judge its scans.")
            time.sleep(every)

    def begin_watch(self) -> None:
        """Look at memory from now on; called when a worker has judged its first scan."""
        own = _children(self._process.pid)
        self._viewer = {pid for pid in own if RUNTIME not in _read(pid, "maps")}
        self._watcher.start()

    def spent(self) -> dict[str, float]:
        """Processor seconds until now of each: daemon, workers, viewer."""
        return {name: sum(map(_spent, pids)) for name, pids in self._pids().items()}

    def _pids(self) -> dict[str, set[int]]:
        workers = _children(self._process.pid) - self._viewer
        return {DAEMON: {self._process.pid}, VIEWER: self._viewer, WORKERS: workers}

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            pids = self._pids()
            held = {
                name: sum(_line(pid, "status", b"VmHWM") for pid in pids[name])
                for name in (DAEMON, VIEWER)
            }
            held[WORKERS] = sum(_line(pid, "smaps_rollup", b"Pss") for pid in pids[WORKERS])
            self.peaks |= Counter(held)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _read(pid: int, name: str) -> bytes:
    """A file of /proc; empty once the process has gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _children(parent: int) -> set[int]:
    """Its spawned processes: workers and the viewer."""
    lists = [path.read_text() for path in Path(f"/proc/{parent}/task").glob("*/children")]
    pids = {int(each) for line in lists for each in line.split()}
    return {pid for pid in pids if b"spawn_main" in _read(pid, "cmdline")}


def _line(pid: int, name: str, key: bytes) -> int:
    """A line of a process's memory, in bytes."""
    for line in _read(pid, name).splitlines():
        if line.startswith(key + b":"):
            return int(line.split()[1]) * 1024
    return 0


def _spent(pid: int) -> float:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0
