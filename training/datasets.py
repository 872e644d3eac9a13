"""Which patients there are, and which of them may be used for what: always split by patient."""

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

from model.errors import GliowatchError

ENDINGS = (
    ("_flair.nii.gz", "_seg.nii.gz"),
    ("_flair.nii", "_seg.nii"),
    ("-t2f.nii.gz", "-seg.nii.gz"),
)


FOLDS = 5


class DatasetError(GliowatchError):
    """The training data are not laid out as expected, or a split names a missing patient."""


@dataclass(frozen=True)
class Case:
    """One patient's FLAIR scan with the mask that a person drew (any label above 0 is tumor)."""

    patient: str
    flair: Path
    mask: Path


@dataclass(frozen=True)
class Split:
    """Patients for learning, for choosing the best epoch, and (maybe) put aside for a test.

    No patient is in two of them.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the lists that a run learns and chooses from."""
        content = json.dumps([list(self.train), list(self.validation)])
        return hashlib.sha256(content.encode()).hexdigest()


def find_cases(data: Path) -> dict[str, Case]:
    """All cases below `data`, one folder each: `<id>/<id>_flair.nii.gz` with `_seg.nii.gz`.

    The names of BraTS 2020 to 2023 as downloaded are taken too: `.nii` unpacked, and
    `<id>-t2f.nii.gz` with `<id>-seg.nii.gz`. Raises DatasetError when there is none.
    """
    cases: dict[str, Case] = {}
    for flair_ending, mask_ending in ENDINGS:
        for flair in sorted(data.glob(f"*/*{flair_ending}")):
            patient = flair.name.removesuffix(flair_ending)
            mask = flair.with_name(patient + mask_ending)
            if mask.exists():
                cases.setdefault(patient, Case(patient, flair, mask))
    if not cases:
        raise DatasetError(f"No <id>/<id>_flair.nii.gz with its _seg.nii.gz was found in {data}.")
    return dict(sorted(cases.items()))


def read_split(split_file: Path) -> dict[str, tuple[str, ...]]:
    """The named lists of patients in a split file. Raises DatasetError if it is none."""
    try:
        lists = json.loads(split_file.read_text(encoding="utf-8"))
        return {name: tuple(map(str, names)) for name, names in lists.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        raise DatasetError(
            f"The split file {split_file} cannot be read: it has lists of patients by name."
        ) from None


def choose_cases(cases: dict[str, Case], split_file: Path | None, subset: str | None) -> list[Case]:
    """The cases of one list of a split file, or all. Raises DatasetError if one is missing."""
    if (split_file is None) != (subset is None):
        raise DatasetError("--split and --subset, the name of one of its lists, go together.")
    if split_file is None or subset is None:
        return list(cases.values())
    names = read_split(split_file).get(subset)
    if names is None:
        raise DatasetError(f"The split file {split_file} has no list named {subset}.")
    if missing := [name for name in names if name not in cases]:
        raise DatasetError(f"{len(missing)} patients of {split_file} are not in the data.")
    return [cases[name] for name in names]


def split_by_fold(patients: tuple[str, ...], fold: int, seed: int) -> Split:
    """Fold 1 to FOLDS: that part of the patients is for validation, the rest for learning.

    The parts follow from the patients and the seed alone. Fold 0: all learn, none validates.
    Raises DatasetError when there are fewer patients than folds.
    """
    names = sorted(patients)
    if len(names) < FOLDS:
        raise DatasetError(f"There are fewer than {FOLDS} patients to make {FOLDS} folds of.")
    random.Random(seed).shuffle(names)
    aside = set(names[fold - 1 :: FOLDS]) if fold else set()
    return Split(tuple(sorted(set(names) - aside)), tuple(sorted(aside)))


def folds_of(patients: tuple[str, ...], seed: int, digests: tuple[str, ...]) -> dict[str, int]:
    """By patient, which member of several (from 0) was trained on the fold without it.

    digests: `Split.digest` of each member. Raises DatasetError when a fold is not among them.
    """
    folds = [split_by_fold(patients, fold, seed) for fold in range(1, FOLDS + 1)]
    if not {fold.digest for fold in folds} <= set(digests):
        raise DatasetError("The weights do not hold the five folds of this list of patients.")
    return {name: digests.index(fold.digest) for fold in folds for name in fold.validation}


def split_by_patient(
    patients: tuple[str, ...], share: float, seed: int, test_share: float = 0.0
) -> Split:
    """Put shares of the patients aside for validation and test, by a seeded shuffle.

    At least one patient goes to validation. Raises DatasetError if none is left to learn from.
    """
    names = sorted(patients)
    random.Random(seed).shuffle(names)
    first = max(1, round(share * len(names)))
    second = first + round(test_share * len(names))
    if second >= len(names):
        raise DatasetError("There are too few patients to train on.")
    parts = (names[second:], names[:first], names[first:second])
    train, validation, test = (tuple(sorted(part)) for part in parts)
    return Split(train, validation, test)
