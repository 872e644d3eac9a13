"""Slices as uploaded pictures: JPEG as it is known, the head fills the window, the mask follows."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from model.weights_config import PICTURE_FILL
from tests.training.cached_heads import chance
from tests.training.test_loop import COLUMNS, ROWS
from training.augmentation.uploaded_pictures import as_picture, compressed


def a_disc() -> NDArray[np.float32]:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    inside = ((y - 70) / 50) ** 2 + ((x - 60) / 40) ** 2 < 1
    return np.where(inside, 0.25, 0).astype(np.float32)


def test_jpeg_of_high_quality_changes_little_and_of_low_quality_more() -> None:
    picture = a_disc() * chance().uniform(0.8, 1.2, (ROWS, COLUMNS)).astype(np.float32)
    errors = [float(abs(compressed(picture, quality) - picture).mean()) for quality in (99, 75, 30)]
    assert errors[0] < 0.002
    assert errors == sorted(errors)


def test_an_uploaded_head_fills_the_window_and_its_tumor_goes_with_it() -> None:
    picture = a_disc()
    picture[60:70, 55:65] = 0.9
    mask = (picture > 0.5).astype(np.float32)
    extents, bright = [], []
    for seed in range(30):
        seen, drawn = as_picture(picture, mask, chance(seed))
        assert seen.shape == drawn.shape == picture.shape
        assert 0 <= float(seen.min()) <= float(seen.max()) <= 1
        extents.append(np.flatnonzero((seen > 0.1).mean(axis=1) > 0.1).size / ROWS)
        around = ndimage.binary_dilation(drawn > 0, iterations=6) & (drawn == 0)
        bright.append(float(seen[drawn > 0].mean() / np.median(seen[around])))
    assert np.median(extents) == pytest.approx(PICTURE_FILL, abs=0.03)
    assert np.percentile(bright, 10) > 2
    assert min(bright) > 1.2  # a small head in a wide bright frame
