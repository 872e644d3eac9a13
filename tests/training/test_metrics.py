"""The figures of an evaluation, on masks whose agreement is known beforehand."""

import numpy as np
import pytest

from model.geometry import Mask
from training.evaluate import spread
from training.metrics import Confusion, calibrate, count_lesions, hausdorff_95, score_slices


def cube(first: int, last: int, shape: tuple[int, int, int] = (30, 30, 12)) -> Mask:
    mask = np.zeros(shape, bool)
    mask[first:last, 5:15, 4:8] = True
    return mask


def test_a_shift_of_three_voxels_is_three_spacings_away() -> None:
    assert hausdorff_95(cube(5, 15), cube(8, 18), (1, 1, 1)) == pytest.approx(3)
    assert hausdorff_95(cube(5, 15), cube(8, 18), (0.5, 1, 6)) == pytest.approx(1.5)
    assert hausdorff_95(cube(5, 15), cube(5, 15), (1, 1, 1)) == 0


def test_a_mask_at_the_border_of_the_grid_has_a_surface() -> None:
    whole = np.ones((6, 6, 6), bool)
    part = whole.copy()
    part[:3] = False
    assert hausdorff_95(whole, part, (2, 2, 2)) == pytest.approx(6)


def test_without_a_surface_there_is_no_distance() -> None:
    empty = np.zeros((30, 30, 12), bool)
    assert hausdorff_95(empty, cube(5, 15), (1, 1, 1)) is None
    assert hausdorff_95(empty, empty, (1, 1, 1)) is None


def test_lesions_are_hit_missed_and_made_up() -> None:
    drawn = cube(2, 6) | cube(10, 14)
    predicted = cube(3, 5) | cube(20, 22) | cube(25, 27)
    counts = count_lesions(predicted, drawn)
    assert (counts.drawn, counts.hit, counts.false) == (2, 1, 2)


def test_one_large_lesion_over_two_drawn_ones_hits_both() -> None:
    counts = count_lesions(cube(2, 20), cube(2, 6) | cube(10, 14))
    assert (counts.drawn, counts.hit, counts.false) == (2, 2, 0)


def test_slices_are_scored_across_the_given_axis() -> None:
    drawn, predicted = cube(5, 15), cube(5, 10)
    predicted[20, 20, 0] = True  # a false alarm on a slice without tumor
    scores = score_slices(predicted, drawn, 2)
    assert scores.tumor_dice == pytest.approx([2 / 3] * 4)
    assert scores.all_dice.count(1.0) == 7
    assert scores.all_dice.count(0.0) == 1
    assert scores.tumor_pixels == Confusion(200, 0, 200, 4 * 900 - 400)
    assert scores.all_pixels == Confusion(200, 1, 200, 12 * 900 - 401)
    assert scores.free_marked == 1
    assert scores.tumor_pixels.rates()["sensitivity"] == 0.5
    assert scores.all_pixels.rates()["f1"] == pytest.approx(400 / 601, abs=1e-4)


def test_rates_without_anything_to_count_are_not_known() -> None:
    assert Confusion(true_negative=5).rates()["sensitivity"] is None


def test_honest_probabilities_have_no_calibration_error() -> None:
    probability = np.repeat(np.array([0.05, 0.95], np.float32), 1000).reshape(20, 10, 10)
    drawn = np.zeros(probability.shape, bool)
    drawn.ravel()[:50] = True
    drawn.ravel()[1000:1950] = True
    everywhere = np.ones_like(drawn)
    assert calibrate(probability, drawn, everywhere).ece() == pytest.approx(0, abs=1e-6)
    assert calibrate(probability, ~drawn, everywhere).ece() == pytest.approx(0.9, abs=1e-6)


def test_a_spread_holds_its_mean_and_is_repeatable() -> None:
    values = [0.5, 0.7, 0.8, 0.9, 0.95]
    first = spread(values)
    assert first is not None
    assert first == spread(values)
    assert first["low_95"] < first["mean"] < first["high_95"]
    assert (first["lowest"], first["highest"], first["median"]) == (0.5, 0.95, 0.8)
    assert spread([]) is None
    assert spread([0.4]) == spread([0.4, 0.4])
