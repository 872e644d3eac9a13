"""The lines of a lesion: on its outline, the longest there are, and never longer than the truth."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from model.measurement.diameters import Diameter, in_plane_diameters, outline
from model.measurement.findings import longest_distance, outermost
from tests.phantoms.heads import Shape, ellipsoid, grid

PLAIN = np.eye(4)
Area = NDArray[np.bool_]


CORNERS = np.ones((3, 3))  # pixels that touch at a corner belong together


def on_slice(area: Area) -> Area:
    """A lesion of one slice, (rows, columns, 1)."""
    return area[:, :, None]


def drawn(rows: str) -> Area:
    """An area from rows of # and dots."""
    return np.array([[letter == "#" for letter in row] for row in rows.split()])


def edge_points(area: Area) -> NDArray[np.float64]:
    """Points between each marked pixel and its unmarked neighbours, found pixel by pixel."""
    points = []
    for row, column in np.argwhere(area):
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            beside = (row + down, column + right)
            is_inside = all(0 <= n < length for n, length in zip(beside, area.shape, strict=True))
            if not (is_inside and area[beside]):
                points.append((row + down / 2, column + right / 2))
    return np.array(points)


areas = st.lists(st.booleans(), min_size=42, max_size=42).map(
    lambda marked: np.array(marked).reshape(6, 7)
)


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(area=areas)
def test_the_outline_passes_between_marked_and_unmarked_pixels(area: Area) -> None:
    expected = {tuple(point) for point in edge_points(area)}
    assert {tuple(point) for point in outline(area).reshape(-1, 2)} == expected
    assert len(outline(area)) == len(expected)  # closed: as many pieces as corners


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(area=areas.filter(lambda area: area.any()), stretch=st.floats(0.4, 3))
def test_no_line_between_two_points_of_a_piece_is_longer(area: Area, stretch: float) -> None:
    numbered, count = ndimage.label(area, CORNERS)
    affine = np.diag([1, stretch, 5, 1.0])
    longest = max(
        math.dist(one, other)
        for number in range(1, count + 1)
        for one, other in combinations(edge_points(numbered == number) * (1, stretch), 2)
    )
    found = in_plane_diameters(on_slice(area), affine, 2)
    assert found.longest.length == pytest.approx(longest)


def test_the_line_across_ends_on_the_outline_of_a_bay() -> None:
    area = drawn("########### ##.......## ##.......## ##.......## ##.......##")
    found = in_plane_diameters(on_slice(area), PLAIN, 2)
    ends = [np.array(end)[:2] for end in (found.perpendicular.start, found.perpendicular.end)]
    assert all(distance_to(outline(area), end) < 1e-5 for end in ends)
    assert found.longest.length == pytest.approx(math.hypot(10, 5), abs=1)


def distance_to(pieces: NDArray[np.float64], point: NDArray[np.float64]) -> float:
    """Distance of a point from the nearest straight piece of an outline."""
    first, run = pieces[:, 0], pieces[:, 1] - pieces[:, 0]
    share = np.clip(((point - first) * run).sum(axis=1) / (run**2).sum(axis=1), 0, 1)
    return float(np.linalg.norm(first + share[:, None] * run - point, axis=1).min())


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(area=areas.filter(lambda area: area.any()))
def test_the_line_across_is_the_longest_of_a_thousand(area: Area) -> None:
    found = in_plane_diameters(on_slice(area), PLAIN, 2)
    start, end = (np.array(point)[:2] for point in (found.longest.start, found.longest.end))
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    tried = piece_with(area, start)
    s, t = tried @ along, tried @ across
    widest = 0.0
    for level in np.linspace(s.min(), s.max(), 1000):
        crossed = (s.min(axis=1) <= level) & (level <= s.max(axis=1)) & (np.ptp(s, axis=1) > 1e-9)
        share = (level - s[crossed, 0]) / (s[crossed, 1] - s[crossed, 0])
        hits = t[crossed, 0] + share * (t[crossed, 1] - t[crossed, 0])
        widest = max(widest, float(np.ptp(hits)) if hits.size else 0.0)
    assert found.perpendicular.length >= widest - 1e-4
    assert abs(float(np.dot(np.subtract(*ends_of(found.perpendicular)), [*along, 0]))) < 1e-5


def ends_of(line: Diameter) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    return line.start, line.end


def piece_with(area: Area, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outline of the one piece of an area on whose edge a point lies."""
    numbered, count = ndimage.label(area, CORNERS)
    pieces = [outline(numbered == number) for number in range(1, count + 1)]
    return min(pieces, key=lambda piece: distance_to(piece, point))


def test_a_line_is_not_drawn_across_healthy_brain_between_two_pieces() -> None:
    lesion = np.zeros((40, 12, 2), bool)  # what joins the two lies on other slices
    lesion[0:6, 2:10, 1] = lesion[34:40, 2:10, 1] = True
    found = in_plane_diameters(lesion, PLAIN, 2)
    assert found.longest.length == pytest.approx(math.hypot(6, 8), abs=1)


def test_the_product_is_that_of_both_lines() -> None:
    mask = ellipsoid((50, 40, 9), grid((50, 40, 9), (1, 1, 4)), (0, 0, 0), (20, 12, 9))
    found = in_plane_diameters(mask.astype(bool), PLAIN, 2)
    assert found.product == pytest.approx(40 * 24, rel=0.06)
    assert found.product == found.longest.length * found.perpendicular.length


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.5, 0.5, 6), (0.9, 0.9, 2)])
def test_the_longest_line_in_space_may_cross_slices(spacing: tuple[float, float, float]) -> None:
    shape: Shape = (round(40 / spacing[0]), round(40 / spacing[1]), round(70 / spacing[2]))
    affine = grid(shape, spacing, (3, -4, 5), (21, -13, 30))
    radii = (9.0, 11.0, 24.0)
    mask = ellipsoid(shape, affine, (3, -4, 5), radii).astype(bool)
    found = longest_distance(outermost(mask, affine))
    assert found == pytest.approx(48, abs=max(spacing))
    assert in_plane_diameters(mask, affine, 2).longest.length < found - 10


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(marked=st.sets(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=25))
def test_no_two_points_of_the_surface_lie_further_apart(
    marked: set[tuple[int, int, int]],
) -> None:
    lesion = np.zeros((5, 5, 5), bool)
    lesion[tuple(np.array(sorted(marked)).T)] = True
    affine = grid((5, 5, 5), (0.7, 1.1, 4), (1, 2, 3), (10, 20, 30))
    steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    points = (np.argwhere(lesion)[:, None] + steps).reshape(-1, 3) @ affine[:3, :3].T
    longest = float(np.linalg.norm(points[:, None] - points[None], axis=2).max())
    assert longest_distance(outermost(lesion, affine)) == pytest.approx(longest)


def test_a_bent_lesion_is_as_long_as_its_ends_are_apart() -> None:
    corners = [(2, 2), (2, 30), (14, 30)]
    area = np.zeros((20, 34), bool)
    for (top, left), (bottom, right) in pairwise(corners):
        area[top : bottom + 1, left : right + 1] = True
    found = in_plane_diameters(on_slice(area), PLAIN, 2)
    assert found.longest.length == pytest.approx(math.hypot(12, 28), abs=1)
