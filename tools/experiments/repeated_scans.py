"""`python -m tools.experiments.repeated_scans --data DIR`: how much does a volume vary by chance?

Each head is scanned again by computation (tools/experiments/scan_again.py) and marked anew by the
shipped weights; with -o the numbers that go with the weights are written. Heads that the tumor
check takes for healthy in one of their scans are counted, and have no volume to compare.
"""

import json
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import stats

from model.inference.preprocessing import prepare
from model.inference.segmentation import Rules, segment
from model.inference.tumor_check import evidence_of, load_tumor_check
from model.measurement.findings import measure
from model.measurement.repeatability import Repeatability
from model.network.network import Network, load_network
from model.reading.nifti import read_nifti
from model.volume import Volume
from tools.experiments.scan_again import Retake, scanned_again
from training.mixed_cache import Source, sources_below

Numbers = NDArray[np.float64]

HEAD_MM = 150.0  # height of a head with its margins, where a file does not tell the thickness
NOISE, SHADED = 0.05, 0.2
PIXELS, SLICES = 1.25, 1.4  # of the other spacing: near the most that may be compared
TURNED, TURNED_MORE = 3.0, 8.0  # degrees about each axis, at most
CONTRAST, CONTRAST_MORE = 1.1, 1.3  # the power, or one over it, at most
FIRST = "as it is"
ALONE = {
    "shifted by half a voxel": Retake(shifted=(0.5, 0.5, 0.5)),
    "cut anew, turned by 3 degrees": Retake(turned=(3.0, 3.0, 3.0)),
    "noise of 5 %": Retake(noise=NOISE),
    "shades of 20 %": Retake(shaded=SHADED),
    "contrast to the power of 1.1": Retake(contrast=CONTRAST),
    "other voxels": Retake(pixels=PIXELS, slices=SLICES),
}
AGAIN, OTHER = ("again 1", "again 2"), ("otherwise 1", "otherwise 2")
NAMES = (FIRST, *ALONE, *AGAIN, *OTHER)
OFFSETS_ML = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
NINETEEN_OF_TWENTY = 1.96
DRAWS = 2000
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Head:
    """Volumes (ml) of one head by the names of its scans; 0 where no tumor was found."""

    name: str
    kind: str
    ml: dict[str, float]

    @property
    def always_found(self) -> bool:
        """Whether all scans of it have a tumor."""
        return min(self.ml.values()) > 0


def run(
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="shared/data")],
    scans: Annotated[int, typer.Option(min=2, help="heads of each set, evenly among all")] = 20,
    weights: Annotated[Path | None, typer.Option(exists=True, help="else those shipped")] = None,
    cache: Annotated[Path | None, typer.Option(help="volumes, kept to go on from")] = None,
    out: Annotated[Path | None, typer.Option("-o", help="the file beside the weights")] = None,
) -> None:
    """Scan the heads again, and print the table of the model card."""
    began, network = time.monotonic(), load_network(weights, threads=1)
    heads = heads_of(data, scans, network, cache)
    measured = fitted([head for head in heads if head.always_found], network.sha256)
    for line in table(heads, measured):
        typer.echo(line)
    typer.echo(f"{len(heads)} heads, {time.monotonic() - began:.0f} s")
    if out is not None:
        out.write_text(as_text(measured), encoding="utf-8")


def heads_of(data: Path, scans: int, network: Network, cache: Path | None) -> list[Head]:
    """So many heads of each set with tumors, marked in each of their scans."""
    known = _known(cache, network.sha256)
    sources = [each for each in sources_below(data) if each.tumor is not None]
    for source in chosen(sources, scans):
        if source.name not in known:
            known[source.name] = head_of(source, network)
            typer.echo(f"{len(known)}: {source.name}", err=True)
            if cache is not None:
                cache.parent.mkdir(parents=True, exist_ok=True)
                rows = [asdict(head) for head in known.values()]
                cache.write_text(json.dumps({"weights_sha256": network.sha256, "heads": rows}))
    return [known[source.name] for source in chosen(sources, scans)]


def chosen(sources: Sequence[Source], scans: int) -> list[Source]:
    """So many of each kind, one of each in turn: spread evenly among their names, and the first of
    them the same however many there are (Weyl's sequence of the golden ratio)."""
    found: list[tuple[int, Source]] = []
    for kind in dict.fromkeys(source.kind for source in sources):
        own = sorted((s for s in sources if s.kind == kind), key=lambda source: source.name)
        places = (int(len(own) * (number * GOLDEN % 1)) for number in range(10 * len(own)))
        found += enumerate(own[place] for place in list(dict.fromkeys(places))[:scans])
    return [source for _, source in sorted(found, key=lambda each: each[0])]


def _known(cache: Path | None, weights_sha256: str) -> dict[str, Head]:
    if cache is None or not cache.exists():
        return {}
    content = json.loads(cache.read_text())
    if content["weights_sha256"] != weights_sha256:
        raise typer.BadParameter("it holds volumes of other weights", param_hint="--cache")
    return {row["name"]: Head(**row) for row in content["heads"] if set(row["ml"]) == set(NAMES)}


def head_of(source: Source, network: Network) -> Head:
    """All scans of one head; the same ones each time, whatever else is measured."""
    volume = read_nifti(source.scan)
    random = np.random.default_rng(zlib.crc32(source.name.encode()))
    is_told = source.kind != "lgg"
    thickness = 1.0 if is_told else HEAD_MM / volume.shape[volume.slice_axis]
    found = {FIRST: volume_ml(volume, network) * thickness}
    for name, how in retakes(random):
        again = scanned_again(volume, how, thickness, random)
        found[name] = volume_ml(again, network) * thickness
    return Head(source.name, source.kind, found)


def retakes(random: np.random.Generator) -> Iterator[tuple[str, Retake]]:
    """Each difference alone; then all of them at once, twice as before and twice otherwise."""
    yield from ALONE.items()
    for name in (*AGAIN, *OTHER):
        other = name in OTHER
        most = TURNED_MORE if other else TURNED
        turned, shifted = random.uniform(-most, most, 3), random.uniform(-0.5, 0.5, 3)
        power = CONTRAST_MORE if other else CONTRAST
        yield (
            name,
            Retake(
                turned=(float(turned[0]), float(turned[1]), float(turned[2])),
                shifted=(float(shifted[0]), float(shifted[1]), float(shifted[2])),
                noise=NOISE,
                shaded=SHADED,
                contrast=float(power ** random.uniform(-1, 1)),
                pixels=PIXELS if other else 1.0,
                slices=SLICES if other else 1.0,
            ),
        )


def volume_ml(volume: Volume, network: Network) -> float:
    """What a report would say, by the file's own spacing; 0 for a head without tumor."""
    rules = Rules()
    segmentation = segment(volume, prepare(volume, network.preparation), network, rules)
    findings = measure(segmentation.mask, volume.affine, None, segmentation.probability)
    check = load_tumor_check(network.sha256, rules.threshold)
    evidence = evidence_of(volume, segmentation, findings)
    if check is not None and evidence and not check.has_tumor(evidence):
        return 0.0
    return findings.volume_ml


def fitted(heads: Sequence[Head], weights_sha256: str) -> Repeatability:
    """The offset with which differences depend least on the volume, and both coefficients."""
    offset = min(OFFSETS_ML, key=lambda each: abs(dependence(heads, each)))
    return Repeatability(
        offset_ml=offset,
        alike=coefficient(squares(heads, offset, AGAIN)),
        other=coefficient(squares(heads, offset, OTHER)),
        threshold=Rules().threshold,
        weights_sha256=weights_sha256,
    )


def dependence(heads: Sequence[Head], offset_ml: float) -> float:
    """Rank correlation of a head's volume with how much its measurings differ."""
    sizes = [head.ml[FIRST] for head in heads]
    return float(stats.spearmanr(sizes, squares(heads, offset_ml, AGAIN)).statistic)


def squares(heads: Sequence[Head], offset_ml: float, names: Sequence[str]) -> Numbers:
    """For each head, the mean square of the differences of logarithms over its pairs of scans.

    names: those as before are paired with each other as well; those made otherwise only with
    those made as before.
    """
    found = []
    for head in heads:
        logs = {name: np.log(head.ml[name] + offset_ml) for name in NAMES}
        found.append(np.mean([(logs[one] - logs[two]) ** 2 for one, two in pairs(names)]))
    return np.array(found)


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Which scans of a head are compared."""
    if tuple(names) == AGAIN:
        return [(FIRST, AGAIN[0]), (FIRST, AGAIN[1]), AGAIN]
    return list(product((FIRST, *AGAIN), names))


def coefficient(mean_squares: Numbers) -> float:
    """The repeatability coefficient: 19 of 20 differences are smaller."""
    return float(NINETEEN_OF_TWENTY * np.sqrt(mean_squares.mean()))


def interval(mean_squares: Numbers) -> tuple[float, float]:
    """In which the coefficient lies with 95 %, over heads drawn again (Efron's bootstrap)."""
    drawn = np.random.default_rng(0).integers(len(mean_squares), size=(DRAWS, len(mean_squares)))
    low, high = np.percentile(
        NINETEEN_OF_TWENTY * np.sqrt(mean_squares[drawn].mean(axis=1)), (2.5, 97.5)
    )
    return float(low), float(high)


def icc(measured: Numbers) -> float:
    """Intraclass correlation ICC(1,1), one-way random: (heads, measurings) in ml."""
    count, repeats = measured.shape
    means = measured.mean(axis=1, keepdims=True)
    between = repeats * float(((means - measured.mean()) ** 2).sum()) / (count - 1)
    within = float(((measured - means) ** 2).sum()) / (count * (repeats - 1))
    return float((between - within) / (between + (repeats - 1) * within))


def table(heads: Sequence[Head], measured: Repeatability) -> Iterator[str]:
    """The rows of the model card: each way to scan again, for each set and for all."""
    yield "| set | scanned again | heads | no tumor | median change | limits of agreement | ICC |"
    yield "|---|---|---|---|---|---|---|"
    sets = {kind: [h for h in heads if h.kind == kind] for kind in {h.kind: 0 for h in heads}}
    for kind, own in ({**sets, "all": list(heads)} if len(sets) > 1 else sets).items():
        for name in NAMES[1:]:
            yield f"| {kind} | {name} | {_row(own, name)} |"
    found = [head for head in heads if head.always_found]
    yield f"offset {measured.offset_ml:g} ml, rank correlation of the size with the difference:"
    yield ", ".join(f"{each:g} ml {dependence(found, each):+.2f}" for each in OFFSETS_ML)
    for words, names, number in (
        ("alike", AGAIN, measured.alike),
        ("other", OTHER, measured.other),
    ):
        yield _limits(words, found, names, number, measured.offset_ml)
    for ml in (1, 5, 20, 60):
        cells = (measured.range_ml(ml, alike) for alike in (True, False))
        yield f"{ml} ml: " + ", ".join(f"{low:.1f} to {high:.1f}" for low, high in cells)


def _row(heads: Sequence[Head], name: str) -> str:
    found = [head for head in heads if head.ml[FIRST] > 0]
    both = [head for head in found if head.ml[name] > 0]
    ml = np.array([[head.ml[FIRST], head.ml[name]] for head in both])
    ratios = np.log(ml[:, 1] / ml[:, 0])
    low, high = ratios.mean() + NINETEEN_OF_TWENTY * ratios.std(ddof=1) * np.array([-1, 1])
    percent = 100 * np.expm1([np.median(ratios), low, high])
    limits = f"{percent[1]:+.0f} to {percent[2]:+.0f} %"
    gone = len(found) - len(both)
    return f"{len(both)} | {gone} | {percent[0]:+.1f} % | {limits} | {icc(ml):.3f}"


def _limits(
    words: str, heads: Sequence[Head], names: Sequence[str], number: float, offset: float
) -> str:
    """A coefficient with its interval, by set, and which share of the pairs it holds."""
    mean_squares = squares(heads, offset, names)
    low, high = interval(mean_squares)
    apart = [
        abs(np.log((head.ml[one] + offset) / (head.ml[two] + offset)))
        for head in heads
        for one, two in pairs(names)
    ]
    kinds = np.array([head.kind for head in heads])
    by_set = [f"{kind} {coefficient(mean_squares[kinds == kind]):.3f}" for kind in np.unique(kinds)]
    held = 100 * np.mean(np.array(apart) <= number)
    return (
        f"{words}: {number:.3f} ({low:.3f} to {high:.3f}), {', '.join(by_set)};"
        f" holds {held:.0f} % of {len(apart)} pairs"
    )


def as_text(measured: Repeatability) -> str:
    """The file beside the weights."""
    about = {"comment": "how much a volume varies by chance (model/measurement/repeatability.py)"}
    numbers = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in asdict(measured).items()
    }
    return json.dumps(about | numbers, indent=1) + "\n"


if __name__ == "__main__":
    typer.run(run)
