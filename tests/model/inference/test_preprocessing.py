"""The network's grid and back: a lesion comes back to its own place from any volume."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.geometry import with_neighbours
from model.inference.preprocessing import Prepared, from_window, prepare
from model.volume import Kind, Scale, Volume
from model.weights_config import STANDARD
from tests.phantoms.heads import ORDERS, Head, Shape, grid, head

BRIGHT = 0.42  # of the network's white: between brain (a quarter) and the phantom's lesion

ROWS, COLUMNS = STANDARD.rows, STANDARD.columns


def dice(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    return 2 * float((one & two).sum()) / float(one.sum() + two.sum())


def found_again(volume: Volume) -> NDArray[np.bool_]:
    """The bright lesion, seen on the network's grid and put back on the volume's own."""
    prepared = prepare(volume)
    seen = (prepared.slices > BRIGHT).astype(np.float32)
    back = from_window(seen, prepared.grid)
    assert back.shape == volume.shape
    return back >= 0.5


@pytest.mark.parametrize("number", range(48))
def test_a_lesion_comes_back_to_its_place_from_every_storage_order(number: int) -> None:
    phantom = head(centre=(30, -20, 10), degrees=(2, -4, 6)).stored(ORDERS[number])
    assert dice(found_again(phantom.volume()), phantom.lesion > 0) > 0.9


def test_the_network_sees_the_same_head_in_all_48_orders() -> None:
    phantom = head()
    reference = prepare(phantom.volume())
    for order in ORDERS:
        prepared = prepare(phantom.stored(order).volume())
        assert np.allclose(prepared.slices, reference.slices, atol=1e-5), order
        assert np.array_equal(prepared.head, reference.head), order


def test_the_patients_right_and_front_are_where_the_network_expects_them() -> None:
    prepared = prepare(head(lesion=(35, 30, 25)).volume())
    slices, rows, columns = np.argwhere(prepared.slices > BRIGHT).mean(axis=0)
    assert columns < COLUMNS / 2 - 10  # the patient's right
    assert rows < ROWS / 2 - 10  # in front
    assert slices > len(prepared.slices) / 2  # above


@pytest.mark.parametrize(
    ("shape", "spacing", "degrees"),
    [
        ((340, 400, 22), (0.5, 0.5, 6.0), (7.0, -9.0, 12.0)),
        ((180, 26, 140), (1.0, 7.0, 1.1), (0.0, 0.0, 0.0)),
        ((30, 30, 24), (7.0, 7.0, 7.0), (0.0, 0.0, 0.0)),
    ],
)
def test_a_lesion_comes_back_from_grids_of_every_make(
    shape: Shape, spacing: tuple[float, float, float], degrees: tuple[float, float, float]
) -> None:
    phantom = head(radius=24, shape=shape, spacing=spacing, degrees=degrees)
    assert dice(found_again(phantom.volume()), phantom.lesion > 0) > 0.9


def z_scored(phantom: Head) -> NDArray[np.float32]:
    inside = phantom.voxels[phantom.voxels != 0]
    scored: NDArray[np.float32] = (phantom.voxels - inside.mean()) / inside.std()
    return scored


def test_a_z_scored_scan_looks_like_the_raw_one() -> None:
    phantom = head()
    scored = z_scored(phantom)
    assert scored.min() < -1
    raw, other = prepare(phantom.volume()), prepare(phantom.volume(voxels=scored))
    assert np.allclose(raw.slices, other.slices, atol=0.01)
    assert np.array_equal(raw.head, other.head)


@pytest.mark.parametrize("factor", [0.001, 40.0])
def test_the_scanners_scale_does_not_count(factor: float) -> None:
    phantom = head()
    raw = prepare(phantom.volume())
    other = prepare(phantom.volume(voxels=phantom.voxels * np.float32(factor)))
    assert np.allclose(raw.slices, other.slices, atol=1e-4)


def as_picture(phantom: Head, enlarged: int) -> tuple[Volume, NDArray[np.bool_]]:
    """The slice with most lesion as a picture (columns, rows, 1), and its lesion."""
    index = int(phantom.lesion.sum(axis=(0, 1)).argmax())
    shown = [
        np.flip(array[:, :, index], (0, 1)).repeat(enlarged, 0).repeat(enlarged, 1)[:, :, None]
        for array in (phantom.voxels, phantom.lesion)
    ]
    volume = phantom.volume(
        voxels=np.ascontiguousarray(shown[0]),
        affine=np.diag([-1.0, -1.0, 1.0, 1.0]),
        kind=Kind.IMAGE,
        scale=Scale.UNKNOWN,
        sides_known=False,
    )
    return volume, shown[1] > 0


@pytest.mark.parametrize("enlarged", [1, 4, 12])
def test_a_picture_of_any_size_is_fitted_and_put_back(enlarged: int) -> None:
    volume, lesion = as_picture(head(radius=24), enlarged)
    prepared = prepare(volume)
    assert 0.85 < prepared.head.any(axis=(0, 2)).mean() <= 1
    assert dice(found_again(volume), lesion) > 0.9


@pytest.mark.parametrize("value", [0.0, 1.0, -7.5, 1e30])
@pytest.mark.parametrize("shape", [(20, 30, 12), (1, 40, 40), (40, 40, 1), (300, 5, 2)])
def test_a_volume_without_contrast_is_prepared_as_nothing(value: float, shape: Shape) -> None:
    voxels = np.full(shape, value, np.float32)
    prepared = prepare(head().volume(voxels=voxels, affine=grid(shape, (1, 1, 3))))
    assert not prepared.head.any()
    assert not prepared.slices.any()
    assert from_window(prepared.slices, prepared.grid).shape == shape


@pytest.mark.parametrize("shape", [(1, 40, 50), (40, 1, 50), (40, 50, 1), (33, 47, 5)])
@pytest.mark.parametrize("number", [0, 13, 29, 47])
def test_what_comes_back_has_the_volumes_own_shape(shape: Shape, number: int) -> None:
    voxels = np.random.default_rng(9).random(shape).astype(np.float32)
    turned, affine = ORDERS[number].apply(voxels, grid(shape, (0.8, 3.0, 1.7), (5, 5, 5)))
    prepared = prepare(head().volume(voxels=turned, affine=affine))
    assert prepared.slices.shape[1:] == (ROWS, COLUMNS)
    assert 0 <= prepared.slices.min() <= prepared.slices.max() <= 1
    assert from_window(prepared.slices, prepared.grid).shape == turned.shape


def test_neighbours_stand_a_fixed_distance_apart() -> None:
    thin = (44, 54, 90)
    steps = [
        prepare(head(shape=shape, spacing=spacing).volume()).step
        for shape, spacing in ((thin, (4.0, 4.0, 1.5)), ((44, 54, 30), (4.0, 4.0, 5.0)))
    ]
    assert steps == [3, 1]


def test_at_the_ends_the_last_slice_stands_in() -> None:
    prepared: Prepared = prepare(head().volume())
    last = len(prepared.slices) - 1
    chosen = with_neighbours(prepared.slices, np.array([0, 5, last]), 2)
    assert chosen.shape == (3, 3, ROWS, COLUMNS)
    for row, indices in enumerate([(0, 0, 2), (3, 5, 7), (last - 2, last, last)]):
        assert np.array_equal(chosen[row], prepared.slices[list(indices)])
