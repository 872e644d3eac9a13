"""A night's batch, and single scans, through the real daemon: from the inbox to the outbox."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from daemon.bench_daemon import BenchDaemon
from daemon.bench_scan import BenchScan
from daemon.bench_targets import WARM, batch_ratios
from model.engine_openvino import usable_threads
from model.timing import Row, Timing, interleaved

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
            night.seconds / scans, night.model, night.apart, spent / scans, threads, peaks
        ),
    }
