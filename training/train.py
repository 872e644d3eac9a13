"""`gliowatch train`: from a folder of cases to weights, by any recipe, as seen on a terminal."""

import hashlib
import json
import math
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn, TimeRemainingColumn
from torch import nn

from model.network.network import Network, load_network
from model.network.unet import filled
from model.weights_config import SEED, STANDARD, Preparation
from training.cache import holds, load_cache
from training.datasets import (
    Case,
    DatasetError,
    Split,
    find_cases,
    read_split,
    split_by_fold,
    split_by_patient,
)
from training.folds import KINDS, LEARNED, read_folds
from training.loop import (
    BEST,
    LATEST,
    METRICS,
    Limits,
    Progress,
    Training,
    export_weights,
    load_checkpoint,
)
from training.mixed_cache import build_check_cache, build_mixed_cache
from training.preparation import build_cache
from training.recipes.input_check import input_check_fold, known_input_check
from training.recipes.mixed import mixed_fold
from training.recipes.recipe import Method
from training.recipes.seed_baseline import TEST_SHARE, VALIDATION_SHARE, seed_method
from training.recipes.standard import StandardPlan, fine_tuning, next_round, standard_method

CACHE = "cache.npz"
SPLIT = "split.json"
WEIGHTS = "weights.safetensors"
BY_FOLDS = {"mixed": build_mixed_cache, "gate": build_check_cache}  # and what prepares their scans
SAID_EVERY = 250  # steps, where nobody sees a bar


@dataclass(frozen=True)
class Request:
    """What to train on, how, and where to.

    split_file: JSON with the list `development`, or with the lists `train` and `validation`;
    without it all cases are split by patient. recipe: ours, the demo's, the input check's, or ours
    on several sets. fold: instead of a share, put that fifth of the patients aside
    (training/datasets.py; with `mixed` and `gate` those of training/folds.py). start: weights to go
    on from, gently, with `standard`; None draws new ones. again: the folder of an ended run of
    `standard`, for another whole round; it may learn from more patients than that one, and puts
    aside none that was learned from. cache: the file of prepared scans, made if it is not there;
    None: one in the target.
    """

    data: Path
    target: Path
    split_file: Path | None
    validation_share: float
    resume: bool
    recipe: Literal["standard", "mixed", "seed", "gate"] = "standard"
    fold: int | None = None
    start: Path | None = None
    again: Path | None = None
    cache: Path | None = None


Build = Callable[[Path, Callable[[int], object]], None]  # a cache file; told of each scan


@dataclass(frozen=True)
class Watch:
    """Who is told: of each case that was prepared (of how many), and of each step."""

    prepared: Callable[[int], object]
    stepped: Callable[[Progress], object]


def train(request: Request, plan: StandardPlan, limits: Limits, watch: Watch) -> float:
    """Train and write weights.safetensors into the target; the best mean validation Dice.

    Raises DatasetError, or UnreadableScan for a case that cannot be read.
    """
    split, build = (_folds if request.recipe in BY_FOLDS else _cases)(request, plan.seed)
    if (request.target / LATEST).exists() and not request.resume:
        raise DatasetError("A run lies in this folder already: use --resume or another one.")
    request.target.mkdir(parents=True, exist_ok=True)
    _keep_split(split, request.target / SPLIT, request.resume)
    known = None if request.recipe == "gate" else _known(request, split)
    cache = request.cache or request.target / CACHE
    if not holds(cache, (*split.train, *split.validation), _preparation(request)):
        if request.cache is not None and cache.exists():
            raise DatasetError("The cache file lacks scans of this run: name another one.")
        build(cache, watch.prepared)
    origin: dict[str, str] = {"git": git_revision()}
    start: nn.Module | None = None
    if request.fold is not None:
        origin["fold"] = str(request.fold)
    if request.recipe == "gate" and request.start is not None:
        start = known_input_check(request.start)
        origin["started_from"] = hashlib.sha256(request.start.read_bytes()).hexdigest()
    if known:
        start, origin["started_from"] = filled(known.members[0]), known.sha256
    if known and request.recipe != "mixed":
        follow = fine_tuning if request.again is None else next_round
        learned, validation = load_cache(cache, split.train), load_cache(cache, split.validation)
        method = follow(known.members[0].shape, plan, learned, validation)
    else:
        method = _method(request, plan, split, cache)
    training = Training(
        method=method, limits=limits, split=split, folder=request.target, origin=origin, start=start
    )
    best = training.run(watch.stepped, request.resume)
    export_weights(request.target / BEST, request.target / WEIGHTS)
    return best


def _known(request: Request, split: Split) -> Network | None:
    """The weights that the run goes on from."""
    if request.start and request.again:
        raise DatasetError("Go on from weights or from a run, not from both.")
    path = request.start
    if request.again is not None:
        path = request.again / BEST
        if not path.exists():
            raise DatasetError("There is no run in the folder that was named for another round.")
        _refuse_known_patients(request.again, split)
    if path is None:
        return None
    network = load_network(path)
    if request.recipe not in ("standard", "mixed") or network.preparation != STANDARD:
        raise DatasetError("Only weights of the recipes standard and mixed can be trained further.")
    return network


def _refuse_known_patients(run: Path, split: Split) -> None:
    """Another round may learn from more patients, but never be checked on what is known to it."""
    lists = read_split(run / SPLIT)
    earlier = Split(lists.get("train", ()), lists.get("validation", ()))
    if load_checkpoint(run / BEST)["split_sha256"] != earlier.digest:
        raise DatasetError("The split file beside the earlier round is not the one it ran with.")
    if {*split.validation, *split.test} & set(earlier.train):
        raise DatasetError("Patients that are put aside now were learned from in that round.")


def _keep_split(split: Split, path: Path, resume: bool) -> None:
    """Write who learned; never over what another start of the same run has written."""
    content = json.dumps(asdict(split), indent=1) + "\n"
    if resume and path.exists() and path.read_text() != content:
        raise DatasetError("The run was started with another split of the patients.")
    path.write_text(content)


def _method(request: Request, plan: StandardPlan, split: Split, cache: Path) -> Method:
    if request.recipe == "mixed" and request.fold is not None:
        further = request.start is not None
        return mixed_fold(cache, request.fold, plan.seed, further)[1]
    if request.recipe == "gate" and request.fold is not None:
        further = request.start is not None
        return input_check_fold(cache, request.fold, plan.seed, further)[1]
    learned, validation = load_cache(cache, split.train), load_cache(cache, split.validation)
    if request.recipe == "seed":
        return seed_method(learned, validation, plan.seed)
    return standard_method(plan, learned, validation)


def git_revision() -> str:
    """The revision of this code, or "unknown" where it does not lie in a git checkout."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() or "unknown"


def _preparation(request: Request) -> Preparation:
    return SEED if request.recipe == "seed" else STANDARD


def _folds(request: Request, seed: int) -> tuple[Split, Build]:
    """The frozen folds, and how their scans are prepared."""
    if request.fold is None or request.split_file is not None:
        raise DatasetError(
            f"The recipe {request.recipe} learns by folds of its own: choose one, 0 to 5, and no"
            " split file."
        )
    kinds = KINDS if request.recipe == "gate" else LEARNED
    split = read_folds().split(request.fold, kinds)
    return split, partial(BY_FOLDS[request.recipe], request.data)


def _cases(request: Request, seed: int) -> tuple[Split, Build]:
    """Who of the data learns, and how their scans are prepared."""
    cases = find_cases(request.data)
    split = _split(request, cases, seed)
    names = (*split.train, *split.validation)
    if missing := [name for name in names if name not in cases]:
        raise DatasetError(f"{len(missing)} patients of the split are not in the data.")
    chosen = {name: cases[name] for name in names}

    def build(target: Path, advance: Callable[[int], object]) -> None:
        build_cache(chosen, target, _preparation(request), lambda: advance(len(chosen)))

    return split, build


def _split(request: Request, cases: dict[str, Case], seed: int) -> Split:
    lists = {"development": tuple(cases)}
    if request.split_file is not None:
        lists = read_split(request.split_file)
    if "train" in lists and "validation" in lists:
        if request.fold is not None:
            raise DatasetError("The split file says already who learns; a fold cannot change it.")
        return Split(lists["train"], lists["validation"])
    if "development" not in lists:
        raise DatasetError("The split file has neither development, nor train and validation.")
    if request.fold is not None:
        return split_by_fold(lists["development"], request.fold, seed)
    shares = (request.validation_share, 0.0)
    if request.recipe == "seed":
        shares = (VALIDATION_SHARE, TEST_SHARE)
    return split_by_patient(lists["development"], shares[0], seed, shares[1])


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
            elif bar.disable and progress.step % SAID_EVERY == 0:
                say(f"step {progress.step}: {_speed(progress)}")
            note = f"Dice {last['dice']}  {_speed(progress)}"
            bar.update(preparing, visible=False)
            bar.update(training, completed=progress.share, note=note, visible=True)

        def prepared(total: int) -> None:
            bar.update(preparing, total=total, advance=1)

        best = train(request, plan, limits, Watch(prepared, stepped))
    try:
        from training.plots import save_curve

        save_curve(request.target / METRICS, request.target / "curve.png")
    except ModuleNotFoundError:
        say("The curve was not drawn: it needs matplotlib (pip install -e '.[train]').")
    if best >= 0:
        say(f"best validation {best:.4f}")
    say(f"weights in {request.target / WEIGHTS}")


def _speed(progress: Progress) -> str:
    return f"loss {progress.loss:.3f}  {progress.slices_per_second:.0f} slices/s"


def progress_bar(console: Console) -> Bar:
    """A progress bar, on a terminal only."""
    columns = (
        *Bar.get_default_columns()[:-1],
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
