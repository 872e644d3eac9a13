"""The recipe of the input check: what it is shown, and that a run gives weights that look."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.inference.input_check import load_input_check, read_input_check
from model.network.unet import InputCheckNet
from model.weights_config import CLASSES, STANDARD, InputCheckShape, InputClass
from tests.training.cached_heads import BRATS, FREE, LGG, chance
from training.calibration.input_check_rates import rates, shown_of
from training.datasets import Split
from training.loop import BEST, Limits, Training, export_weights
from training.recipes.input_check import (
    InputCheckPlan,
    Shown,
    draw,
    input_check_method,
    known_input_check,
    turned,
)

OTHER = replace(LGG, patient="o", kind=InputClass.CONTRAST)
LIMB = replace(BRATS, patient="limb", kind=InputClass.NO_HEAD)
EVEN = np.full((2, STANDARD.rows, STANDARD.columns), 64, np.uint8)
SHOWN = Shown.of(
    [LGG, BRATS, FREE, OTHER, LIMB], {InputClass.FLAIR: EVEN, InputClass.CONTRAST: EVEN}
)


def test_scans_are_sorted_by_what_the_answer_should_be() -> None:
    assert [[head.patient for head in kind] for kind in SHOWN.heads] == [["l"], ["b"], ["n"]]
    assert [each.patient for each in SHOWN.others[InputClass.CONTRAST]] == ["o"]
    assert [each.patient for each in SHOWN.others[InputClass.NO_HEAD]] == ["limb"]


def test_the_same_step_draws_the_same_pictures_of_all_classes() -> None:
    images, classes = draw(SHOWN, 64, (1, 2))
    again, _ = draw(SHOWN, 64, (1, 2))
    assert torch.equal(images, again)
    assert images.shape[0] == 64
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert set(classes.tolist()) == set(range(len(CLASSES)))


def test_heads_of_one_kind_alone_are_enough() -> None:
    images, _ = draw(Shown.of([FREE], SHOWN.drawn), 16, (1, 2))
    assert images.shape[0] == 16


def test_a_turned_slice_is_another_one_in_a_window_of_the_same_size() -> None:
    picture = np.zeros((STANDARD.rows, STANDARD.columns), np.float32)
    picture[10:30, 60:80] = 1
    for seed in range(8):
        made = turned(picture, chance(seed))
        assert made.shape == picture.shape
        assert made.sum() == picture.sum()
        assert not np.array_equal(made, picture)


def test_a_run_from_trained_weights_gives_weights_that_look(tmp_path: Path) -> None:
    plan = InputCheckPlan(steps=2, batch=4, check_every=2)
    method = input_check_method(plan, SHOWN, SHOWN)
    assert isinstance(method.build(), InputCheckNet)
    path = Path(__file__).parents[3] / "model" / "weights" / "flair_gate.safetensors"
    run = tmp_path / "run"
    split = Split(("l", "b"), ("n",))
    start = known_input_check(path)
    Training(method, Limits(), split, run, {}, start).run(lambda _: None, resume=False)
    export_weights(run / BEST, run / "weights.safetensors")
    check = read_input_check(run / "weights.safetensors", 0.5)
    assert check.shape == InputCheckShape()
    shares = check.shares_of(np.zeros((1, STANDARD.rows, STANDARD.columns), np.float32))
    assert sum(shares.values()) == pytest.approx(1)
    assert set(shares) == set(InputClass)


def test_rates_show_each_scan_in_all_ways() -> None:
    kinds = {kind for head in (LGG, OTHER) for kind, _, _ in shown_of(head)}
    assert {"lgg", "lgg, upper half", "lgg, stripped", "another view", "turned"} <= kinds
    assert {"contrast", "contrast, lower half"} <= kinds
    counts: dict[str, list[bool]] = defaultdict(list)
    wrong = list(rates(load_input_check(1.0), [LGG], counts))
    assert wrong == ["l"]  # nothing is so sure
    assert counts["lgg"] == [False]
