"""The affine fit of a template of tissues to a head, and how good it is.

The template is moved until its tissues explain as much as they can of the scan's brightness:
the correlation ratio (Roche et al., MICCAI 1998), with soft tissues in place of labels. Nothing
is assumed about how bright a tissue is, so heads with and without skull can be fitted alike.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from model.head import head_mask
from model.points import Points, block_means, inverse, move
from model.volume import FloatArray, MaskArray, Scale, Volume

Wishes = NDArray[np.float64]  # (9,): shift in cm, turn in tenths of a radian, tenths of log size

CENTRE = np.array([0.0, -17.0, 8.0])  # of the template's brain, MNI mm
TOP = 82.0  # MNI mm, between the top of the brain and that of the head
LENGTH = 184.0  # mm from front to back, between brain and head
HEIGHT = 150.0  # mm that a scan of the whole head is taken to cover where mm are not declared
BRAIN = 3  # the first tissues: grey, white, and fluid within
COARSE, FINE = 4000, 8000  # points of the first fit and the last; they are in random order
WHITE = (
    1.0  # times the head's median: what is brighter counts as this, fat under the scalp above all
)
CELL = 3.0  # mm to which the scan is thinned out
UNSEEN = 1.0  # what a share of brain outside the scan costs
LEAST_SEEN = 0.5  # share of the template that must lie inside the scan
FREEDOM = 0.03  # how much a size costs that is a tenth larger or smaller than USUAL
USUAL = -0.8  # tenths of log size: heads are smaller than the template, which grew by averaging
BEGUN = 3  # guesses from which a fit is begun


@dataclass(frozen=True)
class Template:
    """points: (n, 3) in MNI mm, in random order; tissues: float32 (n, kinds), shares in [0, 1]."""

    points: Points
    tissues: NDArray[np.float32]


@dataclass(frozen=True)
class HeadFit:
    """matrix: 4x4 from MNI mm to the scan's RAS mm; score: share of brightness explained."""

    matrix: Points
    score: float

    def to_template(self, points: Points) -> Points:
        """Points (n, 3) in the scan's RAS mm as MNI mm."""
        return move(points, inverse(self.matrix))


@dataclass(frozen=True)
class _Thinned:
    """A scan on a coarse grid: brightness in [0, 1], and how much of it counts (no lesion)."""

    bright: FloatArray
    counts: FloatArray
    to_voxels: Points


def fit_head(volume: Volume, lesion: MaskArray, template: Template) -> HeadFit | None:
    """Fit the template to a volume; what the mask marks does not count. None for an empty scan."""
    thin = _thinned(volume, lesion)
    head = np.argwhere(head_mask(thin.bright))
    if len(head) < 100:
        return None
    start = _start(move(head, inverse(thin.to_voxels)), volume.scale)
    cost = _Cost(thin, template, start)
    coarse, fine = cost.of_first(COARSE), cost.of_first(FINE)
    guesses = sorted(_guesses(volume.scale), key=coarse)[:BEGUN]
    wishes = _smallest(fine, min((_smallest(coarse, guess) for guess in guesses), key=fine))
    return HeadFit(_matrix(wishes, start), cost.explained(wishes))


def _smallest(cost: "_Cost", guess: Wishes) -> Wishes:
    """Where the cost is smallest near a guess (Powell 1964)."""

    def value(wishes: Wishes) -> float:
        return cost(wishes)

    found = minimize(value, guess, method="Powell", options={"ftol": 1e-3, "xtol": 1e-2})
    return np.asarray(found.x)


def _guesses(scale: Scale) -> list[Wishes]:
    """Where the fit may begin: nodding, higher or lower, and stretched if mm are not declared."""
    heights = (0.0,) if scale is Scale.DECLARED else (-2.0, 0.0, 2.0)
    return [
        np.array([0, 0, up, nod, 0, 0, USUAL, USUAL, USUAL + tall])
        for nod, up, tall in product((-3.0, -1.5, 0.0, 1.5, 3.0), (-3, -1.5, 0, 1.5, 3), heights)
    ]


def _start(head: Points, scale: Scale) -> tuple[Points, Points]:
    """The template's middle in the scan's RAS mm, and its first sizes along R, A and S."""
    low, high = np.percentile(head, 1, axis=0), np.percentile(head, 99.5, axis=0)
    sizes = np.ones(3)
    if scale is not Scale.DECLARED:
        sizes[:2] = (high[1] - low[1]) / LENGTH
        sizes[2] = (high[2] - low[2]) / HEIGHT
    middle = (low + high) / 2
    middle[2] = high[2] - (TOP - CENTRE[2]) * sizes[2]
    return middle, sizes


def _matrix(wishes: Wishes, start: tuple[Points, Points]) -> Points:
    middle, sizes = start
    matrix = np.eye(4)
    turn = Rotation.from_euler("xyz", wishes[3:6] * 0.1).as_matrix()
    matrix[:3, :3] = np.diag(sizes) @ turn @ np.diag(np.exp(0.1 * wishes[6:]))
    matrix[:3, 3] = middle + sizes * 10 * wishes[:3] - matrix[:3, :3] @ CENTRE
    return matrix


class _Cost:
    """What a fit tries to make small: brightness not explained, plus odd sizes."""

    def __init__(self, thin: _Thinned, template: Template, start: tuple[Points, Points]) -> None:
        self._thin, self._template, self._start = thin, template, start
        self._brain = template.tissues[:, :BRAIN].sum(axis=1)

    def of_first(self, count: int) -> "_Cost":
        """The same with the first points alone."""
        some = Template(self._template.points[:count], self._template.tissues[:count])
        return _Cost(self._thin, some, self._start)

    def __call__(self, wishes: Wishes) -> float:
        odd = FREEDOM * float(((wishes[6:] - USUAL) ** 2).sum())
        at = self._places(wishes)
        size = np.array(self._thin.bright.shape)[:, None]
        outside = ((at < -0.5) | (at > size - 0.5)).any(axis=0) @ self._brain
        return 1 - self._explained(at) + odd + UNSEEN * float(outside / self._brain.sum())

    def explained(self, wishes: Wishes) -> float:
        """Share of the brightness' variance that lies between the tissues."""
        return self._explained(self._places(wishes))

    def _places(self, wishes: Wishes) -> Points:
        """Where the template's points lie on the scan: (3, n) in voxels."""
        matrix = self._thin.to_voxels @ _matrix(wishes, self._start)
        return move(self._template.points, matrix).T

    def _explained(self, at: Points) -> float:
        bright, counts = (
            ndimage.map_coordinates(each, at, order=1, output=np.float32, mode="constant", cval=0)
            for each in (self._thin.bright, self._thin.counts)
        )
        if counts.mean() < LEAST_SEEN:
            return 0.0
        shares = self._template.tissues * counts[:, None]
        total = float(shares.sum())
        mean = float((shares * bright[:, None]).sum()) / total
        spread = float((shares * (bright[:, None] - mean) ** 2).sum())
        sizes = shares.sum(axis=0) + 1e-6
        means = (shares * bright[:, None]).sum(axis=0) / sizes
        return float((sizes * (means - mean) ** 2).sum()) / (spread + 1e-6)


def _thinned(volume: Volume, lesion: MaskArray) -> _Thinned:
    """The scan on cells of about CELL mm, or what is that in a head of unknown size."""
    levels = volume.levels
    white = np.float32(WHITE * levels.middle or 1.0)
    sizes = np.round(CELL / np.array(volume.spacing)).astype(int)

    def shade(voxels: FloatArray) -> FloatArray:
        shares = levels.bright(voxels)
        shares /= white
        return np.minimum(shares, np.float32(1), out=shares)

    smooth, affine = block_means(volume.voxels, volume.affine, sizes, shade)
    marked, _ = block_means(lesion, volume.affine, sizes)
    near = ndimage.binary_dilation(marked > 0, np.ones((3, 3, 3), bool))
    return _Thinned(smooth, np.where(near, 0, 1).astype(np.float32), inverse(affine))
