"""A head as if it were scanned once more: lying elsewhere, with noise, shades, other voxels."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from model.volume import FloatArray, Upright, Volume

BLUR = 0.425  # standard deviation of a Gaussian, of its full width at half its height


@dataclass(frozen=True)
class Retake:
    """How the second scan differs from the first.

    turned: degrees about R, A and S; shifted: voxels of the first along them; noise: standard
    deviation, of the head's median; shaded: by how much the sensitivity of the coil goes up and
    down over the head, as a share; contrast: power to which the brightness is raised, in multiples
    of the head's median, much as another echo time changes it; pixels, slices: the spacing in and
    across the axial plane, in multiples of the first.
    """

    turned: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shifted: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 0.0
    shaded: float = 0.0
    contrast: float = 1.0
    pixels: float = 1.0
    slices: float = 1.0

    @property
    def moves(self) -> bool:
        """Whether the grid lies elsewhere, so that the voxels are others."""
        still = (0.0, 0.0, 0.0)
        return (self.turned, self.shifted, self.pixels, self.slices) != (still, still, 1.0, 1.0)


def scanned_again(
    volume: Volume, how: Retake, thickness: float, random: np.random.Generator
) -> Volume:
    """The head on a new grid, upright, with as much of it in view.

    thickness: distance of the slices in units of the other spacings, for files that do not tell it.
    What lies outside the first scan is background.
    """
    grid = Upright.of(volume.shape, volume.affine)
    upright = replace(volume, voxels=grid.turn(volume.voxels), affine=grid.affine)
    again = _on_new_grid(upright, how, thickness) if how.moves else upright
    voxels, levels = again.voxels, volume.levels
    if how.contrast != 1.0 and levels.middle > 0:
        middle = np.float32(levels.middle)
        voxels = levels.air + middle * (levels.bright(voxels) / middle) ** np.float32(how.contrast)
    if how.shaded:
        voxels = _shaded(voxels, float(levels.air), how.shaded, random)
    if how.noise:
        sigma = how.noise * levels.middle
        inside = voxels > levels.air + np.float32(0.01 * levels.middle)
        noise = random.normal(0, sigma, voxels.shape).astype(np.float32)
        voxels = np.where(inside, np.maximum(voxels + noise, levels.air), voxels)
    return replace(again, voxels=np.asfortranarray(voxels, np.float32))


def _on_new_grid(upright: Volume, how: Retake, thickness: float) -> Volume:
    """Cubic splines between the voxels; where the new ones are larger, a mean over them."""
    unit = np.array([1.0, 1.0, thickness])
    factors = np.array([how.pixels, how.pixels, how.slices])
    shape = np.array(upright.shape)
    made = np.maximum(np.ceil(shape / factors), 1).astype(int)
    turn = Rotation.from_euler("xyz", how.turned, degrees=True).as_matrix()
    matrix = (turn * (unit * factors)) / unit[:, None]  # new voxels to those of the first
    middle = (shape - 1) / 2 + np.array(how.shifted)
    offset = middle - matrix @ ((made - 1) / 2)
    blurred = ndimage.gaussian_filter(upright.voxels, BLUR * np.sqrt(factors**2 - 1))
    least, most = float(upright.voxels.min()), float(upright.voxels.max())
    cut = ndimage.affine_transform(
        blurred, matrix, offset, tuple(made), order=3, mode="grid-constant", cval=least
    )
    affine = upright.affine.copy()
    affine[:3, :3] = upright.affine[:3, :3] * factors
    affine[:3, 3] += upright.affine[:3, :3] @ ((shape - 1) / 2 - factors * (made - 1) / 2)
    return replace(upright, voxels=np.clip(cut, least, most).astype(np.float32), affine=affine)


def _shaded(
    voxels: FloatArray, air: float, share: float, random: np.random.Generator
) -> FloatArray:
    """Brightness above the air times a smooth field between 1 / (1 + share) and 1 + share."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in voxels.shape), indexing="ij", sparse=True)
    terms = [*axes, *(axis**2 for axis in axes), axes[0] * axes[1], axes[1] * axes[2]]
    field: NDArray[np.float64] = np.zeros(voxels.shape)
    for term, weight in zip(terms, random.normal(size=len(terms)), strict=True):
        field += weight * term
    field -= (field.max() + field.min()) / 2
    gain = np.exp(np.log1p(share) * field / max(float(np.abs(field).max()), 1e-6))
    return np.asarray((voxels - air) * gain + air, np.float32)
