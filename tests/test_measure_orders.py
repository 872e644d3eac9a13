"""The order in which voxels are stored never changes what is measured."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.findings import Lesion, Side, measure
from model.midplane import midplane_of_grid, midplane_of_head
from model.volume import Affine, MaskArray
from tests.phantoms import ORDERS, Shape, Stored, ellipsoid, grid, head, sphere

SHAPE: Shape = (30, 34, 22)
AFFINE = grid(SHAPE, (1.5, 1.5, 2.5), (1, 4, -6), (4, -7, 9))
SIDES = {"right": (9.0, 2.0, 1.0), "left": (-9.0, 2.0, 1.0), "midline": (0.0, 2.0, 1.0)}


def measured(mask: MaskArray, affine: Affine) -> Lesion:
    shape = (mask.shape[0], mask.shape[1], mask.shape[2])
    return measure(mask, affine, midplane_of_grid(shape, affine)).lesions[0]


def same(one: Lesion, two: Lesion) -> bool:
    equal = np.allclose(numbers(one), numbers(two), rtol=0, atol=1e-6)
    return one.side is two.side and bool(equal)


def numbers(lesion: Lesion) -> list[float]:
    diameters = lesion.diameters
    lengths = [diameters.longest.length, diameters.perpendicular.length]
    return [lesion.volume_ml, *lengths, *lesion.centroid]


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


@pytest.mark.parametrize("side", SIDES)
def test_the_side_is_right_in_all_48_orders(side: str) -> None:
    mask = sphere(SHAPE, AFFINE, SIDES[side], 6)
    wrong = [order for order in ORDERS if measured(*order.apply(mask, AFFINE)).side != Side(side)]
    assert not wrong


@pytest.mark.parametrize("side", SIDES)
def test_the_heads_own_middle_counts_in_all_48_orders(side: str) -> None:
    x = {"right": 35.0, "left": -35.0, "midline": 0.0}[side]
    phantom = head(lesion=(x, 10, 5), centre=(140, -60, 30), degrees=(3, -5, 8))
    for order in ORDERS:
        turned = phantom.stored(order)
        plane = midplane_of_head(turned.volume())
        lesion = measure(turned.lesion, turned.affine, plane).lesions[0]
        assert lesion.side == Side(side), order


def test_the_heads_middle_is_found_to_a_few_millimetres() -> None:
    plane = midplane_of_head(head(centre=(140, -60, 30)).volume())
    assert plane is not None
    assert plane.signed_distance(np.array([[140.0, 0, 0]]))[0] == pytest.approx(0, abs=3)


def test_without_known_sides_there_is_no_middle() -> None:
    assert midplane_of_head(head().volume(sides_known=False)) is None


def test_without_a_head_there_is_no_middle() -> None:
    phantom = head()
    assert midplane_of_head(phantom.volume(voxels=np.zeros_like(phantom.voxels))) is None


def test_a_symmetric_lesion_has_the_same_diameters_in_all_48_orders() -> None:
    affine = grid(SHAPE, (1, 1, 1))
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:16, 10:16, 5] = 1
    mask[10:16, 12, 9] = mask[10, 9:17, 9] = 1
    mask[12:14, 10:16, 6:9] = 1
    reference = measured(mask, affine)
    for order in ORDERS:
        assert same(measured(*order.apply(mask, affine)), reference), order


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
    assert same(measured(turned, turned_affine), measured(mask, affine))
