"""How much a volume varies by chance: heads scanned again by computation, and what follows."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from model.measurement.repeatability import Repeatability, read_repeatability
from model.volume import Volume
from tests.phantoms.heads import BRAIN, LESION, head
from tools.experiments.repeated_scans import (
    AGAIN,
    FIRST,
    NAMES,
    OTHER,
    Head,
    as_text,
    chosen,
    coefficient,
    fitted,
    icc,
    interval,
    squares,
    table,
)
from tools.experiments.scan_again import Retake, scanned_again
from training.mixed_cache import Source

HALFWAY = (BRAIN + LESION) / 2 / BRAIN


def again(how: Retake, thickness: float = 1.0) -> tuple[Volume, Volume]:
    volume = head().volume()
    return volume, scanned_again(volume, how, thickness, np.random.default_rng(0))


def bright_ml(volume: Volume) -> float:
    """What is nearer to the phantom's lesion in brightness than to its brain."""
    bright = volume.levels.bright(volume.voxels) > HALFWAY * volume.levels.middle
    return float(bright.sum() * abs(np.linalg.det(volume.affine[:3, :3])) / 1000)


@pytest.mark.parametrize(
    "how",
    [
        Retake(shifted=(0.5, 0.5, 0.5)),
        Retake(turned=(6.0, -4.0, 8.0)),
        Retake(noise=0.02),
        Retake(pixels=1.25, slices=1.4),
    ],
)
def test_a_lesion_has_its_size_in_another_scan(how: Retake) -> None:
    first, second = again(how)
    assert bright_ml(second) == pytest.approx(bright_ml(first), rel=0.12)
    assert np.isfinite(second.voxels).all()
    assert not (first.shape == second.shape and np.array_equal(first.voxels, second.voxels))


def test_shades_and_contrast_leave_the_air_and_the_place() -> None:
    for how in (Retake(shaded=0.2), Retake(contrast=1.2)):
        first, second = again(how)
        bright = first.levels.bright(first.voxels)
        ratio = second.levels.bright(second.voxels)[bright > 0] / bright[bright > 0]
        assert second.levels.air == pytest.approx(first.levels.air, abs=1)
        assert ratio.min() < 0.98 < 1.02 < ratio.max()
        assert 0.8 < second.levels.middle / first.levels.middle < 1.25


def test_larger_voxels_show_the_same_head() -> None:
    first, second = again(Retake(pixels=1.25, slices=1.4))
    spacing = np.array(second.spacing) / first.spacing
    assert sorted(spacing) == pytest.approx([1.25, 1.25, 1.4])
    extent = np.array(second.shape) * second.spacing
    assert extent == pytest.approx(np.array(first.shape) * first.spacing, abs=max(second.spacing))


def heads(alike: float, other: float, count: int = 400) -> list[Head]:
    """Heads whose volumes vary by these standard deviations of the logarithm."""
    random = np.random.default_rng(1)
    found = []
    for number in range(count):
        true = float(np.exp(random.uniform(0, 5)))
        spreads = {name: other if name in OTHER else alike for name in NAMES}
        ml = {name: true * float(np.exp(random.normal(0, s))) for name, s in spreads.items()}
        found.append(Head(f"h{number}", ("lgg", "brats")[number % 2], ml))
    return found


def test_the_coefficient_holds_19_of_20_differences() -> None:
    measured = fitted(heads(0.05, 0.2), "0" * 64)
    assert measured.offset_ml <= 0.5
    assert measured.alike == pytest.approx(1.96 * np.sqrt(2) * 0.05, rel=0.1)
    assert measured.other == pytest.approx(1.96 * np.hypot(0.05, 0.2), rel=0.1)
    low, high = interval(squares(heads(0.05, 0.2), 0.0, AGAIN))
    assert low < measured.alike < high
    fresh = heads(0.05, 0.2, count=900)[400:]
    ranges = [(measured.range_ml(h.ml[FIRST], made_alike=True), h.ml[AGAIN[0]]) for h in fresh]
    held = np.mean([low <= ml <= high for (low, high), ml in ranges])
    assert held == pytest.approx(0.95, abs=0.03)


def test_the_table_tells_heads_without_tumor_and_the_file_is_read_again() -> None:
    some = heads(0.05, 0.2, count=20)
    lost = Head("lost", "lgg", some[0].ml | {AGAIN[0]: 0.0})
    measured = fitted(some, "0" * 64)
    lines = list(table([*some, lost], measured))
    assert any(line.startswith("| lgg | again 1 | 10 | 1 |") for line in lines)
    assert any(line.startswith("| all | otherwise 2 | 21 | 0 |") for line in lines)
    assert read_repeatability(json_of(measured)).alike == pytest.approx(measured.alike, abs=1e-4)


def json_of(measured: Repeatability) -> dict[str, object]:
    found: dict[str, object] = json.loads(as_text(measured))
    return found


def test_agreement_of_equal_and_of_random_measurings() -> None:
    true = np.linspace(1, 50, 30)
    assert icc(np.column_stack([true, true])) == pytest.approx(1)
    noise = np.random.default_rng(0).normal(size=(300, 2))
    assert abs(icc(noise)) < 0.15
    assert coefficient(np.zeros(5)) == 0


def names(found: Sequence[Source]) -> list[str]:
    return [source.name for source in found]


def test_more_heads_hold_the_fewer() -> None:
    kinds = ("lgg", "brats")
    sources = [Source(f"{kind}{n:02}", kind, Path()) for kind in kinds for n in range(26)]
    few, more = names(chosen(sources, 5)), names(chosen(sources, 12))
    assert more[:10] == few
    assert len(set(more)) == 24
    assert len(chosen(sources, 99)) == 52
