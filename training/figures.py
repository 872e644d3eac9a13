"""`gliowatch evaluate` as a person sees it: a line a patient, then means, rates and calibration."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from model.loading import load_network
from model.segmentation import Rules
from training.cases import DatasetError, choose_cases, find_cases, folds_of
from training.terminal import progress_bar

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

    out_of_fold_seed: the seed of training, to let each patient be judged by the one network that
    did not learn from it; None lets all judge. files: where to write all figures as JSON, and
    the page as PNG.
    """
    try:
        from training.evaluation import Judge, evaluate, segment_case, summary
        from training.page import WORST, save_page, worst_slice
    except ModuleNotFoundError:
        raise DatasetError("Evaluation needs more packages: pip install -e '.[train]'") from None
    cases = choose_cases(find_cases(data), split_file, subset)
    network = load_network(weights)
    members = None
    if out_of_fold_seed is not None:
        names = tuple(case.patient for case in cases)
        members = folds_of(names, out_of_fold_seed, network.splits)
    judge = Judge(network, rules, members)
    with progress_bar(Console(stderr=True)) as bar:
        task = bar.add_task("evaluating", total=len(cases), note="")
        results = evaluate(cases, judge, lambda: bar.advance(task))
    content = summary(results, judge.network.sha256)
    json_file, page_file = files
    if json_file:
        json_file.write_text(json.dumps(content, indent=1) + "\n")
    if page_file:
        score = {result.patient: result.dice for result in results}
        worst = sorted(cases, key=lambda case: score[case.patient])[:WORST]
        again = [(case, *segment_case(case, judge)[:2], score[case.patient]) for case in worst]
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
