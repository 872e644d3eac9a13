"""How badly a template of tissues explains the brightness of a scan, and which way it gets better.

The measure is the correlation ratio (Roche et al., MICCAI 1998) with soft tissues in place of
labels; its slope is worked out beside it, so that few places need be tried.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from model.head import FloatArray
from model.points import Points

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
