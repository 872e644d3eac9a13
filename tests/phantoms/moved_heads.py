"""Real heads moved: turned, shifted, and sampled on a new grid, as a later scan would be."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from model.geometry import inverse, move
from model.volume import Affine, MaskArray, Volume
from tests.phantoms.heads import Point, places

UPRIGHT: Point = (0, 0, 0)


@dataclass(frozen=True)
class Moved:
    """A volume as it was scanned again; motion: RAS mm of the first scan to those of this one."""

    volume: Volume
    motion: Affine


def middle(volume: Volume) -> NDArray[np.float64]:
    """RAS mm of the middle of the grid."""
    voxel = (np.array(volume.shape) - 1) / 2
    found: NDArray[np.float64] = volume.affine[:3, :3] @ voxel + volume.affine[:3, 3]
    return found


def scanned_again(
    volume: Volume, degrees: Point, shift: Point, spacing: Point | None = None
) -> Moved:
    """The head turned by `degrees` about x, y, z and shifted by mm, on a grid of `spacing` mm."""
    old = np.array(volume.spacing)
    new = old if spacing is None else np.array(spacing)
    shape = np.ceil(np.array(volume.shape) * old / new - 1e-3).astype(int)
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    motion[:3, 3] = middle(volume) + shift - motion[:3, :3] @ middle(volume)
    affine = np.eye(4)
    affine[:3, :3] = volume.affine[:3, :3] / old * new
    affine[:3, 3] = middle(volume) - affine[:3, :3] @ ((shape - 1) / 2)
    to_old = inverse(volume.affine) @ inverse(motion) @ affine
    voxels = ndimage.affine_transform(
        volume.voxels, to_old[:3, :3], to_old[:3, 3], tuple(shape), order=1, cval=0.0
    )
    return Moved(replace(volume, voxels=voxels.astype(np.float32), affine=affine), motion)


def ball(volume: Volume, centre: NDArray[np.float64], radius: float) -> MaskArray:
    """A ball of so many mm about a place in RAS mm, as a mask on the volume's grid."""
    away = np.linalg.norm(places(volume.shape, volume.affine) - centre, axis=-1)
    return np.asarray(away <= radius, np.uint8)


def with_ball(volume: Volume, centre: NDArray[np.float64], radius: float) -> Volume:
    """The volume with a bright ball in it, its rim 2 mm wide, as a lesion on FLAIR."""
    away = np.linalg.norm(places(volume.shape, volume.affine) - centre, axis=-1)
    share = np.clip(0.5 + (radius - away) / 2, 0, 1).astype(np.float32)
    head = volume.voxels[volume.voxels > np.percentile(volume.voxels, 50)]
    bright = np.float32(np.percentile(head, 98))
    return replace(volume, voxels=volume.voxels * (1 - share) + share * bright)


def moved_place(moved: Moved, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a place of the first scan lies in the second one, RAS mm."""
    return move(place[None], moved.motion).ravel()
