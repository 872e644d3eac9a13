"""`gliowatch evaluate`: honest metrics per patient, on whole volumes and the scan's own grid."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy import stats

from model.errors import naming
from model.geometry import Mask, dice
from model.inference.confidence import Trust
from model.inference.preprocessing import prepare
from model.inference.segmentation import Rules, Segmentation, segment
from model.intensity import brightness, head_mask
from model.network.network import Network, load_network
from model.reading.nifti import read_nifti
from model.volume import Scale, Volume
from training.calibration.confidence_fit import Checked, checked_by, rates
from training.datasets import Case, DatasetError, choose_cases, find_cases, folds_of
from training.metrics import (
    Calibration,
    Confusion,
    LesionCounts,
    SliceScores,
    calibrate,
    count_lesions,
    hausdorff_95,
    score_slices,
)
from training.train import progress_bar


@dataclass(frozen=True)
class CaseResult:
    """One patient. hd95: in mm where the file declares them (`hd95_unit`), else in voxels;
    None without a surface. volume_error: found minus drawn, over drawn; None if nothing was drawn.
    trust: what a report would say; None for an empty mask, and where nothing was measured.
    """

    patient: str
    dice: float
    hd95: float | None
    hd95_unit: str
    drawn_voxels: int
    found_voxels: int
    volume_error: float | None
    lesions: LesionCounts
    slices: SliceScores
    calibration: Calibration
    seconds: float
    trust: Trust | None


@dataclass(frozen=True)
class Evaluator:
    """How masks are made: as in a report, with the settings' threshold and smallest lesion.

    members: by patient, the number of the one network that did not learn from it; without it,
    the networks analyze together, as in a report.
    """

    network: Network
    rules: Rules
    members: Mapping[str, int] | None = None

    def network_for(self, patient: str) -> Network:
        """Who analyzes a patient."""
        return self.network.member(self.members[patient]) if self.members else self.network


def evaluate(
    cases: Iterable[Case], analyze: Evaluator, advance: Callable[[], object] = lambda: None
) -> list[CaseResult]:
    """Segment each case and compare. Raises UnreadableScan when a case cannot be read."""
    results = []
    for case in cases:
        results.append(compare(case, *segment_case(case, analyze)))
        advance()
    return results


def segment_case(case: Case, analyze: Evaluator) -> tuple[Volume, Segmentation, float]:
    """A case's scan, its segmentation, and the seconds from reading to mask."""
    began = time.monotonic()
    volume = read_nifti(case.flair)
    network = analyze.network_for(case.patient)
    found = segment(volume, prepare(volume, network.preparation), network, analyze.rules)
    return volume, found, time.monotonic() - began


def compare(case: Case, volume: Volume, found: Segmentation, seconds: float) -> CaseResult:
    """All figures of one patient; any label above 0 of the drawn mask is tumor."""
    drawn: Mask = read_nifti(case.mask).voxels > 0
    mask = np.asarray(found.mask, dtype=bool)
    has_mm = volume.scale is Scale.DECLARED
    drawn_voxels, found_voxels = int(drawn.sum()), int(mask.sum())
    return CaseResult(
        patient=case.patient,
        dice=dice(mask, drawn),
        hd95=hausdorff_95(mask, drawn, volume.spacing if has_mm else (1.0, 1.0, 1.0)),
        hd95_unit="mm" if has_mm else "voxels",
        drawn_voxels=drawn_voxels,
        found_voxels=found_voxels,
        volume_error=(found_voxels - drawn_voxels) / drawn_voxels if drawn_voxels else None,
        lesions=count_lesions(mask, drawn),
        slices=score_slices(mask, drawn, volume.slice_axis),
        calibration=calibrate(found.probability, drawn, head_mask(brightness(volume.voxels))),
        seconds=seconds,
        trust=found.trust,
    )


def summary(results: list[CaseResult], weights_sha256: str) -> dict[str, Any]:
    """All patients, then the sums over them, as plain JSON values."""
    calibration = sum_up([result.calibration for result in results])
    return {
        "weights_sha256": weights_sha256,
        "patients": len(results),
        "dice": spread([result.dice for result in results]),
        "hd95": spread([result.hd95 for result in results if result.hd95 is not None]),
        "hd95_unit": "/".join(sorted({result.hd95_unit for result in results})),
        "absolute_volume_error": spread(
            [abs(result.volume_error) for result in results if result.volume_error is not None]
        ),
        "lesions": _lesion_rates([result.lesions for result in results]),
        "slices_with_tumor": _slices(results, tumor_only=True),
        "all_slices": _slices(results, tumor_only=False),
        "slices_without_tumor": _false_alarms(results),
        "ece": round(calibration.ece(), 5),
        "calibration": calibration.curve(),
        "certainty": rates([_checked(result) for result in results])
        if any(result.trust for result in results)
        else None,
        "cases": [_case(result) for result in results],
    }


def spread(values: list[float]) -> dict[str, float] | None:
    """Mean with its 95 % bootstrap interval, median, lowest and highest; None without values.

    Efron's percentile interval over patients, 10,000 draws, seeded: repeatable.
    """
    if not values:
        return None
    low, high = _interval(values)
    figures = {
        "mean": float(np.mean(values)),
        "low_95": low,
        "high_95": high,
        "median": float(np.median(values)),
        "lowest": min(values),
        "highest": max(values),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def sum_up(parts: list[Calibration]) -> Calibration:
    """The calibration of all patients' voxels together."""
    total, *rest = parts
    for part in rest:
        total = total + part
    return total


def _interval(values: list[float]) -> tuple[float, float]:
    if len(set(values)) < 2:
        return values[0], values[0]
    drawn = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1)
    )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def _checked(result: CaseResult) -> Checked:
    return checked_by(result.dice, result.trust, result.drawn_voxels, result.found_voxels)


def _lesion_rates(counts: list[LesionCounts]) -> dict[str, float | int | None]:
    drawn, hit = sum(c.drawn for c in counts), sum(c.hit for c in counts)
    false = sum(c.false for c in counts)
    return {
        "drawn": drawn,
        "hit": hit,
        "false": false,
        "sensitivity": round(hit / drawn, 4) if drawn else None,
        "false_per_patient": round(false / len(counts), 3),
    }


def _slices(results: list[CaseResult], tumor_only: bool) -> dict[str, Any]:
    scores: list[float] = []
    pixels = Confusion()
    for result in results:
        chosen = result.slices
        scores += chosen.tumor_dice if tumor_only else chosen.all_dice
        pixels = pixels + (chosen.tumor_pixels if tumor_only else chosen.all_pixels)
    mean = round(float(np.mean(scores)), 4) if scores else None
    return {"slices": len(scores), "mean_dice": mean, **pixels.rates(), **asdict(pixels)}


def _false_alarms(results: list[CaseResult]) -> dict[str, Any]:
    """What is marked where nobody drew tumor; the share of marked slices is taken per patient."""
    free = [len(r.slices.all_dice) - len(r.slices.tumor_dice) for r in results]
    marked = [r.slices.free_marked for r in results]
    voxels = [
        r.slices.all_pixels.false_positive - r.slices.tumor_pixels.false_positive for r in results
    ]
    shares = [m / f for m, f in zip(marked, free, strict=True) if f]
    return {
        "slices": sum(free),
        "marked": sum(marked),
        "share_per_patient": spread(shares),
        "voxels_per_patient": spread([float(count) for count in voxels]),
    }


def _case(result: CaseResult) -> dict[str, Any]:
    return {
        "patient": result.patient,
        "dice": round(result.dice, 4),
        "hd95": None if result.hd95 is None else round(result.hd95, 2),
        "hd95_unit": result.hd95_unit,
        "drawn_voxels": result.drawn_voxels,
        "found_voxels": result.found_voxels,
        "volume_error": None if result.volume_error is None else round(result.volume_error, 4),
        "lesions": asdict(result.lesions),
        "free_slices_marked": result.slices.free_marked,
        "confidence": None if result.trust is None else round(result.trust.confidence, 4),
        "in_range": None if result.trust is None else _checked(result).covered,
        "seconds": round(result.seconds, 2),
    }


Say = Callable[[str], object]


def evaluate_visibly(
    data: Path,
    split_file: Path | None,
    subset: str | None,
    weights: Path | None,
    rules: Rules,
    files: tuple[Path | None, Path | None],
    out_of_fold_seed: int | None,
    say: Say,
) -> None:
    """Compare with the drawn masks; a line a patient, then mean, median and worst.

    out_of_fold_seed: the seed of training, to let each patient be analyzed by the one network that
    did not learn from it; None lets all analyze. files: where to write all figures as JSON, and
    the page as PNG.
    """
    try:
        from training.plots import WORST, save_page, worst_slice
    except ModuleNotFoundError:
        raise DatasetError("Evaluation needs more packages: pip install -e '.[train]'") from None
    cases = choose_cases(find_cases(data), split_file, subset)
    with naming(weights) if weights else nullcontext():
        network = load_network(weights)
    members = None
    if out_of_fold_seed is not None:
        names = tuple(case.patient for case in cases)
        members = folds_of(names, out_of_fold_seed, network.splits)
    analyze = Evaluator(network, rules, members)
    with progress_bar(Console(stderr=True)) as bar:
        task = bar.add_task("evaluating", total=len(cases), note="")
        results = evaluate(cases, analyze, lambda: bar.advance(task))
    content = summary(results, analyze.network.sha256)
    json_file, page_file = files
    if json_file:
        json_file.write_text(json.dumps(content, indent=1) + "\n")
    if page_file:
        score = {result.patient: result.dice for result in results}
        worst = sorted(cases, key=lambda case: score[case.patient])[:WORST]
        again = [(case, *segment_case(case, analyze)[:2], score[case.patient]) for case in worst]
        save_page(content, [worst_slice(*each) for each in again], page_file)
    _print(content, say)


def _print(content: dict[str, Any], say: Say) -> None:
    unit = content["hd95_unit"]
    for case in content["cases"]:
        distance = "   -" if case["hd95"] is None else f"{case['hd95']:.1f}"
        say(
            f"{case['patient']}  Dice {case['dice']:.3f}  HD95 {distance} {case['hd95_unit']}"
            f"  drawn {case['drawn_voxels']}  found {case['found_voxels']} voxels"
        )
    say(f"{content['patients']} patients")
    for name, title in (
        ("dice", "Dice"),
        ("hd95", f"HD95 ({unit})"),
        ("absolute_volume_error", "volume error, absolute share"),
    ):
        if content[name]:
            say(_spread_words(title, content[name]))
    for name in ("lesions", "slices_with_tumor", "all_slices"):
        say(f"{name}: " + ", ".join(f"{key} {value}" for key, value in content[name].items()))
    free = content["slices_without_tumor"]
    say(f"slices_without_tumor: {free['marked']} of {free['slices']} marked")
    for name in ("share_per_patient", "voxels_per_patient"):
        if free[name]:
            say(_spread_words(f"  {name.replace('_', ' ')}", free[name]))
    say(f"expected calibration error {content['ece']:.4f}")
    if content["certainty"]:
        say("certainty: " + ", ".join(f"{k} {v}" for k, v in content["certainty"].items()))


def _spread_words(title: str, figures: dict[str, float]) -> str:
    return (
        f"{title}: mean {figures['mean']:.3f} (95 % {figures['low_95']:.3f} to"
        f" {figures['high_95']:.3f}), median {figures['median']:.3f},"
        f" lowest {figures['lowest']:.3f}, highest {figures['highest']:.3f}"
    )
