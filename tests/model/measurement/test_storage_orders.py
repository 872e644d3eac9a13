"""The order in which voxels are stored never changes what is measured."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.measurement.findings import Lesion, Side, measure, number_lesions
from model.measurement.midplane import midplane_of_grid, midplane_of_head
from model.reading.nifti import read_nifti
from model.volume import Affine, MaskArray, Upright, slice_axis
from tests.conftest import FRONTAL
from tests.phantoms.heads import ORDERS, Shape, Stored, ellipsoid, grid, head, sphere

SHAPE: Shape = (30, 34, 22)
AFFINE = grid(SHAPE, (1.5, 1.5, 2.5), (1, 4, -6), (4, -7, 9))
SIDES = {"right": (9.0, 2.0, 1.0), "left": (-9.0, 2.0, 1.0), "midline": (0.0, 2.0, 1.0)}


def measured(mask: MaskArray, affine: Affine) -> Lesion:
    shape = (mask.shape[0], mask.shape[1], mask.shape[2])
    return measure(mask, affine, midplane_of_grid(shape, affine)).lesions[0]


def same(one: Lesion, two: Lesion) -> bool:
    equal = np.allclose(numbers(one), numbers(two), rtol=0, atol=1e-6)
    return (one.side, one.voxels) == (two.side, two.voxels) and bool(equal)


def numbers(lesion: Lesion) -> list[float]:
    lines = lesion.diameters
    ends = [*lines.longest.start, *lines.longest.end]
    ends += [*lines.perpendicular.start, *lines.perpendicular.end]
    lengths = [lines.longest.length, lines.perpendicular.length, lesion.max_diameter_3d]
    across = lesion.place.across_midline_mm
    return [lesion.volume_ml, *lengths, *ends, *lesion.centroid, -1 if across is None else across]


def slices_in_the_world(lesion: Lesion, shape: tuple[int, ...], affine: Affine) -> list[float]:
    """Where the two slices that are told lie along the normal of the slices, in mm."""
    axis = slice_axis((shape[0], shape[1], shape[2]), affine)
    one, other = (affine[:3, n] for n in range(3) if n != axis)
    normal = np.cross(one, other)
    normal /= np.linalg.norm(normal)
    normal *= np.sign(normal[np.argmax(np.abs(normal))])
    told = (lesion.largest_slice, lesion.diameters.slice_index)
    return [float((affine[:3, 3] + index * affine[:3, axis]) @ normal) for index in told]


def test_the_48_orders_are_all_different_and_leave_the_world_in_place() -> None:
    voxels = np.arange(24.0).reshape(2, 3, 4)
    seen = set()
    for order in ORDERS:
        turned, affine = order.apply(voxels, AFFINE)
        seen.add((turned.shape, turned.tobytes()))
        place = np.argwhere(turned == 23)[0]
        world = affine[:3, :3] @ place + affine[:3, 3]
        assert world == pytest.approx(AFFINE[:3, :3] @ (1, 2, 3) + AFFINE[:3, 3])
    assert len(seen) == 48


def test_all_48_orders_are_one_uprightupright() -> None:
    voxels = np.random.default_rng(3).random(SHAPE)
    expected = Upright.of(SHAPE, AFFINE)
    for order in ORDERS:
        turned, affine = order.apply(voxels, AFFINE)
        upright = Upright.of(turned.shape, affine)
        assert np.array_equal(upright.turn(turned), expected.turn(voxels))
        assert np.array_equal(upright.affine[:3, :3], expected.affine[:3, :3])
        assert np.allclose(upright.affine, expected.affine)
        assert np.array_equal(upright.back(upright.turn(turned)), turned)
        axis = int(np.flatnonzero([n == 2 for n in upright.order[:, 0]])[0])
        here = np.take(turned, upright.file_index(2, 3), axis)
        assert np.array_equal(np.sort(here.ravel()), np.sort(voxels[:, :, 3].ravel()))


@pytest.mark.parametrize("side", SIDES)
def test_the_side_is_right_in_all_48_orders(side: str) -> None:
    mask = sphere(SHAPE, AFFINE, SIDES[side], 6)
    wrong = [order for order in ORDERS if measured(*order.apply(mask, AFFINE)).side != Side(side)]
    assert not wrong


def test_the_heads_own_middle_counts_in_whatever_order() -> None:
    phantoms = {
        side: head(lesion=(x, 10, 5), centre=(140, -60, 30), degrees=(3, -5, 8))
        for side, x in {"right": 35.0, "left": -35.0, "midline": 0.0}.items()
    }
    right = phantoms["right"]
    expected = midplane_of_head(right.volume())
    assert expected is not None
    for order in ORDERS[::5]:  # each axis in each place; the search takes a fifth of a second
        plane = midplane_of_head(right.stored(order).volume())
        assert plane is not None
        assert np.allclose([*plane.normal, *plane.point], [*expected.normal, *expected.point])
        for side, phantom in phantoms.items():
            turned = phantom.stored(order)
            lesion = measure(turned.lesion, turned.affine, plane).lesions[0]
            assert lesion.side == Side(side), order
            assert (lesion.place.to_front, lesion.place.to_top) == ("middle", "middle")


def test_a_real_heads_middle_is_the_very_same_in_whatever_order() -> None:
    volume = read_nifti(FRONTAL)
    expected = midplane_of_head(volume)
    assert expected is not None
    for order in ORDERS[5::11]:
        voxels, affine = order.apply(volume.voxels, volume.affine)
        plane = midplane_of_head(replace(volume, voxels=voxels, affine=affine))
        assert plane is not None
        assert np.array_equal(plane.normal, expected.normal)
        assert np.allclose(plane.point, expected.point, rtol=0, atol=1e-9)


def test_the_heads_middle_is_found_to_a_few_millimetres() -> None:
    plane = midplane_of_head(head(centre=(140, -60, 30)).volume())
    assert plane is not None
    assert plane.signed_distance(np.array([[140.0, 0, 0]]))[0] == pytest.approx(0, abs=3)


def test_without_known_sides_there_is_no_middle() -> None:
    assert midplane_of_head(head().volume(sides_known=False)) is None


def test_without_a_head_there_is_no_middle() -> None:
    phantom = head()
    assert midplane_of_head(phantom.volume(voxels=np.zeros_like(phantom.voxels))) is None


def test_a_symmetric_lesion_has_the_same_lines_in_all_48_orders() -> None:
    affine = grid(SHAPE, (1, 1, 1))
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:16, 10:16, 5] = 1
    mask[10:16, 12, 9] = mask[10, 9:17, 9] = 1
    mask[12:14, 10:16, 6:9] = 1
    reference = measured(mask, affine)
    for order in ORDERS:
        assert same(measured(*order.apply(mask, affine)), reference), order


def test_lesions_of_the_same_size_keep_their_numbers_in_all_48_orders() -> None:
    affine = grid(SHAPE, (1, 1, 2), (3, 1, -2), (7, -5, 12))
    mask = np.zeros(SHAPE, np.uint8)
    for corner in ((3, 4, 5), (3, 20, 5), (20, 4, 5), (20, 20, 15)):
        mask[tuple(slice(start, start + 3) for start in corner)] = 1
    reference = measure(mask, affine, None).lesions
    assert len(reference) == 4
    for order in ORDERS:
        turned, turned_affine = order.apply(mask, affine)
        lesions = measure(turned, turned_affine, None).lesions
        assert all(same(one, two) for one, two in zip(lesions, reference, strict=True)), order
        numbered, _ = order.apply(number_lesions(mask, affine), affine)
        assert np.array_equal(number_lesions(turned, turned_affine), numbered)


place = st.floats(-14, 14, allow_nan=False)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    order=st.sampled_from(ORDERS),
    centre=st.tuples(place, place, place),
    radii=st.tuples(*[st.floats(2.5, 12)] * 3),
    isotropic=st.booleans(),
    oblique=st.booleans(),
)
def test_no_storage_order_changes_what_is_measured(
    order: Stored,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    isotropic: bool,
    oblique: bool,
) -> None:
    spacing = (1.5, 1.5, 1.5) if isotropic else (1.3, 1.5, 2.5)
    affine = grid(SHAPE, spacing, (0, 0, 0), (4, -7, 9) if oblique else (0, 0, 0))
    mask = ellipsoid(SHAPE, affine, centre, radii)
    turned, turned_affine = order.apply(mask, affine)
    one, two = measured(turned, turned_affine), measured(mask, affine)
    assert same(one, two)
    told = slices_in_the_world(one, turned.shape, turned_affine)
    assert told == pytest.approx(slices_in_the_world(two, SHAPE, affine), abs=1e-6)
