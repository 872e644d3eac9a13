"""Where a lesion lies: heads that are turned and tipped, the midline, thirds of the brain."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from daemon.outputs.wording import position_words, side_words
from model.intensity import brightness, head_mask
from model.measurement.findings import Lesion, Side, measure
from model.measurement.location import Place
from model.measurement.midplane import Midplane, midplane_of_head
from model.reading.nifti import read_nifti
from model.volume import MaskArray, Scale, Volume
from tests.conftest import FRONTAL
from tests.phantoms.heads import Head, Point, head
from tests.phantoms.reports import make_lesion
from tools.experiments.turned_heads import YAWS, try_turns, turned_about_s
from training.datasets import Case, find_cases, read_split

CLEAR_MM = 12.0  # a lesion whose middle lies this far from the head's middle has one side


def turned(phantom: Head, degrees: Point) -> Head:
    """The whole head, lesion and all, turned about x (pitch), y (roll) and z (yaw)."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    return replace(phantom, affine=turn @ phantom.affine)


def measured(phantom: Head, **changed: Any) -> Lesion:
    """The lesion of a phantom, with the mid-plane of its head."""
    plane = midplane_of_head(phantom.volume(**changed))
    return measure(phantom.lesion, phantom.affine, plane).lesions[0]


def thinned(volume: Volume, mask: MaskArray) -> tuple[Volume, MaskArray]:
    """Every other voxel of a volume of thin slices, to be quick; others as they are."""
    if volume.shape[2] < 100:
        return volume, mask
    voxels = np.ascontiguousarray(volume.voxels[::2, ::2, ::2])
    return replace(volume, voxels=voxels, affine=volume.affine @ np.diag([2, 2, 2, 1.0])), mask[
        ::2, ::2, ::2
    ]


def rows_middle(volume: Volume, mask: MaskArray) -> float:
    """How far right of the middle of the head's rows a mask's middle lies: mm, heads not turned."""
    points = np.argwhere(head_mask(brightness(volume.voxels)))
    x = points @ volume.affine[0, :3]
    inside = np.argwhere(mask) @ volume.affine[0, :3]
    low, high = np.percentile(x, (1, 99))
    return float(inside.mean() - (low + high) / 2)


def real_cases(shared: Path) -> list[Case]:
    """A `development` patient of each hospital, and all of `external`."""
    split = read_split(shared / "lgg" / "split.json")["development"]
    cases = find_cases(shared / "lgg")
    one_each = {name.split("_")[1]: cases[name] for name in split}
    return [*one_each.values(), *find_cases(shared / "external").values()]


def yaw_of(plane: Midplane | None) -> float:
    assert plane is not None
    return float(np.degrees(np.arctan2(plane.normal[1], plane.normal[0])))


def test_the_side_of_real_heads_stays_right_when_they_turn(shared_data: Path) -> None:
    clear = 0
    for case in real_cases(shared_data):
        drawn = (read_nifti(case.mask).voxels > 0).astype(np.uint8)
        volume, mask = thinned(read_nifti(case.flair), drawn)
        aside = rows_middle(volume, mask)
        if abs(aside) < CLEAR_MM:
            continue
        clear += 1
        side = Side.RIGHT if aside > 0 else Side.LEFT
        for degrees in (0, YAWS[0], YAWS[-1]):
            seen, seen_mask = turned_about_s(volume, mask, degrees)
            lesion = measure(seen_mask, seen.affine, midplane_of_head(seen)).lesions[0]
            assert lesion.side is side, (case.patient, degrees)
    assert clear >= 6


def test_the_plane_turns_with_a_real_head() -> None:
    volume = read_nifti(FRONTAL)
    straight = yaw_of(midplane_of_head(volume))
    assert straight == pytest.approx(-12.7, abs=2)  # as the falx runs in its pictures
    for degrees in YAWS:
        seen, _ = turned_about_s(volume, np.zeros(volume.shape, np.uint8), degrees)
        assert yaw_of(midplane_of_head(seen)) - straight == pytest.approx(degrees, abs=2)


def test_turns_are_tried_and_told() -> None:
    phantom = head(lesion=(30, 12, 8), radius=17)
    told = try_turns(phantom.volume(), phantom.lesion)
    assert [each.degrees for each in told] == list(YAWS)
    assert all(each.same_side and abs(each.off) < 2 and abs(each.reach) < 2 for each in told)


@pytest.mark.parametrize("degrees", [(0, 0, 25), (0, 0, -25), (0, 14, 0), (12, -9, 17)])
@pytest.mark.parametrize("x", [-34.0, 34.0, 0.0])
def test_the_mid_plane_turns_and_tips_with_the_head(degrees: Point, x: float) -> None:
    phantom = turned(head(lesion=(x, 12, 8), radius=17), degrees)
    plane = midplane_of_head(phantom.volume())
    assert plane is not None
    right = phantom.affine[:3, 0] / 4
    assert float(plane.normal @ right) > np.cos(np.radians(4))
    assert float(plane.signed_distance(np.zeros((1, 3)))[0]) == pytest.approx(0, abs=2)
    lesion = measured(phantom)
    assert lesion.side is {34.0: Side.RIGHT, -34.0: Side.LEFT, 0.0: Side.MIDLINE}[x]
    assert lesion.place.crosses_midline is (x == 0)


@pytest.mark.parametrize(("x", "across"), [(20.0, 0.0), (10.0, 8.0), (-4.0, 14.0)])
def test_how_far_it_reaches_across_is_measured(x: float, across: float) -> None:
    lesion = measured(head(lesion=(x, 12, 8), radius=18))
    assert lesion.place.across_midline_mm == pytest.approx(across, abs=3.5)
    assert lesion.place.crosses_midline is (across > 3)


THIRDS = {
    (22.0, 62.0, 0.0): ("anterior", "middle"),
    (22.0, 0.0, 40.0): ("middle", "superior"),
    (-22.0, -62.0, 0.0): ("posterior", "middle"),
    (22.0, -10.0, -40.0): ("middle", "inferior"),
    (-20.0, 46.0, 34.0): ("anterior", "superior"),
}


@pytest.mark.parametrize("lesion", THIRDS)
@pytest.mark.parametrize("degrees", [(0, 0, 0), (0, 0, 22), (0, 9, -14)])
def test_the_third_of_the_brain(lesion: Point, degrees: Point) -> None:
    place = measured(turned(head(lesion=lesion, radius=10), degrees)).place
    assert (place.to_front, place.to_top) == THIRDS[lesion]


def test_slices_that_are_told_too_close_change_neither_side_nor_third() -> None:
    for lesion, thirds in THIRDS.items():
        phantom = head(lesion=lesion, radius=10)
        affine = phantom.affine @ np.diag([1, 1, 0.2, 1])  # 5 mm slices, told as 1 mm apart
        place = measured(replace(phantom, affine=affine), scale=Scale.ASSUMED).place
        assert place.side is (Side.RIGHT if lesion[0] > 0 else Side.LEFT)
        assert (place.to_front, place.to_top) == thirds


def test_what_cannot_be_known_is_not_told() -> None:
    phantom = head()
    assert measured(phantom, sides_known=False).place == Place()
    few = slice(16, 19)
    affine = phantom.affine @ np.array(
        [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, few.start], [0, 0, 0, 1.0]]
    )
    slab = Head(phantom.voxels[:, :, few], phantom.lesion[:, :, few], affine)
    place = measured(slab).place
    assert (place.side, place.to_front, place.to_top) == (Side.RIGHT, None, None)


def test_a_head_that_fills_a_corner_of_its_grid_keeps_its_middle() -> None:
    phantom = head(lesion=(-30, 0, 0), radius=12)
    padded = Head(
        np.pad(phantom.voxels, ((30, 0), (0, 25), (0, 8))),
        np.pad(phantom.lesion, ((30, 0), (0, 25), (0, 8))),
        phantom.affine @ np.array([[1, 0, 0, -30], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
    )
    plane = midplane_of_head(padded.volume())
    assert plane is not None
    assert float(plane.signed_distance(np.zeros((1, 3)))[0]) == pytest.approx(0, abs=2)
    assert measured(padded).side is Side.LEFT


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"side": "left", "crosses_midline": False}, "on the patient's left"),
        (
            {"side": "right", "crosses_midline": True, "across_midline_mm": 12.4},
            "mostly on the patient's right and 12 mm across the midline",
        ),
        ({"side": "midline", "crosses_midline": True}, "across the midline"),
        ({"side": "midline", "crosses_midline": False}, "at the midline"),
        ({"side": "unknown", "crosses_midline": None}, "side not known"),
        ({"side": "right"}, "on the patient's right"),  # a report of before
    ],
)
def test_the_side_in_words(fields: dict[str, Any], words: str) -> None:
    assert side_words(make_lesion(**fields)) == words


def test_the_position_in_words() -> None:
    known = {"anterior_posterior": "anterior", "superior_inferior": "superior"}
    assert position_words(make_lesion(**known)) == "anterior, superior"
    assert position_words(make_lesion(anterior_posterior=None, superior_inferior=None)) == ""
    assert position_words(make_lesion()) == ""
