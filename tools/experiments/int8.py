"""`python -m tools.experiments.int8`: would an int8 network be as good, and how much faster?

Jacob et al.: Quantization and training of neural networks for efficient integer-arithmetic-only
inference, CVPR 2018, describes the arithmetic: https://arxiv.org/abs/1712.05877

Patients that the network learned from calibrate, and choose a way; others analyze the way chosen.
"""

import importlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from model.errors import GliowatchError
from model.inference.preprocessing import Prepared, prepare
from model.inference.segmentation import Rules
from model.network.network import Network, load_network
from model.network.openvino_graphs import OpenVINOEngine, unet_graph
from model.reading.nifti import read_nifti
from model.volume import FloatArray
from tools.bench.timing import Row, Timing, interleaved
from training.datasets import Case, DatasetError, choose_cases, find_cases, split_by_patient
from training.evaluate import Evaluator, evaluate, spread
from training.train import progress_bar

CHOOSING_SHARE = 0.5  # of the patients that were learned from; the rest calibrate


def part(
    learned: Sequence[str], analyzing: Sequence[str], seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The patients that calibrate, and those that choose among the ways; the same each time.

    Raises DatasetError when one that analyzes was learned from, or too few were.
    """
    if set(learned) & set(analyzing):
        raise DatasetError("A patient that judges was learned from: take another list.")
    parted = split_by_patient(tuple(learned), CHOOSING_SHARE, seed)
    return parted.train, parted.validation


def calibration_images(cases: Sequence[Case], network: Network, count: int) -> FloatArray:
    """What the network sees of about `count` slices: (n, inputs, rows, columns), n <= `count`.

    As many of each patient, or every so-manieth patient where `count` is smaller than they are
    many. Raises UnreadableScan when a case cannot be read.
    """
    chosen = [cases[k] for k in evenly(len(cases), count)]
    each = max(1, count // len(chosen))
    images = []
    for case in chosen:
        prepared = prepare(read_nifti(case.flair), network.preparation)
        busy = np.flatnonzero(prepared.head.any(axis=(1, 2)))
        images.append(network.inputs(prepared, busy[evenly(len(busy), each)]))
    return np.concatenate(images)


def evenly(length: int, count: int) -> NDArray[np.int64]:
    """At most `count` different places in 0 .. length - 1, the middles of equal stretches."""
    count = min(length, count)
    places: NDArray[np.int64] = ((np.arange(count) + 0.5) * length / max(count, 1)).astype(np.int64)
    return places


TELEMETRY = "openvino_telemetry"  # NNCF would tell its maker of each run


@dataclass(frozen=True)
class Way:
    """slices: how many calibrate. mixed: activations may lie off zero (MIXED preset).

    accurate_bias: NNCF's slower correction of biases. ends, last_level: the first layer and the
    head, and the decoder's last level, are left in single precision.
    """

    slices: int = 300
    mixed: bool = True
    accurate_bias: bool = False
    ends: bool = False
    last_level: bool = False


WAYS = {
    "default preset": Way(mixed=False),
    "MIXED preset": Way(),
    "MIXED, accurate bias": Way(accurate_bias=True),
    "MIXED, ends in fp32": Way(ends=True),
    "MIXED, ends and last level in fp32": Way(ends=True, last_level=True),
    "MIXED, accurate bias, ends in fp32": Way(accurate_bias=True, ends=True),
    "MIXED, 60 slices": Way(slices=60),
    "MIXED, 1200 slices": Way(slices=1200),
}


def ways_named(name: str) -> dict[str, Way]:
    """That way alone, or all of them for "". Raises DatasetError when there is none."""
    if name and name not in WAYS:
        raise DatasetError(f"There is no such way; there are: {'; '.join(WAYS)}.")
    return {name: WAYS[name]} if name else WAYS


def check_installed() -> None:
    """Raises DatasetError where NNCF is missing."""
    if find_spec("nncf") is None:
        raise DatasetError("int8 needs NNCF, which is not installed: pip install -e '.[int8]'.")


def int8_network(network: Network, images: FloatArray, way: Way) -> Network:
    """The same network with integer arithmetic, for `fast` alone.

    images: what the network sees of the slices that calibrate, (n, inputs, rows, columns).
    """
    window = network.preparation
    engines = tuple(
        OpenVINOEngine(
            _quantized(
                unet_graph(member.shape, member.tensors, window.rows, window.columns), images, way
            )
        )
        for member in network.members[: network.fast]
    )
    return replace(network, engines=engines)


def _quantized(graph: Any, images: FloatArray, way: Way) -> Any:
    sys.modules.setdefault(TELEMETRY, None)  # type: ignore[arg-type]  # so that it cannot load
    nncf = importlib.import_module("nncf")
    preset = nncf.QuantizationPreset.MIXED if way.mixed else nncf.QuantizationPreset.PERFORMANCE
    left = nncf.IgnoredScope(names=_left_alone(graph, way))
    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(io.StringIO()):  # its progress bars, also where there is no terminal
        return nncf.quantize(
            graph,
            nncf.Dataset([image[None] for image in images]),
            preset=preset,
            subset_size=len(images),
            fast_bias_correction=not way.accurate_bias,
            ignored_scope=left if left.names else None,
        )


def _left_alone(graph: Any, way: Way) -> list[str]:
    """Names of the convolutions that stay in single precision."""
    kinds = ((node.get_type_name(), node.get_friendly_name()) for node in graph.get_ordered_ops())
    convolutions = [name for kind, name in kinds if kind == "Convolution"]
    first, *_, before, last, head = convolutions
    return [first, head] * way.ends + [before, last] * way.last_level


SINGLE = "fp32"
MOST_LOST, LEAST_SPEEDUP = 0.005, 1.5
DIGITS = 6  # finer than any figure is printed, coarser than what adding up leaves


@dataclass(frozen=True)
class Verdict:
    """lost: mean Dice of fp32 minus that of int8; speedup: times as fast as fp32."""

    lost: float
    speedup: float

    @property
    def accurate(self) -> bool:
        """Whether the loss is small enough."""
        return round(self.lost, DIGITS) <= MOST_LOST

    @property
    def fast(self) -> bool:
        """Whether the gain is large enough."""
        return round(self.speedup, DIGITS) >= LEAST_SPEEDUP

    @property
    def passes(self) -> bool:
        """Whether it may be shipped."""
        return self.accurate and self.fast

    def plain(self) -> dict[str, float | bool]:
        """For programs."""
        return {"lost": self.lost, "speedup": self.speedup, "passes": self.passes}

    def words(self) -> str:
        """The verdict as one sentence."""
        return (
            f"int8 {'passes' if self.passes else 'does not pass'}: mean Dice falls"
            f" by {self.lost:.4f} (at most {MOST_LOST} wanted), {self.speedup:.2f} times as fast"
            f" (at least {LEAST_SPEEDUP} wanted)."
        )


@dataclass(frozen=True)
class Compared:
    """Dice by patient, of fp32 and of int8, in the same order."""

    patients: tuple[str, ...]
    single: tuple[float, ...]
    small: tuple[float, ...]

    @property
    def differences(self) -> list[float]:
        """int8 minus fp32, by patient."""
        return [b - a for a, b in zip(self.single, self.small, strict=True)]

    @property
    def lost(self) -> float:
        """How much of the mean Dice int8 costs."""
        return -float(np.mean(self.differences))

    def figures(self) -> dict[str, Any]:
        """Spreads (95 % intervals over patients), and each patient, as plain values."""
        changes = self.differences
        return {
            "patients": len(self.patients),
            SINGLE: spread(list(self.single)),
            "int8": spread(list(self.small)),
            "int8 minus fp32": spread(changes),
            "standard deviation of the differences": round(float(np.std(changes, ddof=1)), 4)
            if len(changes) > 1
            else None,
            "cases": [
                {"patient": name, SINGLE: round(a, 4), "int8": round(b, 4)}
                for name, a, b in zip(self.patients, self.single, self.small, strict=True)
            ],
        }


def best_of(ways: Mapping[str, Verdict]) -> str:
    """The way that loses least Dice of those that are fast enough; else the fastest."""
    fast = [name for name, each in ways.items() if each.fast]
    if not fast:
        return max(ways, key=lambda name: ways[name].speedup)
    return min(fast, key=lambda name: ways[name].lost)


TIMED, ROUNDS, MOST_SECONDS = 3, 11, 150.0  # scans, and their rounds

Advance = Callable[[], object]
Scores = tuple[float, ...]


@dataclass(frozen=True)
class Cases:
    """calibrating, choosing: the network learned from them; analyzing: it did not."""

    calibrating: Sequence[Case]
    choosing: Sequence[Case]
    analyzing: Sequence[Case]


def weigh(
    cases: Cases, network: Network, ways: Mapping[str, Way], advance: Advance
) -> dict[str, Any]:
    """All figures as plain values; `advance` is told of each network made, run and patient."""
    networks = {SINGLE: network, **_int8_networks(cases.calibrating, network, ways, advance)}
    timings = _timed(networks, cases.choosing[:TIMED], advance)
    chosen_by = {name: _scores(each, cases.choosing, advance) for name, each in networks.items()}
    verdicts = _verdicts(timings, cases.choosing, chosen_by)
    best = best_of(verdicts)
    single, small = (_scores(networks[name], cases.analyzing, advance) for name in (SINGLE, best))
    analyzed = _compared(cases.analyzing, single, small)
    return {
        "weights_sha256": network.sha256,
        "patients": {name: len(each) for name, each in vars(cases).items()},
        "load": round(os.getloadavg()[0], 1),
        "timings": [asdict(each) for each in timings],
        "ways": {name: each.plain() for name, each in verdicts.items()},
        "chosen": best,
        "judged": analyzed.figures(),
        "verdict": Verdict(analyzed.lost, verdicts[best].speedup).plain(),
    }


def _int8_networks(
    cases: Sequence[Case], network: Network, ways: Mapping[str, Way], advance: Advance
) -> dict[str, Network]:
    counts = {way.slices for way in ways.values()}
    images = {count: calibration_images(cases, network, count) for count in counts}
    made = {}
    for name, way in ways.items():
        made[name] = int8_network(network, images[way.slices], way)
        advance()
    return made


def _timed(networks: dict[str, Network], cases: Sequence[Case], advance: Advance) -> list[Timing]:
    """Seconds of the model stage of these scans together, all networks in turn."""
    scans = [prepare(read_nifti(case.flair), networks[SINGLE].preparation) for case in cases]
    rows = [Row(name, partial(_infer_all, each, scans)) for name, each in networks.items()]
    return interleaved(rows, ROUNDS, MOST_SECONDS, advance)


def _infer_all(network: Network, scans: list[Prepared]) -> None:
    for scan in scans:
        network.probabilities(scan, best=False)


def _scores(network: Network, cases: Sequence[Case], advance: Advance) -> Scores:
    """Dice of whole volumes by patient, as `gliowatch evaluate` takes it."""
    return tuple(each.dice for each in evaluate(cases, Evaluator(network, Rules()), advance))


def _verdicts(
    timings: list[Timing], cases: Sequence[Case], scores: dict[str, Scores]
) -> dict[str, Verdict]:
    seconds = {each.name: each.median for each in timings}
    return {
        name: Verdict(
            _compared(cases, scores[SINGLE], scores[name]).lost, seconds[SINGLE] / seconds[name]
        )
        for name in scores
        if name != SINGLE
    }


def _compared(cases: Sequence[Case], single: Scores, small: Scores) -> Compared:
    return Compared(tuple(case.patient for case in cases), single, small)


SEED = 7  # of the parting of patients


def show(
    data: Annotated[Path, typer.Option(exists=True, help="<id>/<id>_flair.nii.gz and _seg")],
    split: Annotated[Path, typer.Option(exists=True, help="JSON with lists of patients")],
    weights: Annotated[Path | None, typer.Option(exists=True, help="else those shipped")] = None,
    learned: Annotated[str, typer.Option(help="list that the weights learned from")] = "train",
    subset: Annotated[str, typer.Option(help="list that judges")] = "validation",
    elsewhere: Annotated[
        Path | None, typer.Option(exists=True, help="all cases of this folder judge instead")
    ] = None,
    way: Annotated[str, typer.Option(help="this one alone, by its name in the table")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="write all figures")] = None,
) -> None:
    """Tables (Markdown) of the ways and of the patients that analyze the best one; the verdict."""
    try:
        check_installed()
        cases = _cases(data, split, learned, subset, elsewhere)
        network = load_network(weights, device="cpu")
        with progress_bar(Console(stderr=True)) as bar:
            task = bar.add_task("int8", total=None, note="")
            content = weigh(cases, network, ways_named(way), lambda: bar.advance(task))
    except GliowatchError as error:
        typer.echo(f"tools.experiments.int8: {error}", err=True)
        raise typer.Exit(2) from None
    for line in lines(content):
        typer.echo(line)
    if json_file:
        json_file.write_text(json.dumps(content, indent=1) + "\n")


def _cases(data: Path, split: Path, learned: str, subset: str, elsewhere: Path | None) -> Cases:
    """Who calibrates, chooses and analyzes. Raises DatasetError when a list does not fit."""
    cases = find_cases(data)
    known = {case.patient: case for case in choose_cases(cases, split, learned)}
    if elsewhere:
        analyzing = list(find_cases(elsewhere).values())
    else:
        analyzing = choose_cases(cases, split, subset)
    parts = part(tuple(known), [case.patient for case in analyzing], SEED)
    calibrating, choosing = ([known[name] for name in each] for each in parts)
    return Cases(calibrating, choosing, analyzing)


def lines(content: dict[str, Any]) -> Iterator[str]:
    """Speed and choice by way, then Dice by patient, then the verdict in words."""
    counts, analyzed = content["patients"], content["judged"]
    yield "| way | ms, median (middle half) | times as fast | Dice minus that of fp32 |"
    yield "|---|---|---|---|"
    for row in content["timings"]:
        low, middle, high = (f"{1000 * row[name]:.0f}" for name in ("low", "median", "high"))
        way = content["ways"].get(row["name"])
        gain = f"{way['speedup']:.2f} | {-way['lost']:+.4f}" if way else "1 | 0"
        yield f"| {row['name']} | {middle} ({low} to {high}) | {gain} |"
    yield f"Dice of {counts['choosing']} patients that were learned from. Load {content['load']}."
    yield f"Chosen: {content['chosen']}, judged by {counts['judging']} patients:"
    yield "| patient | fp32 | int8 | difference |"
    yield "|---|---|---|---|"
    for case in analyzed["cases"]:
        small, single = case["int8"], case[SINGLE]
        yield f"| {case['patient']} | {single:.4f} | {small:.4f} | {small - single:+.4f} |"
    for name in (SINGLE, "int8", "int8 minus fp32"):
        yield f"{name}: " + ", ".join(f"{key} {value}" for key, value in analyzed[name].items())
    verdict = content["verdict"]
    yield Verdict(verdict["lost"], verdict["speedup"]).words()


if __name__ == "__main__":
    typer.run(show)
