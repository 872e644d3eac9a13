"""Augmentation: only the pictures that were chosen change, and nothing shines beside a tumor."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from training.augmentation import transforms
from training.augmentation.transforms import augment as augmented
from training.augmentation.transforms import other_scanner

TISSUE = torch.full((8, 3, 96, 80), 0.3)
MASKS = torch.zeros(8, 1, 96, 80)
MASKS[:, :, 40:60, 30:50] = 1


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_islands_shine_in_the_chosen_pictures_away_from_the_tumor() -> None:
    assert torch.equal(transforms._islands(TISSUE, MASKS, 0.0, chance()), TISSUE)
    some = transforms._islands(TISSUE, MASKS, 0.4, chance())
    changed = (some != TISSUE).flatten(1).any(1)
    assert 0 < int(changed.sum()) < len(changed)
    assert (some >= TISSUE).all()
    beside = functional.max_pool2d(MASKS, 11, 1, 5).bool().expand_as(some)
    assert torch.equal(some[beside], TISSUE[beside])
    assert torch.equal(transforms._islands(TISSUE, MASKS, 1.0, chance())[changed], some[changed])


@pytest.mark.parametrize("width", [5, 15])
def test_rows_then_columns_find_what_the_whole_square_holds(width: int) -> None:
    values = torch.randn(2, 1, 30, 40, generator=chance())
    whole = functional.max_pool2d(values, width, 1, width // 2)
    assert torch.equal(transforms.widened(values, width), whole)


def test_the_same_generator_gives_the_same_batch_and_leaves_its_input_alone() -> None:
    images, masks = TISSUE.clone(), MASKS.clone()
    first, second = augmented(images, masks, chance()), augmented(images, masks, chance())
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(images, TISSUE)
    assert torch.equal(masks, MASKS)


def test_another_scanner_keeps_order_and_the_heads_median() -> None:
    values = np.linspace(0, 1, 101, dtype=np.float32)
    changed = other_scanner(values, np.random.default_rng(1))
    assert (np.diff(changed) >= 0).all()
    assert changed[25] == pytest.approx(0.25, abs=1e-6)
    assert not np.allclose(changed, values, atol=0.02)
