"""The affine fit of an atlas of tissues to a head, and how good it is.

The measure is the correlation ratio (Roche et al., MICCAI 1998) with soft tissues in place of
labels; its slope is worked out beside it, so that few places need be tried.

The template is moved until its tissues explain as much as they can of the scan's brightness
(`model/registration/head_atlas.py`). Nothing is assumed about how bright a tissue is, so heads with
and without skull can be fitted alike.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize

from model.geometry import Points, block_means, inverse, move
from model.intensity import FloatArray, head_mask
from model.volume import MaskArray, Scale, Volume

BRAIN = 3  # the first tissues: grey, white, and fluid within
UNSEEN = 1.0  # what a share of brain outside the scan costs
LEAST_SEEN = 0.5  # share of the template that must lie inside the scan
EMPTY = 1e-6  # what a tissue without a voxel counts as

CORNERS = np.array(list(product((0, 1), repeat=3)))


@dataclass(frozen=True)
class Template:
    """points: (n, 3) in MNI mm, in random order; tissues: float32 (n, kinds), shares in [0, 1]."""

    points: Points
    tissues: NDArray[np.float32]

    def first(self, count: int) -> "Template":
        """The same with the first points alone."""
        return Template(self.points[:count], self.tissues[:count])


@dataclass(frozen=True)
class Thinned:
    """A scan on a coarse grid: brightness in [0, 1], and how much of it counts (no lesion)."""

    bright: FloatArray
    counts: FloatArray
    to_voxels: Points


@dataclass(frozen=True)
class _Seen:
    """What the template's points meet: brightness and how much it counts (n,) each, how much of
    each point lies inside, and the slopes of the first and the last along the axes, (3, n)."""

    bright: FloatArray
    counts: FloatArray
    inside: FloatArray
    bright_slope: FloatArray
    inside_slope: FloatArray


class HeadCost:
    """The measure for one scan and one template."""

    def __init__(self, thin: Thinned, template: Template) -> None:
        self._shape = np.array(thin.bright.shape)[:, None]
        self._bright, self._counts = (
            np.pad(each, 1, mode="edge").ravel() for each in (thin.bright, thin.counts)
        )
        self._steps = np.array([(thin.bright.shape[1] + 2) * (thin.bright.shape[2] + 2), 0, 1])
        self._steps[1] = thin.bright.shape[2] + 2
        self._points = np.vstack([template.points.T, np.ones(len(template.points))])
        self._points = self._points.astype(np.float32)
        self._tissues, self._all = template.tissues, template.tissues.sum(axis=1)
        brain = template.tissues[:, :BRAIN].sum(axis=1)
        self._brain = brain / brain.sum()

    def __call__(self, matrix: Points) -> tuple[float, Points]:
        """The cost for a matrix (4 x 4) from MNI mm to voxels, and its slope (3, 4)."""
        seen = self._seen(matrix)
        explained, by_bright, by_counts = self._explained(seen)
        by_inside = -by_counts * seen.counts - UNSEEN * self._brain
        slope = seen.bright_slope * -by_bright * seen.counts * seen.inside
        slope += seen.inside_slope * by_inside
        outside = UNSEEN * float(self._brain @ (1 - seen.inside))
        return 1 - explained + outside, np.asarray(slope @ self._points.T, np.float64)

    def explained(self, matrix: Points) -> float:
        """Share of the brightness' variance that lies between the tissues."""
        return self._explained(self._seen(matrix))[0]

    def _seen(self, matrix: Points) -> _Seen:
        at = matrix[:3].astype(np.float32) @ self._points
        low, high = at + 1, self._shape - at  # fades out from the last voxel's middle on
        reach = np.clip(np.minimum(low, high), 0, 1)
        fades = np.where((reach > 0) & (reach < 1), np.where(low < high, 1, -1), 0)
        inside_slope = fades * np.stack(
            [reach[1] * reach[2], reach[0] * reach[2], reach[0] * reach[1]]
        )
        at = np.clip(at + 1, 0, self._shape + 0.999)  # the grid has a rim
        first = at.astype(np.intp)
        bright, slope = self._between(at - first, self._steps @ first)
        nearest = self._steps @ np.rint(at).astype(np.intp)
        return _Seen(bright, self._counts.take(nearest), reach.prod(axis=0), slope, inside_slope)

    def _between(self, part: FloatArray, index: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Brightness between eight voxels, the first of which are at `index`, and its slopes."""
        x, y, z = part
        ends = [self._bright.take(index + self._steps @ corner) for corner in CORNERS]
        along_z = [ends[n + 1] - ends[n] for n in (0, 2, 4, 6)]
        lines = [ends[2 * n] + z * along for n, along in enumerate(along_z)]
        along_y = [lines[1] - lines[0], lines[3] - lines[2]]
        planes = [lines[0] + y * along_y[0], lines[2] + y * along_y[1]]
        slope_z = [along_z[n] + y * (along_z[n + 1] - along_z[n]) for n in (0, 2)]
        slopes = (
            planes[1] - planes[0],
            along_y[0] + x * (along_y[1] - along_y[0]),
            slope_z[0] + x * (slope_z[1] - slope_z[0]),
        )
        return planes[0] + x * slopes[0], np.stack(slopes)

    def _explained(self, seen: _Seen) -> tuple[float, FloatArray, FloatArray]:
        """The share, and its slopes by each point's brightness (for a whole count) and count."""
        counts, bright = seen.counts * seen.inside, seen.bright
        if counts.mean() < LEAST_SEEN:
            none = np.zeros_like(bright)
            return 0.0, none, none
        sizes = (counts @ self._tissues).astype(np.float64) + EMPTY
        means = (counts * bright @ self._tissues) / sizes
        mean = float(sizes @ means / sizes.sum())
        away = bright - np.float32(mean)
        spread = float(counts * self._all @ away**2) + EMPTY
        share = float(sizes @ (means - mean) ** 2) / spread
        expected = self._tissues @ (means - mean).astype(np.float32)  # times its shares
        squares = self._tissues @ ((means - mean) ** 2).astype(np.float32)
        by_bright = 2 * (expected - share * self._all * away) / spread
        by_counts = (2 * away * expected - squares - share * self._all * away**2) / spread
        return share, by_bright.astype(np.float32), by_counts.astype(np.float32)


Wishes = NDArray[np.float64]  # (9,): shift in cm, turn in tenths of a radian, tenths of log size

CENTRE = np.array([0.0, -17.0, 8.0])  # of the template's brain, MNI mm
TOP = 82.0  # MNI mm, between the top of the brain and that of the head
LENGTH = 184.0  # mm from front to back, between brain and head
HEIGHT = 150.0  # mm that a scan of the whole head is taken to cover where mm are not declared
POINTS = 8000  # of the template, in random order, that are fitted
WHITE = (
    1.0  # times the head's median: what is brighter counts as this, fat under the scalp above all
)
CELL = 3.0  # mm to which the scan is thinned out
FREEDOM = 0.03  # how much a size costs that is a tenth larger or smaller than USUAL
USUAL = -0.8  # tenths of log size: heads are smaller than the template, which grew by averaging
ENOUGH = 1e-5  # the share by which a step must help
BOUNDS = [(-10.0, 10.0)] * 3 + [(-8.0, 8.0)] * 3 + [(-5.0, 5.0)] * 3  # of the wishes: any head
BEGUN = 8  # guesses from which a fit is begun


@dataclass(frozen=True)
class HeadFit:
    """matrix: 4x4 from MNI mm to the scan's RAS mm; score: share of brightness explained."""

    matrix: Points
    score: float

    def to_template(self, points: Points) -> Points:
        """Points (n, 3) in the scan's RAS mm as MNI mm."""
        return move(points, inverse(self.matrix))


def fit_head(volume: Volume, lesion: MaskArray, template: Template) -> HeadFit | None:
    """Fit the template to a volume; what the mask marks does not count. None for an empty scan."""
    thin = _thinned(volume, lesion)
    head = np.argwhere(head_mask(thin.bright))
    if len(head) < 100:
        return None
    start = _start(move(head, inverse(thin.to_voxels)), volume.scale)
    fit = _Fit(HeadCost(thin, template.first(POINTS)), thin.to_voxels, start)
    guesses = sorted(_guesses(volume.scale), key=fit.cost)[:BEGUN]
    wishes = min((fit.smallest(guess) for guess in guesses), key=fit.cost)
    return HeadFit(_matrix(wishes, start)[0], fit.explained(wishes))


@dataclass(frozen=True)
class _Fit:
    """What is made small: brightness not explained, plus odd sizes."""

    badly: HeadCost
    to_voxels: Points
    start: tuple[Points, Points]

    def smallest(self, guess: Wishes) -> Wishes:
        """Where the cost is smallest near a guess (L-BFGS-B: Byrd et al., SIAM J Comput 1995)."""
        found = minimize(
            self.cost_and_slope,
            guess,
            jac=True,
            method="L-BFGS-B",
            bounds=BOUNDS,
            options={"ftol": ENOUGH},
        )
        return np.asarray(found.x)

    def cost(self, wishes: Wishes) -> float:
        """The cost alone."""
        return self.cost_and_slope(wishes)[0]

    def cost_and_slope(self, wishes: Wishes) -> tuple[float, Wishes]:
        """The cost and its slope (9,)."""
        matrix, changes = _matrix(wishes, self.start)
        cost, slope = self.badly(self.to_voxels @ matrix)
        odd = wishes[6:] - USUAL
        slopes = np.tensordot(changes, self.to_voxels[:3, :3].T @ slope, axes=2)
        slopes[6:] += 2 * FREEDOM * odd
        return cost + FREEDOM * float(odd @ odd), slopes

    def explained(self, wishes: Wishes) -> float:
        """Share of the brightness' variance that lies between the tissues."""
        return self.badly.explained(self.to_voxels @ _matrix(wishes, self.start)[0])


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


def _matrix(wishes: Wishes, start: tuple[Points, Points]) -> tuple[Points, Points]:
    """From MNI mm to the scan's RAS mm (4 x 4), and how that changes with each wish (9, 3, 4)."""
    middle, sizes = start
    turns, turned = zip(*(_about(axis, 0.1 * wishes[3 + axis]) for axis in range(3)), strict=True)
    turn, stretch = turns[2] @ turns[1] @ turns[0], np.exp(0.1 * wishes[6:])
    linear = sizes[:, None] * turn * stretch
    changes = np.zeros((9, 3, 4))
    changes[range(3), range(3), 3] = 10 * sizes
    for wish, changed in (
        (3, turns[2] @ turns[1] @ turned[0]),
        (4, turns[2] @ turned[1] @ turns[0]),
        (5, turned[2] @ turns[1] @ turns[0]),
    ):
        changes[wish, :, :3] = 0.1 * sizes[:, None] * changed * stretch
    for axis in range(3):
        changes[6 + axis, :, axis] = 0.1 * linear[:, axis]
    changes[3:, :, 3] = -changes[3:, :, :3] @ CENTRE
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = middle + sizes * 10 * wishes[:3] - linear @ CENTRE
    return matrix, changes


def _about(axis: int, angle: float) -> tuple[Points, Points]:
    """A turn about an axis, and how it changes with the angle: 3 x 3 each."""
    one, two = (axis + 1) % 3, (axis + 2) % 3
    turn, change = np.eye(3), np.zeros((3, 3))
    cosine, sine = np.cos(angle), np.sin(angle)
    turn[[one, one, two, two], [one, two, one, two]] = cosine, -sine, sine, cosine
    change[[one, one, two, two], [one, two, one, two]] = -sine, -cosine, cosine, -sine
    return turn, change


def _thinned(volume: Volume, lesion: MaskArray) -> Thinned:
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
    return Thinned(smooth, np.where(near, 0, 1).astype(np.float32), inverse(affine))
