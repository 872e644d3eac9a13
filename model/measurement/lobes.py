"""In which lobes a lesion lies, by a coarse atlas of landmarks that is fitted to the head.

The atlas (`lobes.npz`, made by tools/atlas_makers/lobe_atlas.py) draws the lobes with straight
lines in MNI space; MODEL_CARD.md tells how far off that is. "deep" is the grey matter inside the
hemispheres with the insula; "posterior fossa" is cerebellum and brain stem.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.geometry import move
from model.measurement.findings import number_lesions
from model.registration.head_atlas import Template, fit_head
from model.volume import MaskArray, Scale, Volume

LOBES = ("frontal", "parietal", "temporal", "occipital", "deep", "posterior fossa")
ATLAS = Path(__file__).parent / "lobes.npz"
LEAST_SCORE = 0.68  # of a fit that is believed; MODEL_CARD.md tells what heads reach


@dataclass(frozen=True)
class Lobes:
    """score: how well the head was fitted, 0 to 1; shares: of each lesion, in the order of
    `number_lesions`, per cent of its voxels in each lobe that it touches, the largest first;
    None where the fit is not believed."""

    score: float
    shares: tuple[dict[str, float] | None, ...]


@dataclass(frozen=True)
class Labels:
    """uint8 (i, j, k): number of the lobe at origin + step * index, in MNI mm."""

    lobes: NDArray[np.uint8]
    origin: NDArray[np.float64]
    step: float

    def at(self, points: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The lobe at points (n, 3) in MNI mm; outside the labels the nearest."""
        index = np.rint((points - self.origin) / self.step).astype(int)
        index = np.clip(index, 0, np.array(self.lobes.shape) - 1)
        return np.asarray(self.lobes[tuple(index.T)])


def lobes_of(volume: Volume, mask: MaskArray) -> Lobes | None:
    """The lobes of each lesion of a mask on the volume's grid; None where no head can be fitted.

    Not for pictures and few slices, nor where the sides or the scale are unknown.
    """
    if volume.is_picture or volume.scale is Scale.UNKNOWN or not volume.sides_known:
        return None
    numbered = number_lesions(mask, volume.affine)
    count = int(numbered.max())
    if not count:
        return None
    template, labels = load_atlas()
    fit = fit_head(volume, mask, template)
    if fit is None:
        return None
    if fit.score < LEAST_SCORE:
        return Lobes(fit.score, (None,) * count)
    places = np.argwhere(numbered)
    points = move(places, volume.affine)
    lobes = labels.at(fit.to_template(points))
    own = numbered[tuple(places.T)]
    return Lobes(fit.score, tuple(_shares(lobes[own == n]) for n in range(1, count + 1)))


def _shares(lobes: NDArray[np.uint8]) -> dict[str, float]:
    counts = np.bincount(lobes, minlength=len(LOBES))
    order = np.argsort(-counts, kind="stable")
    shares = {LOBES[n]: round(100 * float(counts[n]) / len(lobes), 1) for n in order}
    return {name: share for name, share in shares.items() if share}


@lru_cache(maxsize=1)
def load_atlas() -> tuple[Template, Labels]:
    """The shipped atlas: what a head is fitted to, and the labels."""
    with np.load(ATLAS, allow_pickle=False) as stored:
        tissues = stored["tissues"].astype(np.float32) / 255
        template = Template(stored["points"].astype(np.float64), tissues)
        origin = stored["label_origin"].astype(np.float64)
        return template, Labels(stored["labels"], origin, float(stored["label_step"]))
