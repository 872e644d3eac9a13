"""The half-level outline of an area, where a mask read between its pixels is 0.5, and its width."""

import numpy as np
from numpy.typing import NDArray

from model.points import Points

SAME_MM = 2e-6  # places along a line that differ by less are one
DIGITS = 6  # of a millimetre, to which such places are rounded

# Middles of the four edges of a square of pixel centres, (row, column) from its first corner.
TOP, BOTTOM, LEFT, RIGHT = (0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (0.5, 1.0)
# Which of them the outline joins, by corners inside: 1 first, 2 next column, 4 next row, 8 both.
# Two corners that touch diagonally belong together, as they do among 26 neighbours.
JOINED = {
    1: ((LEFT, TOP),),
    2: ((TOP, RIGHT),),
    3: ((LEFT, RIGHT),),
    4: ((LEFT, BOTTOM),),
    5: ((TOP, BOTTOM),),
    6: ((LEFT, TOP), (RIGHT, BOTTOM)),
    7: ((RIGHT, BOTTOM),),
    8: ((RIGHT, BOTTOM),),
    9: ((TOP, RIGHT), (LEFT, BOTTOM)),
    10: ((TOP, BOTTOM),),
    11: ((LEFT, BOTTOM),),
    12: ((LEFT, RIGHT),),
    13: ((TOP, RIGHT),),
    14: ((LEFT, TOP),),
}


def outline(area: NDArray[np.bool_]) -> Points:
    """The outline's pieces (n, 2, 2): both ends of each as (row, column), in pixels.

    area: bool (rows, columns). Pixel centres have whole numbers, so a single pixel's outline
    reaches half a pixel to each side. Marching squares (Lorensen and Cline, SIGGRAPH 1987, in
    the plane).
    """
    inside = np.pad(area, 1).astype(np.uint8)
    corners = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, :-1] + 8 * inside[1:, 1:]
    pieces = []
    for pattern, joined in JOINED.items():
        squares = np.argwhere(corners == pattern) - 1.0
        pieces += [squares[:, None] + np.array(ends) for ends in joined]
    return np.concatenate(pieces)


def longest_across(pieces: Points, start: Points, end: Points) -> tuple[Points, Points]:
    """Both ends of the longest line at right angles to `start`-`end`, on a closed outline.

    pieces: (n, 2, 2) straight pieces of the outline, in mm; start, end: (2,), on it. Along the
    line, the outline's outermost distance to each side is linear between the pieces' ends, so
    the longest line across lies at one of these; of equally long ones the nearest to the middle.
    """
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    s, t = pieces @ along, pieces @ across
    levels = np.unique(np.round(s, DIGITS))
    low, high = _reach(s, t, levels)
    width = high - low
    from_middle = np.abs(levels - (start + end) @ along / 2)
    best = min(np.flatnonzero(width >= width.max() - SAME_MM), key=from_middle.__getitem__)
    foot = levels[best] * along
    return foot + low[best] * across, foot + high[best] * across


def _reach(s: Points, t: Points, levels: Points) -> tuple[Points, Points]:
    """Lowest and highest t at which the outline crosses each level of s: (levels,) each."""
    first = np.searchsorted(levels, s.min(axis=1) - SAME_MM)
    counts = np.searchsorted(levels, s.max(axis=1) + SAME_MM, side="right") - first
    piece = np.repeat(np.arange(len(s)), counts)
    level = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts - first, counts)
    run = s[piece, 1] - s[piece, 0]
    is_level = np.abs(run) < SAME_MM  # such a piece counts with both of its ends
    share = (levels[level] - s[piece, 0]) / np.where(is_level, 1, run)
    share = np.clip(np.where(is_level, 0, share), 0, 1)
    one = t[piece, 0] + share * (t[piece, 1] - t[piece, 0])
    other = np.where(is_level, t[piece, 1], one)
    low, high = np.full(len(levels), np.inf), np.full(len(levels), -np.inf)
    np.minimum.at(low, level, np.minimum(one, other))
    np.maximum.at(high, level, np.maximum(one, other))
    return low, high
