"""`gliowatch bench`: how fast this machine does a scan, stage by stage, as ratios of one run."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from daemon.logs import quiet_libraries
from model.inference.input_check import load_input_check
from model.network.network import Network, load_network
from model.network.openvino_graphs import wanted_threads
from model.volume import Volume
from tools.bench.daemon_batch import ROOT, bench_batch
from tools.bench.scan_stages import BenchScan, bench_scan
from tools.bench.targets import (
    COLD,
    COMMON,
    COMMON_MISSING,
    SEGMENT,
    ratios_of,
    training_ratios,
    waiting_ratios,
)
from tools.bench.timing import Row, Timing, gemm, gflop_of_slice, interleaved, save_made_up_head

START = "from model.network.network import load_network; load_network(device='cpu')"


def shell_rows(scan: Path, folder: Path) -> tuple[Row, ...]:
    """`gliowatch segment` of a scan; import and load of the engine; each with Python's start."""

    def segment() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as target:
            _run("-m", "gliowatch", "segment", str(scan), "-o", target)

    return Row(SEGMENT, segment), Row(COLD, lambda: _run("-c", START))


def _run(*words: str) -> None:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


Say = Callable[[str], object]
BUSY = 0.5  # load of a machine, in threads of it, from which on its figures are worth little
BUSY_WORDS = (
    "Other programs were running: ratios to the common way are too high then, for torch's threads"
    " wait for each other. Repeat it on a quiet machine."
)


def print_bench(content: dict[str, Any], say: Say) -> None:
    """Machine, then for each scan its stages in milliseconds and the ratios with their targets."""
    say(", ".join(f"{name} {value}" for name, value in content["machine"].items()))
    if content["machine"].get("load", 0.0) > BUSY * content["machine"].get("threads", 1):
        say(BUSY_WORDS)
    for scan in content["scans"]:
        say("")
        say(
            f"{scan['scan']}: {scan['slices']} slices, {scan['judged_slices']} of them judged;"
            f" GEMM {scan['gemm_gflop_per_s']} GFLOP/s"
        )
        _print_part(scan, say)
    if COMMON not in {row["name"] for scan in content["scans"] for row in scan["rows"]}:
        say(COMMON_MISSING)
    if "batch" in content:
        _print_batch(content["batch"], say)
    if "training" in content:
        say("")
        say("training")
        _print_part(content["training"], say)


def _print_batch(batch: dict[str, Any], say: Say) -> None:
    say("")
    say(
        f"{batch['scans']} copies of {batch['scan']} through the daemon: {batch['seconds']} s,"
        f" {batch['scans_per_hour']} an hour; the model alone takes {batch['model_seconds']} s"
    )
    spent = ", ".join(f"{name} {value}" for name, value in batch["processor_seconds"].items())
    say(
        f"  processor seconds a scan: {spent}; of them {batch['apart_processor_seconds']} with"
        f" targets of their own; processors busy {batch['processors_busy']}"
    )
    _print_part(batch, say)


def _print_part(part: dict[str, Any], say: Say) -> None:
    say(f"  {'ms':>46}  {'middle half':>20}  rounds")
    for row in part["rows"]:
        spread = f"{1000 * row['low']:.1f} to {1000 * row['high']:.1f}"
        say(f"  {row['name']:36}{1000 * row['median']:10.1f}  {spread:>20}  {row['rounds']}")
    for ratio in part["ratios"]:
        if "met" not in ratio:
            say(f"  {ratio['what']}: {ratio['value']}")
            continue
        bound, target = ("at least", "at_least") if "at_least" in ratio else ("at most", "at_most")
        word = "met" if ratio["met"] else "MISSED"
        say(f"  {ratio['what']}: {ratio['value']}, {bound} {ratio[target]} wanted: {word}")


ROUNDS, MOST_SECONDS = 7, 75.0  # of each scan; two scans stay below five minutes
MADE_UP = {"made up, 155 slices of 1 mm": (155, 1.0), "made up, 30 slices of 5 mm": (30, 5.0)}
GEMM = "GEMM"

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
    network, input_check = load_network(device="cpu"), load_input_check(0.0)
    content: dict[str, Any] = {"machine": _machine(), "scans": []}
    with tempfile.TemporaryDirectory(prefix=".gliowatch-bench-", dir=".") as here:
        for number, (name, path) in enumerate(_scans(scan, Path(here)).items()):
            taken = bench_scan(path, Path(here) / f"files{number}", network, input_check)
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


def common_rows(volume: Volume, network: Network, folder: Path) -> tuple[Row, ...]:
    """The same work done the common way; none where torch is missing."""
    if find_spec("torch") is None:
        return ()
    from tools.bench.training_step import rows_of

    return rows_of(volume, network, folder)


def training_rows(folder: Path) -> tuple[Row, ...]:
    """A step of training beside the plain loop's, and the part of it that draws a batch.

    Raises ModuleNotFoundError where torch is missing: there is nothing to be trained.
    """
    from tools.bench.training_step import step_rows

    return step_rows(folder)
