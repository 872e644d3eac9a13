"""The affine fit of a template of tissues to a head, and how good it is.

The template is moved until its tissues explain as much as they can of the scan's brightness
(`model/head_cost.py`). Nothing is assumed about how bright a tissue is, so heads with and without
skull can be fitted alike.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize

from model.head import FloatArray, head_mask
from model.head_cost import HeadCost, Template, Thinned
from model.points import Points, block_means, inverse, move
from model.volume import MaskArray, Scale, Volume

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
