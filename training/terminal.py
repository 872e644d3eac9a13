"""`gliowatch train` and `gliowatch evaluate` as a person sees them on a terminal."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn, TimeRemainingColumn

from model.network import load_network
from training.cases import choose_cases, find_cases
from training.evaluation import Judge, evaluate, summary
from training.loop import Plan, Progress
from training.recipe import Request, Watch, train_standard

Say = Callable[[str], object]


def train_visibly(request: Request, plan: Plan, say: Say) -> None:
    """Train, with a bar that shows loss, Dice, slices per second and time left."""
    console = Console(stderr=True)
    with _bar(console) as bar:
        preparing = bar.add_task("preparing", total=None, note="")
        training = bar.add_task("training", total=1.0, note="", visible=False)
        last = {"dice": "-"}

        def stepped(progress: Progress) -> None:
            if progress.validation is not None:
                last["dice"] = f"{progress.validation:.3f}"
                say(f"step {progress.step}: validation Dice {progress.validation:.4f}")
            note = f"loss {progress.loss:.3f}  Dice {last['dice']}"
            note += f"  {progress.slices_per_second:.0f} slices/s"
            bar.update(preparing, visible=False)
            bar.update(training, completed=progress.share, note=note, visible=True)

        def prepared(total: int) -> None:
            bar.update(preparing, total=total, advance=1)

        best = train_standard(request, plan, Watch(prepared, stepped))
    say(f"best validation Dice {best:.4f}; weights in {request.target / 'weights.safetensors'}")


def evaluate_visibly(
    data: Path,
    split_file: Path | None,
    subset: str | None,
    weights: Path | None,
    rules: tuple[float, float, bool],
    json_file: Path | None,
    say: Say,
) -> None:
    """Compare with the drawn masks; a line a patient, then mean, median and worst.

    rules: threshold, smallest lesion in mm3, and whether mirrored pictures are judged too.
    """
    cases = choose_cases(find_cases(data), split_file, subset)
    network = load_network(weights)
    with _bar(Console(stderr=True)) as bar:
        task = bar.add_task("evaluating", total=len(cases), note="")
        results = evaluate(cases, Judge(network, *rules), lambda: bar.advance(task))
    content = summary(results, network.sha256)
    if json_file:
        json_file.write_text(json.dumps(content, indent=1) + "\n")
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
    say(f"expected calibration error {content['ece']:.4f}")


def _spread_words(title: str, figures: dict[str, float]) -> str:
    return (
        f"{title}: mean {figures['mean']:.3f} (95 % {figures['low_95']:.3f} to"
        f" {figures['high_95']:.3f}), median {figures['median']:.3f},"
        f" lowest {figures['lowest']:.3f}, highest {figures['highest']:.3f}"
    )


def _bar(console: Console) -> Bar:
    """A progress bar, on a terminal only."""
    columns = (
        *Bar.get_default_columns()[:-1],
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
