"""`python -m training.calibration.tumor_check_fit`: tumor, or white-matter disease?

All heads of the frozen folds are analyzed once and what is looked at of their lesions is kept in a
file, so that another fit takes seconds. A lesion that touches the drawn tumor is one, any other is
none. Every figure is out of fold: the numbers for a fold were fitted on the other four. What the
weights themselves learned from is not told apart; `--fold` shows those whom a run had put aside.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import optimize, stats

from model.errors import GliowatchError
from model.inference.preprocessing import prepare
from model.inference.segmentation import Rules, segment
from model.inference.tumor_check import FARTHEST, NAMES, Evidence, TumorCheck, evidence_of
from model.measurement.findings import measure, number_lesions
from model.network.network import Network, load_network
from model.reading.nifti import read_nifti
from training.datasets import FOLDS, DatasetError
from training.folds import read_folds
from training.mixed_cache import Source, sources_below

Numbers = NDArray[np.float64]

TOUCHES = 0.1  # share of a lesion that must be drawn tumor
RIDGE = 3.0  # how strongly the weights are held near 0
SENSITIVITY = 0.985  # of the tumors that were marked, out of fold: the line is put there
LINES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the curve that is printed


@dataclass(frozen=True)
class Head:
    """A scan with what is looked at of its lesions. touching: share of each that is drawn tumor;
    has_tumor: whether any was drawn."""

    name: str
    has_tumor: bool
    evidence: tuple[Evidence, ...]
    touching: tuple[float, ...]


def head_of(source: Source, network: Network, rules: Rules) -> Head:
    """Analyze a scan as for a report. Raises UnreadableScan."""
    volume = read_nifti(source.scan)
    segmentation = segment(volume, prepare(volume, network.preparation), network, rules)
    segmentation = segmentation.core or segmentation
    findings = measure(segmentation.mask, volume.affine, None, segmentation.probability)
    evidence = evidence_of(volume, segmentation, findings)
    if source.tumor is None:
        return Head(source.name, False, evidence, (0.0,) * len(evidence))
    numbered = number_lesions(segmentation.mask, volume.affine)
    drawn = read_nifti(source.tumor).voxels > 0
    count = len(evidence) + 1
    inside = np.bincount(numbered[drawn], minlength=count)[1:]
    touching = inside / np.bincount(numbered.ravel(), minlength=count)[1:]
    return Head(source.name, True, evidence, tuple(float(share) for share in touching))


def heads_of(
    data: Path, network: Network, rules: Rules, cache: Path, say: Callable[[str], object]
) -> list[Head]:
    """All heads below `data`; those that the cache holds for these weights are not done again."""
    known = _known(cache, network.sha256)
    sources = list(sources_below(data))
    for number, source in enumerate(sources, start=1):
        if source.name not in known:
            known[source.name] = head_of(source, network, rules)
            content = {"weights_sha256": network.sha256, "names": NAMES}
            rows = [asdict(head) for head in known.values()]
            cache.parent.mkdir(parents=True, exist_ok=True)
            cache.write_text(json.dumps(content | {"heads": rows}))
            say(f"{number} of {len(sources)}: {source.name}")
    return [known[source.name] for source in sources]


def _known(cache: Path, weights_sha256: str) -> dict[str, Head]:
    if not cache.exists():
        return {}
    content = json.loads(cache.read_text())
    if content["weights_sha256"] != weights_sha256 or tuple(content["names"]) != NAMES:
        raise DatasetError("The cache holds scans as other weights see them: name another file.")
    return {
        row["name"]: Head(
            row["name"],
            row["has_tumor"],
            tuple(Evidence(**each) for each in row["evidence"]),
            tuple(row["touching"]),
        )
        for row in content["heads"]
    }


def fit(heads: Sequence[Head], weights_sha256: str, threshold: float) -> TumorCheck:
    """Logistic regression of the lesions, held near 0 by RIDGE; its line is still 0.5."""
    rows = np.array([astuple(each) for head in heads for each in head.evidence])
    truth = np.array([share >= TOUCHES for head in heads for share in head.touching], float)
    if not 0 < truth.sum() < len(truth):
        raise DatasetError("The tumor check needs lesions that are tumor and some that are none.")
    middle, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    beyond = np.clip((rows - middle) / spread, -FARTHEST, FARTHEST)
    each = np.where(truth > 0, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))  # both count alike

    def loss(numbers: Numbers) -> tuple[float, Numbers]:
        logit = beyond @ numbers[:-1] + numbers[-1]
        wrong = each * (1 / (1 + np.exp(-logit)) - truth)
        slope = np.append(beyond.T @ wrong + RIDGE * numbers[:-1], wrong.sum())
        cost = each @ (np.logaddexp(0, logit) - truth * logit)
        return float(cost + RIDGE / 2 * (numbers[:-1] ** 2).sum()), slope

    found = optimize.minimize(loss, np.zeros(len(NAMES) + 1), jac=True, method="BFGS").x
    *weight, offset = (float(number) for number in found)
    return TumorCheck(
        middle=tuple(middle.tolist()),
        spread=tuple(spread.tolist()),
        weight=tuple(weight),
        offset=offset,
        line=0.5,
        threshold=threshold,
        weights_sha256=weights_sha256,
    )


def chances_out_of_fold(
    heads: Sequence[Head], weights_sha256: str, threshold: float
) -> dict[str, tuple[float, ...]]:
    """Of each scan's lesions, by the numbers that were fitted without the folds of its person."""
    folds, chances = read_folds(), {}
    for fold in range(1, FOLDS + 1):
        aside = set(folds.split(fold).validation)
        check = fit([h for h in heads if h.name not in aside], weights_sha256, threshold)
        for head in heads:
            if head.name in aside:
                chances[head.name] = tuple(check.chance(each) for each in head.evidence)
    return chances


def line_at(heads: Sequence[Head], chances: dict[str, tuple[float, ...]]) -> float:
    """Of the lines that SENSITIVITY of the marked tumors reach, the lowest that has the fewest
    false alarms; half way between two scans."""
    best = {h.name: max(chances[h.name]) for h in heads if h.evidence}
    tumors = np.array([best[h.name] for h in heads if h.has_tumor and h.evidence])
    others = np.array([best[h.name] for h in heads if not h.has_tumor and h.evidence])
    every = np.unique([0.0, *best.values()])
    lines = [
        line for line in (every[:-1] + every[1:]) / 2 if np.mean(tumors >= line) >= SENSITIVITY
    ]
    return round(float(min(lines, key=lambda line: (np.count_nonzero(others >= line), line))), 4)


def rates(
    heads: Sequence[Head], chances: dict[str, tuple[float, ...]], line: float
) -> dict[str, Any]:
    """Sensitivity and false alarms of scans, with Wilson's 95 % intervals, and of lesions.

    A tumor that was not marked at all is missed; a head without any mark is right.
    """
    called = {h.name: any(chance >= line for chance in chances[h.name]) for h in heads}
    with_tumor = [called[h.name] for h in heads if h.has_tumor]
    without = [called[h.name] for h in heads if not h.has_tumor]
    lesions = [
        (share >= TOUCHES, chance >= line)
        for h in heads
        for share, chance in zip(h.touching, chances[h.name], strict=True)
    ]
    return {
        "line": line,
        "sensitivity": _share(with_tumor),
        "called_tumor_without": _share(without),
        "lesions_found": _share([told for is_tumor, told in lesions if is_tumor]),
        "lesions_made_up": _share([told for is_tumor, told in lesions if not is_tumor]),
    }


def _share(true: Sequence[bool]) -> str:
    if not true:
        return "none"
    interval = stats.binomtest(sum(true), len(true)).proportion_ci(method="wilson")
    ends = f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %"
    return f"{sum(true)} of {len(true)} ({ends})"


def as_json(check: TumorCheck) -> dict[str, Any]:
    """The content of the file that is shipped."""
    columns = zip(check.middle, check.spread, check.weight, strict=True)
    evidence = {
        name: [round(number, 5) for number in numbers]
        for name, numbers in zip(NAMES, columns, strict=True)
    }
    return {
        "comment": "of each name: middle, spread, weight (model/inference/tumor_check.py)",
        "weights_sha256": check.weights_sha256,
        "threshold": check.threshold,
        "line": check.line,
        "offset": round(check.offset, 5),
        "evidence": evidence,
    }


def show(
    data: Annotated[Path, typer.Option(exists=True, help="holds lgg, brats, notumor")],
    cache: Annotated[Path, typer.Option(help="what is looked at of each scan, .json")],
    weights: Annotated[Path | None, typer.Option(exists=True, help="the shipped ones")] = None,
    fold: Annotated[int, typer.Option(help="show those alone whom this fold puts aside")] = 0,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="write the numbers")] = None,
) -> None:
    """Analyze all heads, fit, and print the rates out of fold."""
    rules = Rules()
    try:
        network = load_network(weights)
        heads = heads_of(data, network, rules, cache, typer.echo)
        chances = chances_out_of_fold(heads, network.sha256, rules.threshold)
        check = fit(heads, network.sha256, rules.threshold)
    except GliowatchError as error:
        typer.echo(f"training.calibration.tumor_check_fit: {error}", err=True)
        raise typer.Exit(2) from None
    line = line_at(heads, chances)
    aside = set(read_folds().split(fold).validation)
    shown = [head for head in heads if not fold or head.name in aside]
    for each in (*LINES, line):
        typer.echo(json.dumps(rates(shown, chances, each)))
    for head in shown:
        if head.has_tumor != any(chance >= line for chance in chances[head.name]):
            told = [round(chance, 3) for chance in chances[head.name]]
            typer.echo(f"wrong: {head.name}, chances of its lesions {told}")
    if out is not None:
        content = as_json(TumorCheck(**{**vars(check), "line": line}))
        out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(show)
