"""The flag for pieces in several places: what gliomas look like never has it."""

from pathlib import Path

import numpy as np
import pytest

from model.inference.analysis import is_scattered
from model.inference.segmentation import Rules, fewest_voxels, without_specks
from model.measurement.findings import number_lesions
from model.reading.nifti import read_nifti
from training.datasets import find_cases, read_split


@pytest.mark.parametrize(
    ("sizes", "scattered"),
    [
        ((), False),
        ((5,), False),
        ((5, 5), False),  # two alone are no pattern
        ((75, 20, 5), False),
        ((74, 21, 5), True),
        ((50, 20, 20, 10), True),
    ],
)
def test_three_pieces_and_none_with_three_quarters(sizes: tuple[int, ...], scattered: bool) -> None:
    assert is_scattered(sizes) is scattered


def test_no_drawn_mask_of_development_is_scattered(shared_data: Path) -> None:
    cases = find_cases(shared_data / "lgg")
    names = read_split(shared_data / "lgg" / "split.json")["development"]
    assert len(names) == 85
    for name in names:
        drawn = read_nifti(cases[name].mask)
        fewest = fewest_voxels(drawn, Rules().smallest_mm3)
        mask = without_specks(drawn.voxels > 0, fewest).astype(np.uint8)
        sizes = np.bincount(number_lesions(mask, drawn.affine).ravel())[1:]
        assert not is_scattered(sizes.tolist()), name
