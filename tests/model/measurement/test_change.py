"""Change on phantoms of known size, pasted into a real head that is turned and scanned anew."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.outputs.report_builder import change_since
from model.geometry import inverse
from model.measurement.change import Change, Marked, Measured, compare
from model.measurement.findings import measure
from model.measurement.repeatability import Repeatability
from model.reading.nifti import read_nifti
from model.registration.rigid import Registration, register
from model.rules import ChangeRules
from model.volume import Affine, MaskArray, Volume
from tests.conftest import FRONTAL
from tests.phantoms.heads import Point
from tests.phantoms.moved_heads import ball, middle, moved_place, scanned_again, with_ball

RULES = ChangeRules()
LEFT = np.array([-38.0, -20.0, 12.0])  # mm from the middle of the head
RIGHT = np.array([36.0, -28.0, 14.0])


@pytest.fixture(scope="module")
def clinical() -> Volume:
    return read_nifti(FRONTAL)


def measured(volume: Volume, mask: MaskArray, network: str = "a") -> Measured:
    findings = measure(mask, volume.affine, None)
    longest = [lesion.diameters.longest.length for lesion in findings.lesions]
    marked = Marked(mask, volume.affine)
    return Measured(findings.volume_ml, max(longest, default=0.0), None, (network,), True, marked)


def in_two_scans(
    volume: Volume,
    before: list[tuple[NDArray[np.float64], float]],
    after: list[tuple[NDArray[np.float64], float]],
    spacing: Point | None = None,
) -> tuple[Measured, Measured, Registration | None]:
    """Balls (mm from the middle, radius) in a head, and in the same head scanned again."""
    moved = scanned_again(volume, (6, -4, 14), (9, -5, 6), spacing)
    first, second = volume, moved.volume
    old = np.zeros(first.shape, np.uint8)
    new = np.zeros(second.shape, np.uint8)
    for away, radius in before:
        first = with_ball(first, middle(volume) + away, radius)
        old |= ball(volume, middle(volume) + away, radius)
    for away, radius in after:
        place = moved_place(moved, middle(volume) + away)
        second = with_ball(second, place, radius)
        new |= ball(second, place, radius)
    return measured(first, old), measured(second, new), register(second, first)


def ml(radius: float) -> float:
    return 4 / 3 * np.pi * radius**3 / 1000


def test_a_grown_lesion_is_the_same_one(clinical: Volume) -> None:
    old, new, registration = in_two_scans(clinical, [(LEFT, 12)], [(LEFT, 16)])
    change = compare(old, new, 61, registration, RULES)
    assert change.registered
    assert (change.new_lesions, change.gone_lesions) == ((), ())
    grown = ml(16) - ml(12)
    assert change.volume_ml == pytest.approx(grown, rel=0.05)
    assert change.volume_percent == pytest.approx(100 * grown / ml(12), rel=0.08)
    assert change.longest_mm == pytest.approx(8, abs=2)
    assert change.volume_ml_per_30_days == pytest.approx(grown / 61 * 30, rel=0.05)
    assert change.comparable


def test_of_two_lesions_one_is_new(clinical: Volume) -> None:
    old, new, registration = in_two_scans(clinical, [(LEFT, 15)], [(LEFT, 15), (RIGHT, 9)])
    change = compare(old, new, 30, registration, RULES)
    assert (change.new_lesions, change.gone_lesions) == ((2,), ())  # 2: the smaller one
    assert change.volume_ml == pytest.approx(ml(9), rel=0.1)
    back = compare(new, old, 30, register_back(registration), RULES)
    assert (back.new_lesions, back.gone_lesions) == ((), (2,))


def register_back(registration: Registration | None) -> Registration:
    assert registration is not None
    return replace(registration, to_other=inverse(registration.to_other))


def test_one_new_and_one_gone(clinical: Volume) -> None:
    old, new, registration = in_two_scans(clinical, [(LEFT, 10)], [(RIGHT, 10)])
    change = compare(old, new, 30, registration, RULES)
    assert (change.new_lesions, change.gone_lesions) == ((1,), (1,))
    assert change.volume_ml == pytest.approx(0, abs=0.4)


def test_without_the_registration_only_numbers_are_compared(clinical: Volume) -> None:
    old, new, registration = in_two_scans(clinical, [(LEFT, 10)], [(LEFT, 12), (RIGHT, 9)])
    assert registration is not None
    for poor in (None, replace(registration, score=0.5), replace(registration, disagreement_mm=9)):
        change = compare(old, new, 30, poor, RULES)
        assert (change.registered, change.new_lesions, change.gone_lesions) == (False, None, None)
        assert change.volume_ml > 0
        assert "lesions were not matched" in told(change)


def test_other_voxels_are_measured_differently(clinical: Volume) -> None:
    old, new, registration = in_two_scans(
        clinical, [(LEFT, 12)], [(LEFT, 16)], spacing=(0.9, 0.9, 3.0)
    )
    change = compare(old, new, 61, registration, RULES)
    assert change.differs == ("spacing",)
    assert change.registered
    assert change.volume_ml == pytest.approx(ml(16) - ml(12), rel=0.06)
    assert change.volume_ml_per_30_days is None
    assert "not comparable (different acquisition): other voxel sizes." in told(change)
    assert "%" not in told(change)
    assert " ml" not in told(change)
    assert compare(old, new, 61, registration, ChangeRules(spacing_ratio=2)).comparable


EMPTY = np.zeros((20, 20, 10), np.uint8)
GRID: Affine = np.diag([1.0, 1.0, 5.0, 1.0])


def sizes(volume_ml: float, mask: MaskArray = EMPTY, affine: Affine = GRID) -> Measured:
    return Measured(volume_ml, 10.0 * bool(volume_ml), None, ("a",), True, Marked(mask, affine))


def told(change: Change) -> str:
    return change_since(change, "f" * 20, 1, "2024-01-31").words


def test_another_plane_network_or_scale_is_measured_differently() -> None:
    sagittal = GRID[[2, 0, 1, 3]]
    assert compare(sizes(1), sizes(1, affine=sagittal), 30, None, RULES).differs == ("plane",)
    other = replace(sizes(1), analyzed_by=("b",))
    assert compare(sizes(1), other, 30, None, RULES).differs == ("network",)
    undeclared = replace(sizes(1), declared=False)
    assert compare(undeclared, sizes(1), 30, None, RULES).differs == ("scale",)
    part = compare(replace(sizes(1), incomplete=True), sizes(2), 30, None, RULES)
    assert (part.differs, part.volume_ml_per_30_days) == (("incomplete",), None)
    assert "a scan is incomplete" in told(part)


def test_from_nothing_and_to_nothing() -> None:
    one = EMPTY.copy()
    one[5:8, 5:8, 4:6] = 1
    some = sizes(0.09, one)
    appeared = compare(sizes(0), some, 30, None, RULES)
    assert (appeared.volume_percent, appeared.new_lesions, appeared.gone_lesions) == (
        None,
        (1,),
        (),
    )
    vanished = compare(some, sizes(0), 30, None, RULES)
    assert vanished.volume_percent == pytest.approx(-100)
    assert (vanished.new_lesions, vanished.gone_lesions) == ((), (1,))


def test_what_the_earlier_scan_did_not_picture_is_not_new() -> None:
    """In line as they lie: the later grid reaches further up than the earlier one."""
    here = Registration(np.eye(4), 1.0, 0.0)
    tall = np.zeros((20, 20, 20), np.uint8)
    tall[5:8, 5:8, 15:18] = 1
    seen = EMPTY.copy()
    seen[15:18, 15:18, 2:4] = 1
    change = compare(sizes(1, seen), sizes(1, tall), 30, here, RULES)
    assert (change.new_lesions, change.gone_lesions) == ((), (1,))


def test_a_short_time_gives_no_rate_and_ranges_may_overlap() -> None:
    first = replace(sizes(10), volume_range=(8.0, 12.0))
    second = replace(sizes(11), volume_range=(9.0, 13.0))
    soon = compare(first, second, 2, None, RULES)
    assert soon.volume_ml_per_30_days is None
    assert soon.ranges_overlap
    assert "The ranges of both volumes overlap." in told(soon)
    far = compare(first, replace(second, volume_range=(12.5, 14.0)), 20, None, RULES)
    assert far.ranges_overlap is False
    assert far.volume_ml_per_30_days == pytest.approx(1.5)


VARIES = Repeatability(0.5, math.log(1.2), math.log(1.5), 0.5, "a")


def test_a_change_is_told_beside_what_repeated_measuring_varies() -> None:
    small = compare(sizes(10), sizes(11), 30, None, RULES, VARIES)
    assert small.repeat_range_ml == pytest.approx((8.25, 12.1))
    assert "is within what repeated measuring varies (21 %)." in told(small)
    large = compare(sizes(10), sizes(7), 30, None, RULES, VARIES)
    assert "is more than repeated measuring varies (18 %)." in told(large)
    new = change_since(compare(sizes(0), sizes(2), 30, None, RULES, VARIES), "f" * 20, 1, "2024")
    assert (new.beyond_repeat, new.repeat_percent) == (True, None)
    assert "is more than repeated measuring varies (0.1 ml)." in new.words


def test_other_voxels_or_another_plane_vary_more() -> None:
    thicker = sizes(14, affine=np.diag([1.0, 1.0, 6.0, 1.0]))
    change = compare(sizes(10), thicker, 30, None, RULES, VARIES)
    assert change.repeat_range_ml == pytest.approx((6.5, 15.25))
    angle = np.radians(8)
    turned = GRID.copy()
    turned[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned[:3, 2] *= 5
    assert compare(
        sizes(10), sizes(10, affine=turned), 30, None, RULES, VARIES
    ).repeat_range_ml == (change.repeat_range_ml)
    unseen = replace(sizes(10), marked=None)
    assert compare(sizes(10), unseen, 30, None, RULES, VARIES).repeat_range_ml == (
        change.repeat_range_ml
    )


def test_no_figure_where_it_is_not_known_or_not_comparable() -> None:
    for change in (
        compare(sizes(10), sizes(20), 30, None, RULES),
        compare(sizes(10), replace(sizes(20), declared=False), 30, None, RULES, VARIES),
    ):
        report = change_since(change, "f" * 20, 1, "2024-01-31")
        assert (report.repeat_range_ml, report.beyond_repeat, report.repeat_percent) == (None,) * 3
        assert "repeated" not in report.words


def test_the_words_name_no_category_of_response() -> None:
    change = compare(sizes(20), sizes(8), 92, None, RULES, VARIES)
    words = told(change)
    assert words.startswith(
        "FLAIR change vs prior of 2024-01-31 (92 days): -12.0 ml (-60 %), longest diameter +0 mm"
    )
    for category in ("response", "progress", "stable", "PR", "PD", "SD"):
        assert category not in words
