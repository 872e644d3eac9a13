"""Which patients there are, and which of them may be used for what: always split by patient."""

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

from model.errors import GliowatchError


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
    """Patients for learning and for choosing the best epoch; no patient is in both."""

    train: tuple[str, ...]
    validation: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the two lists: the same split has the same digest."""
        content = json.dumps([list(self.train), list(self.validation)])
        return hashlib.sha256(content.encode()).hexdigest()


def find_cases(data: Path) -> dict[str, Case]:
    """All cases below `data`, laid out as `<id>/<id>_flair.nii.gz` and `<id>/<id>_seg.nii.gz`.

    Raises DatasetError when there is none.
    """
    cases = {}
    for flair in sorted(data.glob("*/*_flair.nii.gz")):
        patient = flair.name.removesuffix("_flair.nii.gz")
        mask = flair.with_name(f"{patient}_seg.nii.gz")
        if mask.exists():
            cases[patient] = Case(patient, flair, mask)
    if not cases:
        raise DatasetError("No <id>/<id>_flair.nii.gz with its _seg.nii.gz was found.")
    return cases


def read_subset(split_file: Path, subset: str) -> tuple[str, ...]:
    """The patients of one named list in a split file. Raises DatasetError if it is not there."""
    lists = json.loads(split_file.read_text())
    if subset not in lists:
        raise DatasetError(f"The split file has no list named {subset}.")
    return tuple(str(patient) for patient in lists[subset])


def split_by_patient(patients: tuple[str, ...], share: float, seed: int) -> Split:
    """Put `share` of the patients aside for validation, by a seeded shuffle of the sorted names."""
    names = sorted(patients)
    random.Random(seed).shuffle(names)
    count = max(1, round(share * len(names)))
    if count >= len(names):
        raise DatasetError("Training needs at least two patients.")
    return Split(tuple(sorted(names[count:])), tuple(sorted(names[:count])))
