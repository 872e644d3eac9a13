"""The five frozen folds: every scan that may be learned from, split by person.

`folds.json` beside this file is the yardstick of all experiments: it is read, not made anew.
`python -m training.folds ../shared/data` prints what the rule makes of the data.
"""

import json
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.datasets import FOLDS, DatasetError, Split, read_split

FROZEN = Path(__file__).parent / "folds.json"
SEED = 7
KINDS = ("lgg", "brats", "notumor", "othersequences")
LEARNED = ("lgg", "brats", "notumor")  # what a network that marks tumor learns from
RULE = (
    "Five folds by person: all scans of a person lie in one fold. Persons are grouped by the"
    " kinds of their scans (lgg by hospital, the others by source), shuffled with the seed, and"
    " dealt, those with most kinds first, each to the fold that has fewest scans of these"
    " kinds. Made by training/folds.py from the development list of lgg, brats, notumor and"
    " othersequences. public_test, external and pictures are in no fold."
)

# One person under two names. The brats patients who are lgg patients are known from the sources.
# Of all pairs of nichart and openms_long heads these two alone can be laid over each other like one
# head (model/registration/rigid.py: correlation 0.97, all others 0.89 at most), and look like it.
SAME = {
    "tcia10_628": "DU_A5TR",
    "tcia10_639": "DU_A5TW",
    "tcia13_623": "HT_7473",
    "nichart_subj16": "nichart_subj15",
}

Scans = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Folds:
    """Scans by kind, once for each fold."""

    parts: tuple[Scans, ...]

    def split(self, fold: int, kinds: Sequence[str] = LEARNED) -> Split:
        """Fold 1 to 5 is for validation, the rest for learning; fold 0 puts nobody aside."""
        aside = [n for kind in kinds for n in self.parts[fold - 1][kind]] if fold else []
        everybody = {n for part in self.parts for kind in kinds for n in part[kind]}
        return Split(tuple(sorted(everybody - set(aside))), tuple(sorted(aside)))

    def persons(self, fold: int) -> frozenset[str]:
        """Who is put aside with that fold; nobody with fold 0."""
        parts = self.parts[fold - 1 : fold] if fold else ()
        return frozenset(person_of(n) for part in parts for names in part.values() for n in names)


def person_of(scan: str) -> str:
    """The person whose scan it is, told by its name; a scan of unknown origin is a person."""
    patterns = (
        r"TCGA_(\w\w_\w+)_\d{8}$",
        r"brats18_(\w+?)_1(?:_|$)",
        r"(nichart_[a-z]+\d+|cbica_wml_\w+?)(?:_|$)",
        r"(mslesseg_p\d+|isles22_case\d+)",
    )
    for pattern in patterns:
        if found := re.match(pattern, scan):
            return SAME.get(found[1], found[1])
    if found := re.match(r"openms_(long|cross)_p(?:atient)?(\d+)", scan):
        return f"openms_{found[1]}_{found[2]}"
    return scan


def group_of(scan: str) -> str:
    """What is dealt evenly: hospital or source of a scan."""
    if scan.startswith("TCGA_"):
        return scan[:7]
    return re.split(r"[_\d]", scan)[0] + ("_tcia" if "_tcia" in scan else "")


def make_folds(scans: Scans, seed: int = SEED) -> Folds:
    """Deal the scans of each of KINDS; the same scans and seed, the same folds, in any order."""
    of_person: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for kind in KINDS:
        for scan in sorted(scans[kind]):
            of_person[person_of(scan)].append((kind, scan))
    persons = sorted(of_person)
    random.Random(seed).shuffle(persons)
    persons.sort(key=lambda person: (-len(_groups(of_person[person])), _groups(of_person[person])))
    counts: list[Counter[str]] = [Counter() for _ in range(FOLDS)]
    parts: list[dict[str, list[str]]] = [{kind: [] for kind in KINDS} for _ in range(FOLDS)]
    for person in persons:
        own = of_person[person]
        fold = min(range(FOLDS), key=lambda n: (_load(counts[n], own), n))
        for kind, scan in own:
            parts[fold][kind].append(scan)
            counts[fold].update((kind, f"{kind} {group_of(scan)}"))
    return Folds(tuple({kind: sorted(part[kind]) for kind in KINDS} for part in parts))


def read_folds(path: Path = FROZEN) -> Folds:
    """The frozen folds. Raises DatasetError when the file is none of ours."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Folds(tuple({kind: part[kind] for kind in KINDS} for part in content["folds"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise DatasetError("The file of the folds cannot be read.") from None


def scans_below(data: Path) -> dict[str, list[str]]:
    """All scans of each of KINDS below `data`, by their names."""
    return {
        "lgg": list(read_split(data / "lgg" / "split.json")["development"]),
        **{
            kind: [path.parent.name for path in (data / kind).glob("*/*_flair.nii.gz")]
            for kind in ("brats", "notumor")
        },
        "othersequences": [
            path.name.removesuffix(".nii.gz") for path in (data / "othersequences").glob("*.nii.gz")
        ],
    }


def as_json(folds: Folds, seed: int = SEED) -> str:
    """The content of the frozen file."""
    content: dict[str, Any] = {"comment": RULE, "seed": seed, "folds": list(folds.parts)}
    return json.dumps(content, indent=1) + "\n"


def _groups(own: list[tuple[str, str]]) -> list[str]:
    return sorted({f"{kind} {group_of(scan)}" for kind, scan in own})


def _load(counts: Counter[str], own: list[tuple[str, str]]) -> tuple[int, int, int]:
    """How full a fold is for a person: by group, by kind, and in all."""
    kinds = {kind for kind, _ in own}
    groups, whole = sum(counts[g] for g in _groups(own)), sum(counts[kind] for kind in KINDS)
    return groups, sum(counts[kind] for kind in kinds), whole


if __name__ == "__main__":
    sys.stdout.write(as_json(make_folds(scans_below(Path(sys.argv[1])))))
