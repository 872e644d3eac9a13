"""How bright air, head and tissue are, where the head is, and how a network takes the grey values.

Before all else: which values are no signal at all, and whether it is a scan or a mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, sqrt

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

HEAD_LEVEL = 0.2  # of the bright end of the intensities: above it is head, below it is air
SAMPLED = 200_000  # voxels, about, by which the background is told


def sampled(voxels: FloatArray) -> FloatArray:
    """Some of the voxels, evenly spread in the order of their indices: float32 (n,)."""
    chosen = np.arange(0, voxels.size, max(1, voxels.size // SAMPLED))
    return voxels[np.unravel_index(chosen, voxels.shape)]  # never a copy of all in another order


FEWEST = 16  # distinct values of a scan; with fewer nothing tells padding from a label
FAR = 4.0  # times the reach of a scan's values: so far beyond them lies no tissue and no air
BELOW_NOTHING = 0.1  # of the reach: so far below 0 no ringing brings a signal that has no sign
COMMON = 0.01  # of all voxels: so many of one value are no chance
STANDARD = 0.05  # by how much mean and deviation of a z-scored scan may miss 0 and 1
HUGEST = np.finfo(np.float32).max
FURTHEST = 1e12  # from 0, and as near to it, values are left as they are
SHADES, SHOWN = 64, 0.001  # steps from dark to bright; share of the voxels that makes one count
FEW_SHADES = 8  # a scan has 15 or more, a mask of some labels up to 5


@dataclass(frozen=True)
class Range:
    """Between floor and ceiling lie air and tissue. Padding is beyond, and is set to `dark`; so is
    what else lies below, and what lies above is set to the ceiling.

    factor: a power of two that brings what no 32 bits could square or add up near 1; 1 for others.
    filled: the value below the floor that many voxels have; None where there is none.
    """

    floor: np.float32
    ceiling: np.float32
    dark: np.float32
    hot_is_padding: bool
    factor: np.float32
    filled: float | None = None

    def settle(self, voxels: FloatArray) -> FloatArray:
        """The voxels, all within the range: the same array where they are."""
        if voxels.min() < self.floor or voxels.max() > self.ceiling:
            above = self.dark if self.hot_is_padding else self.ceiling
            voxels = np.where(voxels > self.ceiling, above, voxels)
            voxels[voxels < self.floor] = self.dark
        return voxels if self.factor == 1 else voxels * self.factor


def range_of(stack: FloatArray) -> Range:
    """What is a scan's own among its values: padding, and a hot or cold voxel, are not.

    Each distinct value counts once, so that no padding can outweigh the picture. Magnitudes are
    never below 0: there a common darkest value below it is padding, and no signal is 0.
    """
    values, counts = np.unique(sampled(stack).astype(np.float64), return_counts=True)
    if values.size < FEWEST:
        return Range(-HUGEST, HUGEST, np.float32(0), False, _factor(values))
    low, high = np.percentile(values, (5, 95))
    reach = high - low
    floor, ceiling = low - FAR * reach, high + FAR * reach
    inside = (values >= floor) & (values <= ceiling)
    bulk = np.repeat(values[inside], counts[inside])
    is_hot = counts[values > ceiling].sum() >= COMMON * counts.sum()
    dark = np.float32(0)
    if floor > 0 or low < -STANDARD * reach or _is_standard(bulk):
        dark = background(bulk)
    else:
        floor = max(floor, -BELOW_NOTHING * reach)
        first = int(np.searchsorted(values, floor))
        if values[first] < 0 and counts[first] >= COMMON * counts.sum():
            floor = (values[first] + values[first + 1]) / 2
    ends = np.clip((floor, ceiling), -HUGEST, HUGEST).astype(np.float32)
    filled = _filled(values, counts, float(floor))
    return Range(ends[0], ends[1], dark, bool(is_hot), _factor(values[inside]), filled)


def _filled(values: NDArray[np.float64], counts: NDArray[np.int64], floor: float) -> float | None:
    """The most common value below the floor, if it is no chance."""
    below = counts[values < floor]
    if not below.size or below.max() < COMMON * counts.sum():
        return None
    return float(values[int(np.argmax(below))])


def _factor(values: NDArray[np.float64]) -> np.float32:
    furthest = float(np.abs(values).max())
    if not furthest or 1 / FURTHEST <= furthest <= FURTHEST:
        return np.float32(1)
    return np.float32(2.0 ** -round(np.log2(furthest)))


def _is_standard(values: NDArray[np.float64]) -> bool:
    """Whether a scan was brought to mean 0 and deviation 1: below 0 is then no padding."""
    return abs(float(values.mean())) < STANDARD and abs(float(values.std()) - 1) < STANDARD


def is_mask(stack: FloatArray) -> bool:
    """Whether a picture has but a few shades, or nearly one: labels, or a tumor's probability."""
    values, counts = np.unique(sampled(stack), return_counts=True)
    low, high = np.percentile(values.astype(np.float64), (5, 95))
    if low == high:
        return True
    shades = np.clip((values - low) / (high - low), 0, 1) * (SHADES - 1)
    shares = np.bincount(shades.round().astype(int), counts, SHADES) / counts.sum()
    return int((shares >= SHOWN).sum()) <= FEW_SHADES


def background(ordered: NDArray[np.floating]) -> np.float32:
    """The intensity of air, from voxels in ascending order.

    It is the most common single value, if a fifth of the voxels have it and it is no brighter
    than the middle (air set to a constant, which is below zero in a z-scored scan); otherwise
    the darkest hundredth.
    """
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(starts, append=ordered.size)
    common = int(np.argmax(counts))
    value = ordered[starts[common]]
    is_air = counts[common] >= 0.2 * ordered.size and value <= np.median(ordered)
    return np.float32(value if is_air else np.percentile(ordered, 1))


def brightness(voxels: FloatArray) -> FloatArray:
    """Intensity above the background, never negative: float32, same shape."""
    bright: FloatArray = np.subtract(voxels, background(np.sort(sampled(voxels))))
    return np.maximum(bright, np.float32(0), out=bright)


def head_mask(bright: FloatArray) -> NDArray[np.bool_]:
    """Voxels of the head, bone and cavities left out: bool, same shape as `brightness` gave."""
    level = HEAD_LEVEL * float(np.percentile(bright.ravel(order="K"), 99.5))
    inside: NDArray[np.bool_] = bright > max(level, 0.0)
    return inside


HEAD_TOP, WHITE_TOP = 0.995, 0.995  # shares of all voxels, and of the head's, below its bright end
NOTHING = np.float32(-1)  # no brightness lies below it
SURELY = 6.0  # standard deviations of a rank in a sample that still hold the rank in all


@dataclass(frozen=True)
class Levels:
    """air: intensity of the background; the others are brightness above it. edge: what is brighter
    is head; middle: the head's median; white: what 99.5 per cent of the head stay below. Both are
    0 where there is no head."""

    air: np.float32
    edge: np.float32
    middle: float
    white: float

    def bright(self, voxels: FloatArray) -> FloatArray:
        """Brightness above the background, never negative: float32, same shape."""
        bright: FloatArray = np.subtract(voxels, self.air)
        return np.maximum(bright, np.float32(0), out=bright)

    def head(self, voxels: FloatArray) -> NDArray[np.bool_]:
        """Which voxels are head, bone and cavities left out."""
        inside: NDArray[np.bool_] = self.bright(voxels) > self.edge
        return inside


def levels_of(stack: FloatArray) -> Levels:
    """The levels of a scan, exactly: float32 (slices, rows, columns), in whatever layout.

    The background and the head are those of `model/intensity.py`. Only a sample is sorted; from it
    follows between which values an order statistic of all voxels lies, and these few are looked at.
    """
    sample = np.sort(sampled(stack))
    air = background(sample)
    seen = _Seen(stack, air, np.maximum(sample - air, np.float32(0)))
    (top,) = seen.quantiles((HEAD_TOP,), NOTHING)
    edge = np.float32(max(HEAD_LEVEL * top, 0.0))
    middle, white = seen.quantiles((0.5, WHITE_TOP), edge)
    return Levels(air, edge, middle, white)


@dataclass(frozen=True)
class _Seen:
    """All voxels, and the brightness of some of them in ascending order."""

    stack: FloatArray
    air: np.float32
    sample: FloatArray

    def quantiles(self, shares: tuple[float, ...], above: np.float32) -> list[float]:
        """Of the brightness of those voxels that are brighter than `above`; 0 if none is.

        Between two order statistics it is interpolated in a straight line.
        """
        brackets = [self._bracket(share, above) for share in shares]
        total, counts = 0, [0] * len(shares)
        held: list[list[FloatArray]] = [[] for _ in shares]
        for bright in self._slices():
            total += int(np.count_nonzero(bright > above))
            for number, (low, high) in enumerate(brackets):
                inside = bright >= low
                counts[number] += int(np.count_nonzero(inside))  # those that are not below it
                inside &= bright <= high
                held[number].append(bright[inside])
        if not total:
            return [0.0] * len(shares)
        return [
            self._between(np.concatenate(parts), share * (total - 1), total - count, above)
            for share, parts, count in zip(shares, held, counts, strict=True)
        ]

    def _bracket(self, share: float, above: np.float32) -> tuple[np.float32, np.float32]:
        """Values between which the quantile lies, unless the sample is a very odd one."""
        known = self.sample[np.searchsorted(self.sample, above, side="right") :]
        reach = SURELY * sqrt(share * (1 - share) * known.size) + 2
        first, last = floor(share * known.size - reach), ceil(share * known.size + reach)
        low = known[first] if first >= 0 else np.nextafter(above, np.float32(np.inf))
        return low, known[last] if last < known.size else np.float32(np.inf)

    def _between(self, held: FloatArray, rank: float, below: int, above: np.float32) -> float:
        """The value at a rank (of all), from those that the bracket holds; `below` lie below it."""
        first, last = floor(rank) - below, ceil(rank) - below
        if first < 0 or last >= held.size:  # the sample was misleading: all are sorted
            every = np.concatenate([bright[bright > above] for bright in self._slices()])
            return self._between(every, rank, 0, above)
        ordered = np.partition(held, (first, last))
        low, high = float(ordered[first]), float(ordered[last])
        return low + (high - low) * (rank - floor(rank))

    def _slices(self) -> Iterator[FloatArray]:
        for part in self.stack:
            bright = np.subtract(part, self.air)
            yield np.maximum(bright, np.float32(0), out=bright)


WHITE = 4.0  # times the head's median: what is brighter counts as this bright


def normalise(picture: FloatArray, levels: Levels) -> FloatArray:
    """Scale so that the head's median is 1 / WHITE, and clip to [0, 1]. Same shape, float32."""
    if levels.middle <= 0:
        return np.zeros_like(picture)
    scaled: FloatArray = levels.bright(picture)
    scaled /= np.float32(levels.middle * WHITE)
    return np.minimum(scaled, np.float32(1), out=scaled)


def stretch(stack: FloatArray) -> FloatArray:
    """Each slice from its darkest to its brightest voxel to [0, 1]. Same shape, float32.

    stack: a slice, or slices along the first axis.
    """
    low = stack.min(axis=(-2, -1), keepdims=True)
    reach = stack.max(axis=(-2, -1), keepdims=True) - low
    stretched: FloatArray = (stack - low) / np.where(reach > 0, reach, np.float32(1))
    return stretched
