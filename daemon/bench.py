"""`gliowatch bench`: how fast this machine does a scan, stage by stage, as ratios of one run."""

import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from daemon.bench_batch import bench_batch
from daemon.bench_scan import BenchScan, bench_scan
from daemon.bench_shell import shell_rows
from daemon.bench_table import print_bench
from daemon.bench_targets import ratios_of, training_ratios, waiting_ratios
from daemon.logs import quiet_libraries
from model.engine_openvino import wanted_threads
from model.gate import load_gate
from model.loading import load_network
from model.made_up import save_made_up_head
from model.network import Network
from model.speed import gemm, gflop_of_slice
from model.timing import Row, Timing, interleaved
from model.volume import Volume

ROUNDS, MOST_SECONDS = 7, 75.0  # of each scan; two scans stay below five minutes
MADE_UP = {"made up, 155 slices of 1 mm": (155, 1.0), "made up, 30 slices of 5 mm": (30, 5.0)}
GEMM = "GEMM"

Say = Callable[[str], object]
Training = Callable[[Path], tuple[Row, ...]]
Common = Callable[[Volume, Network, Path], tuple[Row, ...]]


def bench_visibly(
    scan: Path | None,
    common: Common,
    training: Training | None,
    batch: int,
    as_json: bool,
    say: Say,
) -> None:
    """Time a scan, or two made-up ones, and print a table, or JSON.

    common: rows of the same work done the common way, from a scan, our network, and a folder to
    write to; none where torch is missing. training: rows of the training step, if wanted.
    batch: so many copies of the last scan go through the real daemon; 0 for none.
    """
    quiet_libraries()
    network, gate = load_network(device="cpu"), load_gate(0.0)
    content: dict[str, Any] = {"machine": _machine(), "scans": []}
    with tempfile.TemporaryDirectory(prefix=".gliowatch-bench-", dir=".") as here:
        for number, (name, path) in enumerate(_scans(scan, Path(here)).items()):
            taken = bench_scan(path, Path(here) / f"files{number}", network, gate)
            content["scans"].append({"scan": name, **_timed(taken, common)})
        if batch:
            content["batch"] = {"scan": name} | _through_daemon(taken, batch, Path(here))
        if training:
            timings = _bar("training", training(Path(here)))
            content["training"] = {
                "rows": [asdict(each) for each in timings],
                "ratios": training_ratios({each.name: each.median for each in timings}),
            }
    if as_json:
        say(json.dumps(content, indent=1))
    else:
        print_bench(content, say)


def _scans(scan: Path | None, folder: Path) -> dict[str, Path]:
    """The scans to time by what they are called; a given one keeps its name to itself."""
    if scan is not None:
        return {"the given scan": scan}
    made = {name: folder / f"head{slices}.nii.gz" for name, (slices, _) in MADE_UP.items()}
    for name, path in made.items():
        save_made_up_head(*MADE_UP[name], path)
    return made


def _timed(taken: BenchScan, common: Common) -> dict[str, Any]:
    multiply, gflop = gemm()
    counted = taken.counted()
    rows = (Row(GEMM, multiply), *counted, *taken.others())
    rows += common(taken.volume, taken.network, taken.folder)
    timings = _bar(f"{taken.slices} slices", rows)
    seconds = {each.name: each.median for each in timings}
    window = taken.network.preparation
    work = gflop_of_slice(taken.network.members[0].shape, window.rows, window.columns) * taken.busy
    outside = sum(seconds[row.name] for row in counted)
    return {
        "slices": taken.slices,
        "judged_slices": taken.busy,
        "gflop": round(work, 1),
        "gemm_gflop_per_s": round(gflop / seconds[GEMM], 1),
        "rows": [asdict(each) for each in timings],
        "ratios": ratios_of(seconds, outside, work, gflop / seconds[GEMM], taken.slices),
    }


def _through_daemon(taken: BenchScan, scans: int, folder: Path) -> dict[str, Any]:
    """The daemon's part, and the prompt's beside it."""
    shell = _bar("at the prompt", shell_rows(taken.scan, folder))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("the daemon", total=scans)
        found = bench_batch(
            taken, scans, folder, lambda done: progress.update(task, completed=done)
        )
    found["rows"] += [asdict(each) for each in shell]
    seconds = {row["name"]: row["median"] for row in found["rows"]}
    found["ratios"] += waiting_ratios(seconds, taken.slices)
    return found


def _bar(name: str, rows: tuple[Row, ...]) -> list[Timing]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=(ROUNDS + 1) * len(rows))
        return interleaved(rows, ROUNDS, MOST_SECONDS, lambda: progress.advance(task))


def _machine() -> dict[str, Any]:
    """What the figures belong to; no names of the machine or of its people."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "threads": wanted_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "openvino": version("openvino"),
    }
