"""Ways to int8 weighed by speed and Dice; the one chosen is judged by others than chose it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from model.network import Network
from model.preparation import Prepared, prepare
from model.reading.nifti import read_nifti
from model.segmentation import Rules
from model.timing import Row, Timing, interleaved
from training.cases import Case
from training.evaluation import Judge, evaluate
from training.int8_slices import calibration_images
from training.int8_verdict import SINGLE, Compared, Verdict, best_of
from training.int8_ways import Way, int8_network

TIMED, ROUNDS, MOST_SECONDS = 3, 11, 150.0  # scans, and their rounds

Advance = Callable[[], object]
Scores = tuple[float, ...]


@dataclass(frozen=True)
class Cases:
    """calibrating, choosing: the network learned from them; judging: it did not."""

    calibrating: Sequence[Case]
    choosing: Sequence[Case]
    judging: Sequence[Case]


def weigh(
    cases: Cases, network: Network, ways: Mapping[str, Way], advance: Advance
) -> dict[str, Any]:
    """All figures as plain values; `advance` is told of each network made, run and patient."""
    networks = {SINGLE: network, **_int8_networks(cases.calibrating, network, ways, advance)}
    timings = _timed(networks, cases.choosing[:TIMED], advance)
    chosen_by = {name: _scores(each, cases.choosing, advance) for name, each in networks.items()}
    verdicts = _verdicts(timings, cases.choosing, chosen_by)
    best = best_of(verdicts)
    single, small = (_scores(networks[name], cases.judging, advance) for name in (SINGLE, best))
    judged = _compared(cases.judging, single, small)
    return {
        "weights_sha256": network.sha256,
        "patients": {name: len(each) for name, each in vars(cases).items()},
        "load": round(os.getloadavg()[0], 1),
        "timings": [asdict(each) for each in timings],
        "ways": {name: each.plain() for name, each in verdicts.items()},
        "chosen": best,
        "judged": judged.figures(),
        "verdict": Verdict(judged.lost, verdicts[best].speedup).plain(),
    }


def _int8_networks(
    cases: Sequence[Case], network: Network, ways: Mapping[str, Way], advance: Advance
) -> dict[str, Network]:
    counts = {way.slices for way in ways.values()}
    images = {count: calibration_images(cases, network, count) for count in counts}
    made = {}
    for name, way in ways.items():
        made[name] = int8_network(network, images[way.slices], way)
        advance()
    return made


def _timed(networks: dict[str, Network], cases: Sequence[Case], advance: Advance) -> list[Timing]:
    """Seconds of the model stage of these scans together, all networks in turn."""
    scans = [prepare(read_nifti(case.flair), networks[SINGLE].preparation) for case in cases]
    rows = [Row(name, partial(_judge_all, each, scans)) for name, each in networks.items()]
    return interleaved(rows, ROUNDS, MOST_SECONDS, advance)


def _judge_all(network: Network, scans: list[Prepared]) -> None:
    for scan in scans:
        network.probabilities(scan, best=False)


def _scores(network: Network, cases: Sequence[Case], advance: Advance) -> Scores:
    """Dice of whole volumes by patient, as `gliowatch evaluate` takes it."""
    return tuple(each.dice for each in evaluate(cases, Judge(network, Rules()), advance))


def _verdicts(
    timings: list[Timing], cases: Sequence[Case], scores: dict[str, Scores]
) -> dict[str, Verdict]:
    seconds = {each.name: each.median for each in timings}
    return {
        name: Verdict(
            _compared(cases, scores[SINGLE], scores[name]).lost, seconds[SINGLE] / seconds[name]
        )
        for name in scores
        if name != SINGLE
    }


def _compared(cases: Sequence[Case], single: Scores, small: Scores) -> Compared:
    return Compared(tuple(case.patient for case in cases), single, small)
