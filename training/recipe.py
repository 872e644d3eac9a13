"""The `standard` recipe from a folder of cases to weights: cache, split, training, export."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from training.cache import cached_patients, load_cache
from training.cases import Case, DatasetError, Split, find_cases, read_split, split_by_patient
from training.checkpoint import BEST
from training.export import export_weights
from training.loop import Plan, Progress, Training
from training.preparing import build_cache

CACHE = "cache.npz"
SPLIT = "split.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Request:
    """What to train on, and where to. split_file: JSON with the list `development`, or with
    the lists `train` and `validation`; without it all cases are split by patient."""

    data: Path
    target: Path
    split_file: Path | None
    validation_share: float
    resume: bool


@dataclass(frozen=True)
class Watch:
    """Who is told: of each case that was prepared (of how many), and of each step."""

    prepared: Callable[[int], object]
    stepped: Callable[[Progress], object]


def train_standard(request: Request, plan: Plan, watch: Watch) -> float:
    """Train and write weights.safetensors into the target; the best mean validation Dice.

    Raises DatasetError, or UnreadableScan for a case that cannot be read.
    """
    cases = find_cases(request.data)
    split = _split(request, cases, plan.seed)
    missing = [name for name in (*split.train, *split.validation) if name not in cases]
    if missing:
        raise DatasetError(f"{len(missing)} patients of the split are not in the data.")
    request.target.mkdir(parents=True, exist_ok=True)
    (request.target / SPLIT).write_text(json.dumps(asdict(split), indent=1) + "\n")
    names = (*split.train, *split.validation)
    cache = request.target / CACHE
    if not cache.exists() or not cached_patients(cache).issuperset(names):
        chosen = {name: cases[name] for name in names}
        build_cache(chosen, cache, lambda: watch.prepared(len(chosen)))
    patients = {patient.patient: patient for patient in load_cache(cache, names)}
    training = Training(plan, split, patients, request.target, {"git": git_revision()})
    best = training.run(watch.stepped, request.resume)
    export_weights(request.target / BEST, request.target / WEIGHTS)
    return best


def git_revision() -> str:
    """The revision of this code, or "unknown" where it does not lie in a git checkout."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return found.stdout.strip() or "unknown"


def _split(request: Request, cases: dict[str, Case], seed: int) -> Split:
    if request.split_file is None:
        return split_by_patient(tuple(cases), request.validation_share, seed)
    lists = read_split(request.split_file)
    if "train" in lists and "validation" in lists:
        return Split(lists["train"], lists["validation"])
    if "development" not in lists:
        raise DatasetError("The split file has neither development, nor train and validation.")
    return split_by_patient(lists["development"], request.validation_share, seed)
