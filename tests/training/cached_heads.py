"""Heads as the cache of the recipe mixed holds them, and lesions to paint onto them."""

from dataclasses import replace

import numpy as np

from tests.training.test_loop import a_patient
from training.augmentation.painted_lesions import Lesions
from training.cache import CachedPatient

IN_PLACE = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]], np.float64)  # x, y, z from k, r, c
CUBE = Lesions("patient03", np.ones((90, 120, 6), np.uint8), np.array([20.0, 20.0, 0.0]))


def a_head(name: str, kind: str) -> CachedPatient:
    """Even tissue with a bright tumor, or none, where MNI mm are columns, rows and slices."""
    patient = a_patient(name, 1)
    slices = np.full_like(patient.slices, 64)
    slices[patient.mask] = 150
    mask = patient.mask & (kind != "notumor")
    return replace(patient, slices=slices, mask=mask, kind=kind, to_mni=IN_PLACE)


LGG, BRATS, FREE = a_head("l", "lgg"), a_head("b", "brats"), a_head("n", "notumor")


def chance(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)
