"""What `gliowatch bench` holds its stages against: ratios of one run, each with a target."""

from collections.abc import Mapping
from typing import Any

from tools.bench.scan_stages import LOBES, MODEL, OBJECTS, PDF, WHOLE

COMMON, OURS_COMMON = "the common way", "our network, the common way"
COMMON_MISSING = "The common way was not measured: it needs pip install 'gliowatch[train]'."
STEP, PLAIN_STEP = ", our step", ", the plain loop's step"  # of training, after the size's name
LOADER = ", of ours: drawing the batch"
APART = {PDF: 0.5, OBJECTS: 1.0, LOBES: 5.0}  # seconds at most, in rows of their own
FEW_SLICES, MANY_SLICES = 30, 155  # of a clinical scan, and of one that is a millimetre thick
CLINICAL_SECONDS = 2.0
WARM, SEGMENT, COLD = "warm daemon: files at rest to published", "gliowatch segment", "cold start"
SHELL = {SEGMENT: 5.0, COLD: 1.0}  # seconds at most
MEGABYTES = {"workers": 900, "daemon": 250, "viewer": 150}  # at most


def ratios_of(
    seconds: dict[str, float], outside: float, gflop: float, gemm: float, slices: int
) -> list[dict[str, Any]]:
    """What was reached beside what is wanted; only what was measured.

    seconds: medians by row; outside: sum of what every scan needs beside the model; gflop: work
    of the model for the scan; gemm: the machine's peak in GFLOP/s, measured in the same run.
    """
    model = seconds[MODEL]
    ratios = [
        _at_least("model stage, share of the GEMM peak", gflop / model / gemm, 0.90),
        _at_most("outside the model, seconds", outside, max(0.15 * model, _allowed(slices))),
    ]
    if slices <= FEW_SLICES:
        ratios.append(_at_most(f"{WHOLE}, seconds", seconds[WHOLE], CLINICAL_SECONDS))
    ratios += [
        _at_most(f"{name}, seconds", seconds[name], most)
        for name, most in APART.items()
        if name in seconds
    ]
    if COMMON in seconds:
        same, all_of_it = seconds[OURS_COMMON] / model, seconds[COMMON] / (model + outside)
        ratios.append(_at_least("the same network, times as fast as the common way", same, 1.4))
        ratios.append(_at_least("as shipped, times as fast as the common way", all_of_it, 4.0))
    return ratios


def training_ratios(seconds: dict[str, float]) -> list[dict[str, Any]]:
    """For each size: our step without its loader against the plain loop's; the loader's share."""
    ratios = []
    for name in [each.removesuffix(STEP) for each in seconds if each.endswith(STEP)]:
        step, loader = seconds[name + STEP], seconds[name + LOADER]
        ratios += [
            _at_least(
                f"{name}, times as fast as the plain loop",
                seconds[name + PLAIN_STEP] / (step - loader),
                1.0,
            ),
            _at_most(f"{name}, the loader's share of a step", loader / step, 0.10),
        ]
    return ratios


def batch_ratios(
    seconds: float,
    model: tuple[float, float],
    apart: float,
    spent: float,
    threads: int,
    held: Mapping[str, int],
) -> list[dict[str, Any]]:
    """How near a batch comes to a machine that does nothing but the model; memory at most.

    All for one scan: seconds from the first drop to the last result; the model's alone with all
    threads, by the clock and of processors; processor seconds of what has targets of its own, and
    of all processes. held: bytes. What has targets of its own takes apart / threads of the time
    or more, so no more than that is left out. No overlapping beats the model's share.
    """
    clock, processor = model
    counted = seconds - apart / threads
    return [
        _at_least("batch, scans per hour against the model alone", clock / counted, 0.90),
        _told("the model's share of processor seconds, likewise", processor / (spent - apart)),
        _told("the same with PDF, DICOM objects and atlas registration", clock / seconds),
        *(
            _at_most(f"memory of the {name}, MB", held[name] / 1e6, most)
            for name, most in MEGABYTES.items()
        ),
    ]


def waiting_ratios(seconds: dict[str, float], slices: int) -> list[dict[str, Any]]:
    """What a person waits for, in seconds: a clinical scan in the daemon, and at the prompt."""
    wanted = ({WARM: CLINICAL_SECONDS} if slices <= FEW_SLICES else {}) | SHELL
    return [_at_most(f"{name}, seconds", seconds[name], most) for name, most in wanted.items()]


def _allowed(slices: int) -> float:
    """Seconds outside the model: 0.20 for 30 slices, 0.30 for 155, in line between them."""
    share = (min(max(slices, FEW_SLICES), MANY_SLICES) - FEW_SLICES) / (MANY_SLICES - FEW_SLICES)
    return 0.20 + 0.10 * share


def _told(what: str, value: float) -> dict[str, Any]:
    return {"what": what, "value": round(value, 3)}


def _at_least(what: str, value: float, target: float) -> dict[str, Any]:
    return {"what": what, "value": round(value, 3), "at_least": target, "met": value >= target}


def _at_most(what: str, value: float, target: float) -> dict[str, Any]:
    return {
        "what": what,
        "value": round(value, 3),
        "at_most": round(target, 3),
        "met": value <= target,
    }
