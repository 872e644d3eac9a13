"""`gliowatch train` as a person sees it on a terminal: a bar with loss, Dice, speed, time left."""

import math
from collections.abc import Callable

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn, TimeRemainingColumn

from training.loop import METRICS, Limits, Progress
from training.recipe import WEIGHTS, Request, Watch, train
from training.standard import StandardPlan

Say = Callable[[str], object]


def train_visibly(request: Request, plan: StandardPlan, limits: Limits, say: Say) -> None:
    """Train, with a bar that shows loss, Dice, slices per second and time left."""
    console = Console(stderr=True)
    with progress_bar(console) as bar:
        preparing = bar.add_task("preparing", total=None, note="")
        training = bar.add_task("training", total=1.0, note="", visible=False)
        last = {"dice": "-"}

        def stepped(progress: Progress) -> None:
            if progress.validation is not None and not math.isnan(progress.validation):
                last["dice"] = f"{progress.validation:.3f}"
                say(f"step {progress.step}: validation {progress.validation:.4f}")
            note = f"loss {progress.loss:.3f}  Dice {last['dice']}"
            note += f"  {progress.slices_per_second:.0f} slices/s"
            bar.update(preparing, visible=False)
            bar.update(training, completed=progress.share, note=note, visible=True)

        def prepared(total: int) -> None:
            bar.update(preparing, total=total, advance=1)

        best = train(request, plan, limits, Watch(prepared, stepped))
    try:
        from training.curve import save_curve

        save_curve(request.target / METRICS, request.target / "curve.png")
    except ModuleNotFoundError:
        say("The curve was not drawn: it needs matplotlib (pip install -e '.[train]').")
    if best >= 0:
        say(f"best validation {best:.4f}")
    say(f"weights in {request.target / WEIGHTS}")


def progress_bar(console: Console) -> Bar:
    """A progress bar, on a terminal only."""
    columns = (
        *Bar.get_default_columns()[:-1],
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
