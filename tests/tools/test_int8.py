"""int8: who calibrates and chooses, which slices, and when the rule says yes; needs no NNCF."""

from pathlib import Path

import numpy as np
import pytest
import typer

from model.network.network import load_network
from tests.conftest import FRONTAL
from tools.experiments import int8
from tools.experiments.int8 import Compared, Verdict, best_of, calibration_images, evenly, part
from training.datasets import Case, DatasetError

LEARNED = tuple(f"p{number}" for number in range(20))


def test_who_analyzes_neither_calibrates_nor_chooses() -> None:
    calibrating, choosing = part(LEARNED, ("q1", "q2"), 7)
    assert (calibrating, choosing) == part(LEARNED[::-1], ("q2",), 7)  # the same each time
    assert {*calibrating, *choosing} == set(LEARNED)
    assert len(calibrating) == len(choosing) == 10
    with pytest.raises(DatasetError, match="learned from"):
        part(LEARNED, ("q1", "p3"), 7)


def test_slices_are_spread_evenly_over_the_head(small_weights: Path) -> None:
    assert evenly(10, 5).tolist() == [1, 3, 5, 7, 9]
    assert evenly(3, 9).tolist() == [0, 1, 2]
    network = load_network(small_weights, device="cpu")
    cases = [Case(name, FRONTAL, FRONTAL) for name in "abc"]
    images = calibration_images(cases, network, 12)
    assert images.shape == (12, 3, 160, 144)
    assert np.array_equal(images[:4], images[4:8])  # the same scan, the same slices
    assert len({image[1].tobytes() for image in images}) == 4
    assert images.max(axis=(2, 3)).min() > 0  # none is empty
    assert len(calibration_images(cases, network, 2)) == 2


@pytest.mark.parametrize(
    ("single", "small", "speedup", "passes"),
    [
        ((0.8, 0.9), (0.79, 0.9), 1.5, True),  # each bound is just met
        ((0.8, 0.9), (0.789, 0.9), 1.5, False),
        ((0.8, 0.9), (0.8, 0.9), 1.49, False),
        ((0.8, 0.9), (0.9, 0.85), 2.0, True),  # better in the mean
    ],
)
def test_the_rule(
    single: tuple[float, ...], small: tuple[float, ...], speedup: float, passes: bool
) -> None:
    compared = Compared(("a", "b"), single, small)
    verdict = Verdict(compared.lost, speedup)
    assert verdict.passes == passes
    assert ("does not pass" in verdict.words()) != passes
    (first, _) = compared.figures()["cases"]
    assert first == {"patient": "a", "fp32": 0.8, "int8": small[0]}


def test_of_those_fast_enough_the_one_that_loses_least_is_chosen() -> None:
    ways = {"a": Verdict(0.0, 1.4), "b": Verdict(0.004, 1.6), "c": Verdict(0.003, 1.5)}
    assert best_of(ways) == "c"
    assert best_of({"a": ways["a"], "b": Verdict(0.0, 1.2)}) == "a"


def test_without_nncf_one_sentence_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(int8, "find_spec", lambda name: None)
    with pytest.raises(typer.Exit):
        int8.show(tmp_path, tmp_path)
    assert capsys.readouterr().err.count("\n") == 1


def test_one_way_can_be_asked_for_by_its_name() -> None:
    assert list(int8.ways_named("")) == list(int8.WAYS)
    (name, *_) = int8.WAYS
    assert list(int8.ways_named(name)) == [name]
    with pytest.raises(DatasetError, match=name):
        int8.ways_named("another")
