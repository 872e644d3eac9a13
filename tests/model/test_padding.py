"""Padding is not air, a hot voxel is no tissue, and a mask is no scan."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.inference.analysis import analyze
from model.inference.input_check import load_input_check
from model.inference.segmentation import Rules
from model.intensity import Levels, is_mask, range_of
from model.measurement.findings import Finding
from model.network.network import load_network
from model.reading.nifti import read_nifti
from model.reading.read import read, scan_at, without_padding
from model.rules import RULES
from model.volume import Volume, axial_stack
from tests.conftest import FRONTAL
from tests.phantoms.heads import codes, head, write_nifti
from training.datasets import Case, find_cases

SMALLEST = float(np.finfo(np.float32).min)
PADDING = (-1024.0, -2000.0, -1e4, SMALLEST, np.nan, -np.inf)
HEAD = head()
AIR = HEAD.voxels == 0


def levels_of_file(folder: Path, voxels: NDArray[Any]) -> Levels:
    return read(scan_at(write_nifti(folder / "scan.nii", voxels, HEAD.affine))).levels


def same(one: Levels, other: Levels) -> bool:
    """Within 2 per cent: in what a network sees and where the head is."""
    near = [
        abs(one.edge - other.edge) <= 0.02 * other.edge,
        abs(one.middle - other.middle) <= 0.02 * other.middle,
        abs(one.white - other.white) <= 0.02 * other.white,
    ]
    return all(near)


@pytest.mark.parametrize("value", PADDING)
def test_a_background_of_any_value_below_all_is_padding(tmp_path: Path, value: float) -> None:
    sound = levels_of_file(tmp_path, HEAD.voxels)
    for padded in (AIR, np.indices(AIR.shape)[0] < 4, HEAD.voxels < 50):
        voxels = np.where(padded, np.float32(value), HEAD.voxels)
        assert same(levels_of_file(tmp_path, voxels), sound)


@pytest.mark.parametrize("value", PADDING)
def test_a_z_scored_scan_may_be_padded_too(tmp_path: Path, value: float) -> None:
    noise = np.random.default_rng(5).normal(0, 2, HEAD.voxels.shape)
    scored = HEAD.voxels + np.where(AIR, noise, 0)
    scored = ((scored - scored.mean()) / scored.std()).astype(np.float32)
    sound = levels_of_file(tmp_path, scored)
    voxels = np.where(np.indices(AIR.shape)[1] < 3, np.float32(value), scored)
    assert same(levels_of_file(tmp_path, voxels), sound)


@pytest.mark.parametrize("value", [1e9, -1e9, 3e38, -3e38, 32767, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0, 0), (22, 27, 15)])
def test_one_hot_or_cold_voxel_changes_nothing(
    tmp_path: Path, value: float, place: tuple[int, int, int]
) -> None:
    voxels = HEAD.voxels.copy()
    voxels[place] = value
    assert same(levels_of_file(tmp_path, voxels), levels_of_file(tmp_path, HEAD.voxels))


def test_a_background_brighter_than_all_is_padding(tmp_path: Path) -> None:
    voxels = np.where(AIR, np.float32(65535), HEAD.voxels)
    assert same(levels_of_file(tmp_path, voxels), levels_of_file(tmp_path, HEAD.voxels))


@pytest.mark.parametrize("factor", [1e30, 1e-30, 1e37])
def test_values_beyond_reckoning_come_near_1(tmp_path: Path, factor: float) -> None:
    found = levels_of_file(tmp_path, HEAD.voxels * np.float32(factor / 1000))
    sound = levels_of_file(tmp_path, HEAD.voxels)
    assert found.white / found.middle == pytest.approx(sound.white / sound.middle, rel=1e-5)
    assert 1e-6 < found.middle < 1e6


def test_a_scan_without_padding_is_left_as_it_is() -> None:
    for volume in (HEAD.volume(), read_nifti(FRONTAL)):
        assert without_padding(volume).voxels is volume.voxels


def test_real_scans_are_left_as_they_are(shared_data: Path) -> None:
    for case in _cases(shared_data)[::9]:
        volume = read_nifti(case.flair)
        assert without_padding(volume).voxels is volume.voxels


def _cases(shared: Path) -> list[Case]:
    return [*find_cases(shared / "lgg").values(), *find_cases(shared / "brats").values()]


def soft(mask: NDArray[Any]) -> NDArray[np.float32]:
    """A mask with grey edges, as resampling leaves it."""
    grey = mask.astype(np.float32)
    return np.asarray((grey + np.roll(grey, 1, 0) + np.roll(grey, 1, 1)) / 3, np.float32)


MASKS: dict[str, Callable[[NDArray[np.uint8]], NDArray[Any]]] = {
    "0 and 1": lambda lesion: lesion,
    "0 and 255": lambda lesion: lesion * np.uint8(255),
    "labels": lambda lesion: lesion * (1 + np.arange(lesion.shape[2]) % 4),
    "grey edges": soft,
    "all but one": lambda lesion: np.where(lesion, 7, 100 + (np.indices(lesion.shape)[0] == 2)),
    "brain": lambda lesion: HEAD.voxels > 90,
    "negative": lambda lesion: np.where(lesion, -1.0, 3.0),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_is_not_analyzed(tmp_path: Path, name: str) -> None:
    file = write_nifti(
        tmp_path / "mask.nii.gz", MASKS[name](HEAD.lesion).astype(np.float32), HEAD.affine
    )
    found = analyze(read(scan_at(file)), load_network(), Rules(0.5, 0, False), None)
    assert found.findings.finding is Finding.NOT_ANALYZED
    assert codes(found.findings.notes)[0] == "mask"
    assert found.findings.notes[0].message == (
        "The file is a mask, not a scan: it has only a few different values."
    )


def test_drawn_masks_are_masks_and_scans_are_none(shared_data: Path) -> None:
    for case in _cases(shared_data)[::6]:
        for file, expected in ((case.flair, False), (case.mask, True)):
            volume = read_nifti(file)
            assert is_mask(axial_stack(volume.voxels, volume.affine)) is expected, file.name
    for picture in sorted((shared_data / "pictures").iterdir()):
        volume = read(scan_at(picture), RULES)
        is_drawn = picture.stem.endswith("_seg")
        assert is_mask(axial_stack(volume.voxels, volume.affine)) is is_drawn, picture.name


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("value", PADDING)
def test_the_finding_of_a_padded_scan_is_that_of_the_scan(tmp_path: Path, value: float) -> None:
    sample = read_nifti(FRONTAL)
    sound = _finding(sample)
    voxels = np.where(sample.voxels == 0, np.float32(value), sample.voxels)
    voxels[5, 5, 5], voxels[7, 9, 11] = 1e9, -1e9
    found = _finding(read(scan_at(write_nifti(tmp_path / "scan.nii", voxels, sample.affine))))
    assert found[0] == pytest.approx(sound[0], rel=0.02)
    assert found[1:] == sound[1:]


def _finding(volume: Volume) -> tuple[float, ...]:
    volume = replace(volume, notes=())
    check = load_input_check(0.25)
    findings = analyze(volume, load_network(), Rules(0.5, 100, False), check).findings
    return findings.volume_ml, *(round(mm) for mm in findings.lesions[0].centroid)


def test_the_range_is_that_of_the_scan_alone() -> None:
    stack = axial_stack(np.where(AIR, np.float32(-1024), HEAD.voxels), HEAD.affine)
    found = range_of(stack)
    assert -1024 < found.floor < 0 < HEAD.voxels.max() < found.ceiling
    assert float(found.dark) == 0
    assert not found.hot_is_padding
