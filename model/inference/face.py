"""A head without its face: what lies in front of and below the brain, and the ears, becomes air.

The way is that of Quickshear (Schimke and Hale, 2011) and of the atlas-based tools (Bischoff-Grethe
et al., Hum Brain Mapp 2007): the head atlas is laid on the head, and its planes say where a face
lies. What lies near the brain or the mask always stays, so the cut follows the brain, not the skin.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.catalogue import text
from model.errors import GliowatchError
from model.geometry import Points, inverse, move
from model.measurement.lobes import LEAST_SCORE, load_atlas
from model.registration.head_atlas import BRAIN, HeadFit, fit_head
from model.volume import FloatArray, MaskArray, Scale, Volume

MARGIN_MM = 9.0  # around the atlas' brain, and around the mask: nothing is taken away there
SURELY_BRAIN = 0.3  # share of grey, white and fluid that makes a point of the atlas brain
STEP_MM = 2.0  # of the grid on which the distance from the brain is kept
ROOM_MM = 60.0  # around the brain, on that grid
LOWER_MM = 16.0  # how far below the atlas' brain the head's own may still lie
SCALP_MM, BARE = (10.0, 20.0), 0.9  # where the scalp lies, and how much of it one value fills
SLICES_LOOKED_AT = 40
LEAST_INSIDE = 0.9  # share of the mask that must lie in the atlas' brain: else the fit is wrong
# MNI mm (A, S): the face lies in front of the line through these, behind the last one's A below it
BROW, PALATE, THROAT = (62.0, 18.0), (18.0, -45.0), (10.0, -60.0)
EAR_R, EAR_A, EAR_S = 72.0, (-60.0, 25.0), 5.0  # beyond this on both sides, between, and below


class FaceError(GliowatchError):
    """It is not sure where the face is, so the head must not leave; the sentence says why."""


@dataclass(frozen=True)
class Defaced:
    """volume: without the face; had_face: False for a stripped head, which is as it was."""

    volume: Volume
    had_face: bool


def without_face(volume: Volume, mask: MaskArray) -> Defaced:
    """The head with air where its face was; the same volume of a stripped head.

    mask: on the volume's grid; it and MARGIN_MM around it stay. Raises FaceError where it is not
    sure where the face is.
    """
    if volume.is_picture or volume.scale is Scale.UNKNOWN or not volume.sides_known:
        raise FaceError(text("face.no_volume"))
    template, _ = load_atlas()
    fit = fit_head(volume, mask, template)
    if fit is None or fit.score < LEAST_SCORE:
        raise FaceError(text("face.no_fit"))
    if _is_stripped(volume, fit):
        return Defaced(volume, had_face=False)
    if volume.scale is not Scale.DECLARED:  # the fit is then unsure of heights, by 30 mm at worst
        raise FaceError(text("face.no_scale"))
    if mask.any() and _share_in_brain(volume, mask, fit) < LEAST_INSIDE:
        raise FaceError(text("face.mask_outside"))
    face = face_of(volume, mask, fit)
    voxels = volume.voxels.copy(order="K")
    voxels[face] = volume.levels.air
    return Defaced(replace(volume, voxels=voxels), had_face=True)


def face_of(volume: Volume, mask: MaskArray, fit: HeadFit) -> NDArray[np.bool_]:
    """Which voxels are taken away: bool, on the volume's grid."""
    face = np.zeros(volume.shape, np.bool_)
    to_template = inverse(fit.matrix) @ volume.affine
    brain = brain_distance()
    for index in range(volume.shape[2]):  # slice by slice, so that memory stays small
        places = _places(volume.shape[:2], index)
        points = move(places, to_template)
        taken = _before_brain(points) & (brain.at(points) > MARGIN_MM)
        face[:, :, index] = taken.reshape(volume.shape[:2])
    if mask.any():
        sizes = MARGIN_MM / np.linalg.norm(to_template[:3, :3], axis=0)
        away = ndimage.distance_transform_edt(mask == 0, sampling=1 / sizes)
        face &= away > 1
    return face


def _places(shape: tuple[int, ...], index: int) -> Points:
    """The voxel indices of a slice, (n, 3)."""
    i, j = np.indices(shape).reshape(2, -1)
    return np.stack([i, j, np.full_like(i, index)], axis=1).astype(np.float64)


def _before_brain(points: Points) -> NDArray[np.bool_]:
    """Whether points in MNI mm lie in front of and below the brain, or at an ear."""
    right, front, up = points.T
    heights, fronts = zip(*((s, a) for a, s in (THROAT, PALATE, BROW)), strict=True)
    face = (front > np.interp(up, heights, fronts)) & (up < BROW[1])
    ears = (np.abs(right) > EAR_R) & (up < EAR_S) & (front > EAR_A[0]) & (front < EAR_A[1])
    return np.asarray(face | ears)


def _is_stripped(volume: Volume, fit: HeadFit) -> bool:
    """Whether nothing but one value lies where skull and scalp are, above ears and brows."""
    to_template = inverse(fit.matrix) @ volume.affine
    brain = brain_distance()
    around = []
    for index in range(0, volume.shape[2], max(1, volume.shape[2] // SLICES_LOOKED_AT)):
        points = move(_places(volume.shape[:2], index), to_template)
        away = brain.at(points)
        shell = (away > SCALP_MM[0]) & (away < SCALP_MM[1]) & (points[:, 2] > BROW[1])
        around.append(volume.voxels[:, :, index].reshape(-1)[shell])
    _, counts = np.unique(np.concatenate(around), return_counts=True)
    return bool(counts.size and counts.max() >= BARE * counts.sum())


def _share_in_brain(volume: Volume, mask: MaskArray, fit: HeadFit) -> float:
    points = fit.to_template(move(np.argwhere(mask), volume.affine))
    return float((brain_distance().at(points) <= MARGIN_MM).mean())


@dataclass(frozen=True)
class BrainDistance:
    """How far from the atlas' brain, mm: float32 (i, j, k) at origin + STEP_MM * index, MNI mm."""

    mm: FloatArray
    origin: Points

    def at(self, points: Points) -> NDArray[np.float64]:
        """The distance at points (n, 3) in MNI mm; outside the grid that at its rim."""
        places = (points - self.origin) / STEP_MM
        found = ndimage.map_coordinates(self.mm, places.T, order=1, mode="nearest")
        return np.asarray(found, np.float64)


@lru_cache(maxsize=1)
def brain_distance() -> BrainDistance:
    """The distance from the brain of the shipped atlas, and from where it may be lower down."""
    template, _ = load_atlas()
    brain = template.points[template.tissues[:, :BRAIN].sum(axis=1) > SURELY_BRAIN]
    origin = brain.min(axis=0) - ROOM_MM
    shape = np.ceil((brain.max(axis=0) + ROOM_MM - origin) / STEP_MM).astype(int) + 1
    away = np.ones(shape, np.bool_)
    for lower in np.arange(0.0, LOWER_MM + 1, STEP_MM):
        places = np.rint((brain - (0, 0, lower) - origin) / STEP_MM).astype(int)
        away[tuple(places.T)] = False
    mm = ndimage.distance_transform_edt(away, sampling=STEP_MM)
    return BrainDistance(np.asarray(mm, np.float32), origin)
