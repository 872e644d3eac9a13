"""Quick ways of doing what a library does slowly come to the same."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.outputs.overlay import save_png
from model.geometry import block_means
from model.inference.preprocessing import Resampling, weights
from model.intensity import brightness, head_mask, levels_of
from model.registration.head_atlas import HeadCost, Template, Thinned

CHANCE = np.random.default_rng(3)


def stacks() -> dict[str, np.ndarray]:
    noise = CHANCE.gamma(2, 50, (40, 90, 80))
    head = np.zeros((40, 90, 80))
    head[5:35, 20:70, 15:60] = 100 + 30 * CHANCE.normal(size=(30, 50, 45))
    misleading = np.zeros(1_000_000)
    misleading[1::5] = CHANCE.uniform(50, 90, 200_000)  # every fifth voxel is sampled: no such one
    return {
        "noise": noise,
        "whole numbers": np.round(noise / 10),
        "head in air": head,
        "scored": np.where(head > 0, head - 100, -3.2),
        "one value": np.full((3, 4, 5), 7.0),
        "tiny": np.arange(12.0).reshape(1, 3, 4),
        "not as its sample": misleading.reshape(100, 100, 100),
    }


@pytest.mark.parametrize("name", list(stacks()))
def test_levels_are_the_order_statistics_of_all_voxels(name: str) -> None:
    stack = stacks()[name].astype(np.float32)
    levels, bright = levels_of(stack), brightness(stack)
    head = head_mask(bright)
    assert np.array_equal(levels.bright(stack), bright)
    assert np.array_equal(levels.head(stack), head)
    lit = bright[head] if head.any() else np.zeros(1)
    assert levels.middle == pytest.approx(float(np.median(lit)), rel=1e-6)
    assert levels.white == pytest.approx(float(np.percentile(lit, 99.5)), rel=1e-3)
    assert levels_of(np.asfortranarray(stack)) == levels


@pytest.mark.parametrize("made", [(1, 1), (13, 7), (64, 61), (90, 200)])
def test_resampling_is_that_of_pillow(made: tuple[int, int]) -> None:
    picture = CHANCE.random((64, 61), np.float32)
    wanted = Image.fromarray(picture).resize(made[::-1], Image.Resampling.BILINEAR)
    found = Resampling(weights(64, made[0]), weights(61, made[1]))(picture)
    assert np.abs(found - np.asarray(wanted)).max() < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (37, 21)])
def test_a_png_has_the_same_pixels(size: tuple[int, int], tmp_path: Path) -> None:
    pixels = CHANCE.integers(0, 256, (*size, 3)).astype(np.uint8)
    save_png(Image.fromarray(pixels), tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as opened:
        assert opened.mode == "RGB"
        assert np.array_equal(np.asarray(opened), pixels)


def test_block_means_do_not_depend_on_the_order_of_storage() -> None:
    voxels = CHANCE.normal(size=(21, 30, 17)).astype(np.float32)
    sizes = np.array([4, 3, 5])
    means, affine = block_means(voxels, np.eye(4), sizes)
    other, _ = block_means(np.asfortranarray(voxels), np.eye(4), sizes)
    assert np.array_equal(means, other)
    assert means[1, 2, 0] == pytest.approx(voxels[4:8, 6:9, 1:6].mean(), abs=1e-6)
    assert affine[:3, 3].tolist() == [1.5, 1.0, 3.0]


def test_the_slope_of_a_fit_is_that_of_its_cost() -> None:
    places = np.indices((30, 36, 28)).transpose(1, 2, 3, 0)
    bright = (0.5 + 0.4 * np.sin(places / 4).prod(axis=-1)).astype(np.float32)
    counts = np.ones_like(bright)
    points = CHANCE.uniform(2, 25, (4000, 3))
    cost = HeadCost(
        Thinned(bright, counts, np.eye(4)), Template(points, CHANCE.random((4000, 5), np.float32))
    )
    matrix = np.eye(4)
    matrix[:3, 3] = 0.3, -0.2, 0.4
    slope = cost(matrix)[1]
    for row, column in ((0, 3), (1, 0), (2, 2)):
        step = np.zeros((4, 4))
        step[row, column] = 1e-2 if column == 3 else 1e-3
        rise = (cost(matrix + step)[0] - cost(matrix - step)[0]) / (2 * step.max())
        assert slope[row, column] == pytest.approx(rise, rel=0.05, abs=2e-4)
