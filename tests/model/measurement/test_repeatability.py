"""How much a volume varies by chance: the numbers of the shipped weights, and their form."""

import math
from importlib import resources

import pytest

from model.inference.segmentation import Rules
from model.measurement.repeatability import (
    SHIPPED,
    Repeatability,
    load_repeatability,
    read_repeatability,
)
from model.weights_config import about_weights

THRESHOLD = Rules().threshold
VARIES = Repeatability(0.5, math.log(1.1), math.log(1.3), 0.5, "a")


def test_the_shipped_numbers_belong_to_the_shipped_weights_alone() -> None:
    """Where none were measured there are none; those of other weights are never shipped."""
    about = about_weights()
    assert about is not None
    shipped = load_repeatability(about.sha256, THRESHOLD)
    if (resources.files("model.weights") / SHIPPED).is_file():
        assert shipped is not None, "measure again: python -m tools.experiments.repeated_scans"
        assert 0 < shipped.alike <= shipped.other < math.log(3)
        assert shipped.offset_ml >= 0
    else:
        assert shipped is None
    assert load_repeatability("0" * 64, THRESHOLD) is None
    assert load_repeatability(about.sha256, THRESHOLD + 0.1) is None


@pytest.mark.parametrize("before", [0.0, 0.03, 1.0, 40.0])
def test_a_range_holds_the_volume_and_a_wider_one_the_narrower(before: float) -> None:
    low, high = VARIES.range_ml(before, made_alike=True)
    least, most = VARIES.range_ml(before, made_alike=False)
    assert 0 <= least <= low <= before < high < most


def test_small_volumes_vary_by_more_of_themselves() -> None:
    shares = [VARIES.range_ml(ml, made_alike=True)[1] / ml for ml in (0.1, 1.0, 10.0, 100.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(1.1, abs=0.001)


def test_what_the_experiment_writes_is_read() -> None:
    content = {"comment": "", **vars(VARIES)}
    assert read_repeatability(content) == VARIES
