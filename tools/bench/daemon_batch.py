"""A night's batch, and single scans, through the real daemon: from the inbox to the outbox."""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from model.errors import GliowatchError
from model.network.openvino_graphs import usable_threads
from tools.bench.scan_stages import BenchScan
from tools.bench.targets import WARM, batch_ratios
from tools.bench.timing import Row, Timing, interleaved

ROOT = Path(__file__).parents[2]
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
            "[daemon]\nrest_seconds = 0\nclose_seconds = 0\nreserve_gb = 0\n[viewer]\nport = 0\n"
            "[model]\nleast_flair = 1e-9\n"  # the input check looks, and lets a made-up head in
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
        """Look at memory from now on; called when a worker has analyzed its first scan."""
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


ONE_BY_ONE = 5  # scans that are dropped alone
MODEL_ROUNDS = 5  # before the batch, and as many after it
APART_ROUNDS = 3
QUICK, SLOW = 0.005, 0.25  # seconds between two looks into the outbox, for one scan and for many
GZIP = b"\x1f\x8b"
Advance = Callable[[int], object]


@dataclass(frozen=True)
class _Night:
    """So many scans at once: seconds until all were published, processor seconds of each kind of
    process meanwhile; and of one scan the model alone, in seconds by the clock and of processors,
    and the processor seconds of what has targets of its own."""

    scans: int
    seconds: float
    spent: Mapping[str, float]
    model: tuple[float, float]
    apart: float


def bench_batch(taken: BenchScan, scans: int, folder: Path, advance: Advance) -> dict[str, Any]:
    """Run a daemon of its own below `folder`: first scans alone, then so many of them at once.

    Before and after the batch, while the daemon has nothing to do, the model alone is timed.
    `advance` is told how many of the batch are done. Raises BenchStalled.
    """
    waiting = folder / "waiting"
    _prepare(taken.scan, waiting, 1 + ONE_BY_ONE + scans)
    everyone = sorted(waiting.iterdir())
    with BenchDaemon(folder / "daemon") as daemon:
        daemon.drop(everyone[0])
        daemon.wait_for(1, SLOW)  # the start, and the first scan of a fresh worker, do not count
        daemon.begin_watch()
        alone = interleaved([_alone(daemon, everyone[1:])], ONE_BY_ONE - 1, 1e9, lambda: None)
        model = _model(taken)
        seconds, spent = _together(daemon, everyone[1 + ONE_BY_ONE :], advance)
        model += _model(taken)
    night = _Night(scans, seconds, spent, _medians(model), _apart(taken))
    return _told(night, alone, daemon.peaks)


def _prepare(scan: Path, waiting: Path, count: int) -> None:
    """Folders of so many patients, each with the scan; gzips differ by the time in their header."""
    files = [path for path in scan.rglob("*") if path.is_file()] if scan.is_dir() else [scan]
    for number in range(count):
        for file in files:
            target = waiting / f"P{number:05}" / file.relative_to(scan.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = file.read_bytes()
            if content.startswith(GZIP):  # bytes 4 to 7: when it was made (RFC 1952)
                content = content[:4] + number.to_bytes(4, "little") + content[8:]
            target.write_bytes(content)


def _alone(daemon: BenchDaemon, folders: list[Path]) -> Row:
    """A scan dropped while nothing else is there, until it is published."""
    left = iter(folders)

    def run() -> None:
        before = daemon.published()
        daemon.drop(next(left))
        daemon.wait_for(before + 1, QUICK)

    return Row(WARM, run)


def _together(
    daemon: BenchDaemon, folders: list[Path], advance: Advance
) -> tuple[float, dict[str, float]]:
    """Seconds until all are published, and what was spent meanwhile."""
    before, spent, began = daemon.published(), daemon.spent(), time.perf_counter()
    for folder in folders:
        daemon.drop(folder)
    daemon.wait_for(before + len(folders), SLOW, lambda done: advance(done - before))
    seconds = time.perf_counter() - began
    return seconds, {name: after - spent[name] for name, after in daemon.spent().items()}


def _model(taken: BenchScan) -> list[tuple[float, float]]:
    """Seconds of the model alone, with all threads: by the clock, and of processors."""

    def run() -> None:
        taken.network.probabilities(taken.prepared, best=False)

    return _rounds(run, MODEL_ROUNDS)


def _apart(taken: BenchScan) -> float:
    """Processor seconds of what has targets of its own: PDF, DICOM objects, atlas registration."""
    return sum(_medians(_rounds(row.run, APART_ROUNDS))[1] for row in taken.apart())


def _rounds(run: Callable[[], object], rounds: int) -> list[tuple[float, float]]:
    """Seconds of each round by the clock, and of processors; one before them does not count."""
    seconds = []
    for _ in range(rounds + 1):
        clock, processor = time.perf_counter(), time.process_time()
        run()
        seconds.append((time.perf_counter() - clock, time.process_time() - processor))
    return seconds[1:]


def _medians(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    clock, processor = zip(*rounds, strict=True)
    return statistics.median(clock), statistics.median(processor)


def _told(night: _Night, alone: list[Timing], peaks: Mapping[str, int]) -> dict[str, Any]:
    threads, scans = usable_threads(), night.scans
    spent = sum(night.spent.values())
    return {
        "scans": scans,
        "seconds": round(night.seconds, 1),
        "scans_per_hour": round(3600 * scans / night.seconds),
        "model_seconds": round(night.model[0], 4),
        "model_processor_seconds": round(night.model[1], 4),
        "apart_processor_seconds": round(night.apart, 4),
        "processor_seconds": {name: round(each / scans, 4) for name, each in night.spent.items()},
        "processors_busy": round(spent / night.seconds / threads, 3),
        "rows": [asdict(each) for each in alone],
        "ratios": batch_ratios(
            night.seconds / scans,
            night.model,
            apart=night.apart,
            spent=spent / scans,
            threads=threads,
            held=peaks,
        ),
    }
