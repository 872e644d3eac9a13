"""Known turns and shifts of real heads are found again; what is another head is refused."""

from pathlib import Path

import numpy as np
import pytest

from model.geometry import move
from model.reading.nifti import read_nifti
from model.reading.read import read, scan_at
from model.registration.rigid import Registration, register
from model.volume import Volume
from tests.conftest import FRONTAL
from tests.phantoms.heads import Point, head
from tests.phantoms.moved_heads import UPRIGHT, Moved, middle, scanned_again

MOVES: tuple[tuple[Point, Point], ...] = (
    (UPRIGHT, (3, 3, 2.75)),  # half a slice: what the thick slices can tell least of
    ((5, 3, -10), (8, -6, 4)),
    ((0, 0, 25), (20, 10, 0)),
    ((15, -10, 15), (0, 30, -20)),
)
THICK_MM, THIN_MM = 3.5, 2.0  # of slices of 5 mm and more, and of thinner ones


def furthest(volume: Volume, found: Registration, moved: Moved) -> float:
    """How far from the truth, in mm, at eight places on a head's surface."""
    corners = np.array([[x, y, z] for x in (-60, 60) for y in (-75, 75) for z in (-45, 45)])
    places = middle(volume) + corners
    away = move(places, found.to_other) - move(places, moved.motion)
    return float(np.linalg.norm(away, axis=1).max())


def found_again(
    volume: Volume, degrees: Point, shift: Point, spacing: Point | None = None
) -> float:
    moved = scanned_again(volume, degrees, shift, spacing)
    found = register(volume, moved.volume)
    assert found is not None
    assert found.succeeded, (found.score, found.disagreement_mm)
    return furthest(volume, found, moved)


@pytest.mark.parametrize(("degrees", "shift"), MOVES)
def test_a_clinical_head_is_found_again(degrees: Point, shift: Point) -> None:
    assert found_again(read_nifti(FRONTAL), degrees, shift) < THICK_MM


def test_a_head_on_another_grid_is_found_again() -> None:
    spacing = (1.3, 1.3, 4.0)
    assert found_again(read_nifti(FRONTAL), (4, -3, 12), (6, 8, -5), spacing) < THICK_MM


def test_a_head_of_another_hospital_is_found_again(shared_data: Path) -> None:
    volume = read_nifti(shared_data / "other" / "openms_long_patient09_study2_FLAIR.nii.gz")
    assert found_again(volume, *MOVES[1]) < THIN_MM


def test_a_dicom_head_is_found_again(shared_data: Path) -> None:
    volume = read(scan_at(shared_data / "dicom" / "brainix_flair"))
    assert found_again(volume, *MOVES[3]) < THICK_MM


def test_another_head_is_not_registered(shared_data: Path) -> None:
    first = read_nifti(shared_data / "other" / "openms_long_patient01_study2_FLAIR.nii.gz")
    second = read_nifti(shared_data / "other" / "openms_long_patient09_study2_FLAIR.nii.gz")
    for other in (second, read_nifti(FRONTAL)):
        found = register(first, other)
        assert found is not None
        assert not found.succeeded, (found.score, found.disagreement_mm)


def test_noise_and_air_are_not_registered() -> None:
    volume = head().volume()
    rng = np.random.default_rng(3)
    noise = rng.uniform(0, 100, volume.shape).astype(np.float32)
    found = register(volume, head().volume(voxels=noise))
    assert found is None or not found.succeeded
    assert register(volume, head().volume(voxels=np.zeros(volume.shape, np.float32))) is None


def test_what_has_no_sides_or_no_volume_is_not_registered() -> None:
    volume = head().volume()
    assert register(volume, head().volume(sides_known=False)) is None
    assert register(head().volume(voxels=volume.voxels[:, :, :3]), volume) is None
