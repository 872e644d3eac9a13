"""Painted lesions brighten tissue, keep clear of tumor, and are of nobody who is put aside."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.training.cached_heads import CUBE, LGG, chance
from training.augmentation.painted_lesions import LESIONS, load_lesions, paint
from training.cache import CachedPatient
from training.preparation import save_cache


def painted(patient: CachedPatient) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The slices 2 to 4 before and after."""
    around = np.array([2, 3, 4])
    image = patient.slices[around].astype(np.float32) / np.float32(255)
    results = (paint(image, around, patient, CUBE, chance(seed)) for seed in range(9))
    return image, max(results, key=lambda result: float(result.sum()))


def test_lesions_brighten_tissue_and_keep_clear_of_tumor() -> None:
    image, after = painted(LGG)
    assert float((after - image).min()) >= 0
    assert float((after - image)[:, 30:50, 30:100].max()) > 0.03
    near = np.zeros(image.shape, bool)
    near[:, 56:94, 46:84] = True  # the tumor is rows 60 to 90, columns 50 to 80
    assert np.array_equal(after[near], image[near])


def test_nothing_is_painted_on_a_head_of_unknown_place() -> None:
    image, after = painted(replace(LGG, to_mni=np.full((3, 4), np.nan)))
    assert np.array_equal(after, image)


def test_lesions_of_a_person_put_aside_are_left_out(tmp_path: Path) -> None:
    arrays: dict[str, NDArray[np.generic]] = {}
    for name in ("patient03", "patient19"):
        arrays[f"{LESIONS}/{name}/drawn"] = CUBE.drawn
        arrays[f"{LESIONS}/{name}/corner"] = CUBE.corner
    save_cache(arrays, tmp_path / "cache.npz")
    kept = load_lesions(tmp_path / "cache.npz", frozenset({"openms_cross_19"}))
    assert [lesions.patient for lesions in kept] == ["patient03"]
    assert np.array_equal(kept[0].drawn, CUBE.drawn)
