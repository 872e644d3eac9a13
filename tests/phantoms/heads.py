"""Phantoms of known size and place: ellipsoids and heads in any grid, in all 48 storage orders."""

from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any, TypeVar

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from model.volume import Affine, Kind, MaskArray, Note, Scale, Volume

Shape = tuple[int, int, int]
Point = tuple[float, float, float]
Voxels = TypeVar("Voxels", bound=np.generic)

HEAD_SHAPE: Shape = (44, 54, 30)
HEAD_SPACING: Point = (4.0, 4.0, 5.0)
HEAD_RADII = np.array([68.0, 88.0, 66.0])
SKULL, BRAIN, LESION = 60.0, 100.0, 230.0


@dataclass(frozen=True)
class Stored:
    """One of the 48 ways to store a volume: new axis n is the old axis order[n], maybe flipped."""

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def apply(self, voxels: NDArray[Voxels], affine: Affine) -> tuple[NDArray[Voxels], Affine]:
        """The same volume in this order, with the affine under which the world stays put."""
        flipped = tuple(axis for axis in range(3) if self.flips[axis])
        turned = np.ascontiguousarray(np.flip(voxels.transpose(self.order), flipped))
        to_old = np.zeros((4, 4))
        to_old[3, 3] = 1
        for new, (old, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            to_old[old, new] = -1 if flip else 1
            to_old[old, 3] = turned.shape[new] - 1 if flip else 0
        return turned, affine @ to_old


ORDERS = tuple(
    Stored(order, flips)  # type: ignore[arg-type]
    for order in permutations(range(3))
    for flips in product((False, True), repeat=3)
)


def grid(
    shape: Shape, spacing: Point, centre: Point = (0, 0, 0), degrees: Point = (0, 0, 0)
) -> Affine:
    """Voxels to RAS mm: axes R, A, S turned by `degrees` about x, y, z, the middle at `centre`."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.diag(spacing)
    affine[:3, 3] = np.array(centre) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def places(shape: Shape, affine: Affine) -> NDArray[np.float64]:
    """RAS mm of every voxel's middle: (i, j, k, 3)."""
    voxels = np.moveaxis(np.indices(shape), 0, -1)
    mm: NDArray[np.float64] = voxels @ affine[:3, :3].T + affine[:3, 3]
    return mm


def ellipsoid(shape: Shape, affine: Affine, centre: Point, radii: Point) -> MaskArray:
    """uint8 0/1: voxels whose middle lies inside the ellipsoid, in RAS mm."""
    away = (places(shape, affine) - centre) / radii
    mask: MaskArray = ((away**2).sum(axis=-1) <= 1).astype(np.uint8)
    return mask


def sphere(shape: Shape, affine: Affine, centre: Point, radius: float) -> MaskArray:
    """uint8 0/1: voxels whose middle lies inside the sphere, in RAS mm."""
    return ellipsoid(shape, affine, centre, (radius, radius, radius))


@dataclass(frozen=True)
class Head:
    """A head in air with a bright lesion; `lesion` is the mask of it on the same grid."""

    voxels: NDArray[np.float32]
    lesion: MaskArray
    affine: Affine

    def stored(self, order: Stored) -> "Head":
        """The same head in another storage order."""
        voxels, affine = order.apply(self.voxels, self.affine)
        lesion, _ = order.apply(self.lesion, self.affine)
        return Head(voxels, lesion, affine)

    def volume(self, **changed: Any) -> Volume:
        """The head as a reader would give it."""
        fields: dict[str, Any] = {
            "voxels": self.voxels,
            "affine": self.affine,
            "kind": Kind.NIFTI,
            "scale": Scale.DECLARED,
            "sides_known": True,
        }
        return Volume(**(fields | changed))


def head(
    lesion: Point = (30, 20, 10),
    radius: float = 18,
    centre: Point = (0, 0, 0),
    shape: Shape = HEAD_SHAPE,
    spacing: Point = HEAD_SPACING,
    degrees: Point = (0, 0, 0),
) -> Head:
    """Skull, brain with noise, and a spherical lesion at `lesion` mm from the head's centre."""
    affine = grid(shape, spacing, centre, degrees)
    mm = places(shape, affine) - centre
    outer = ((mm / HEAD_RADII) ** 2).sum(axis=-1) <= 1
    inner = ((mm / (HEAD_RADII - 9)) ** 2).sum(axis=-1) <= 1
    marked = ((mm - lesion) ** 2).sum(axis=-1) <= radius**2
    noise = np.random.default_rng(7).normal(0, 4, shape)
    voxels = np.where(marked, LESION, np.where(inner, BRAIN, SKULL)) + noise
    return Head(np.where(outer, voxels, 0).astype(np.float32), marked.astype(np.uint8), affine)


def write_nifti(path: Path, voxels: NDArray[Any], affine: Affine | None, unit: str = "mm") -> Path:
    """A NIfTI-1 file with sform and qform; without an affine, with neither."""
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units(unit)
    if affine is not None:
        image.set_sform(affine, "scanner")
        image.set_qform(affine, "scanner", strip_shears=True)
    image.to_filename(path)
    return path


def codes(notes: tuple[Note, ...]) -> list[str]:
    """The doubts' codes alone."""
    return [note.code for note in notes]
