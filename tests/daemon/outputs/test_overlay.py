"""What people see: the outline on the patient's own side, letters only where sides are known."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from daemon.outputs.overlay import (
    OTHER,
    OUTLINE,
    OVERLAY_SIDE,
    montage_slices,
    save_difference,
    save_montage,
    save_overlay,
)
from daemon.outputs.scan_folder import write_files, write_views
from daemon.outputs.slice_rendering import display
from model.inference.segmentation import Segmentation
from model.volume import Kind, Volume
from tests.phantoms.heads import ORDERS, Head, Point, Shape, head
from tests.phantoms.reports import make_report

RIGHT_FRONT = head(lesion=(38, 30, 12), radius=16)


def outlined(path: Path) -> NDArray[np.int64]:
    """(row, column) of every pixel in the outline's colour."""
    with Image.open(path) as picture:
        return np.argwhere((np.asarray(picture.convert("RGB")) == OUTLINE).all(axis=2))


def overlay(phantom: Head, folder: Path, volume: Volume | None = None) -> Path:
    path = folder / "overlay.png"
    save_overlay(display(volume or phantom.volume(), phantom.lesion), path)
    return path


def test_the_lesion_on_the_patients_right_is_on_the_pictures_left_in_all_48_orders(
    tmp_path: Path,
) -> None:
    seen = set()
    for order in ORDERS:
        path = overlay(RIGHT_FRONT.stored(order), tmp_path)
        marked = outlined(path)
        with Image.open(path) as picture:
            width, height = picture.size
        assert len(marked) > 50, order
        assert marked[:, 1].max() < width / 2, order
        assert marked[:, 0].mean() < height / 2, order  # in front is up
        seen.add(path.read_bytes())
    assert len(seen) == 1


def test_the_montage_shows_the_same_side_on_every_tile_in_all_48_orders(tmp_path: Path) -> None:
    for order in ORDERS:
        phantom = RIGHT_FRONT.stored(order)
        shown = display(phantom.volume(), phantom.lesion)
        save_montage(shown, tmp_path / "montage.png")
        tile = shown.size(160)[0]
        marked = outlined(tmp_path / "montage.png")
        assert len(marked) > 50, order
        assert (marked[:, 1] % tile < tile / 2).all(), order


@pytest.mark.parametrize(
    ("shape", "spacing", "lesion", "letters", "left", "top"),
    [
        ((44, 22, 36), (4.0, 8.0, 4.0), (38, 0, 34), ("R", "L"), True, True),  # coronal
        ((44, 22, 36), (4.0, 8.0, 4.0), (-38, 0, -34), ("R", "L"), False, False),
        ((18, 54, 36), (8.0, 4.0, 4.0), (0, 50, 30), ("A", "P"), True, True),  # sagittal
        ((18, 54, 36), (8.0, 4.0, 4.0), (0, -50, -30), ("A", "P"), False, False),
    ],
)
def test_thick_coronal_and_sagittal_slices_are_shown_upright(
    tmp_path: Path,
    shape: Shape,
    spacing: Point,
    lesion: Point,
    letters: tuple[str, str],
    left: bool,
    top: bool,
) -> None:
    whole = head(lesion=lesion, radius=14, shape=shape, spacing=spacing)
    for order in ORDERS[::7]:
        phantom = whole.stored(order)
        shown = display(phantom.volume(), phantom.lesion)
        assert shown.letters == (*letters, "S", "I")
        path = overlay(phantom, tmp_path)
        with Image.open(path) as picture:
            width, height = picture.size
        row, column = outlined(path).mean(axis=0)
        assert (column < width / 2, row < height / 2) == (left, top)


def test_the_overlay_shows_the_slice_with_the_largest_area() -> None:
    shown = display(RIGHT_FRONT.volume(), RIGHT_FRONT.lesion)
    assert shown.areas.tolist() == RIGHT_FRONT.lesion.sum(axis=(0, 1)).tolist()


def test_thick_pixels_are_shown_square(tmp_path: Path) -> None:
    phantom = head(shape=(88, 54, 30), spacing=(2.0, 4.0, 5.0))
    with Image.open(overlay(phantom, tmp_path)) as picture:
        width, height = picture.size
    assert max(width, height - 26) == OVERLAY_SIDE
    assert width / (height - 26) == pytest.approx(88 * 2 / (54 * 4), rel=0.01)


def edges_differ(one: Path, two: Path) -> tuple[bool, bool]:
    """Whether two pictures differ at the left and at the right edge."""
    with Image.open(one) as first, Image.open(two) as second:
        differs = (np.asarray(first) != np.asarray(second)).any(axis=2)
    return bool(differs[:, :60].any()), bool(differs[:, -60:].any())


def test_without_known_sides_there_are_no_letters(tmp_path: Path) -> None:
    unknown = display(RIGHT_FRONT.volume(sides_known=False), RIGHT_FRONT.lesion)
    assert unknown.letters is None
    known = display(RIGHT_FRONT.volume(), RIGHT_FRONT.lesion)
    assert known.letters == ("R", "L", "A", "P")
    for save in (save_overlay, save_montage):
        save(unknown, tmp_path / "unknown.png")
        save(known, tmp_path / "known.png")
        assert edges_differ(tmp_path / "unknown.png", tmp_path / "known.png") == (True, True)
    save_overlay(unknown, tmp_path / "unknown.png")
    with Image.open(tmp_path / "unknown.png") as picture:
        edge = np.asarray(picture)[:OVERLAY_SIDE, :30]
    assert edge.max() < 40  # air alone


def test_two_masks_are_outlined_where_they_differ_most(tmp_path: Path) -> None:
    phantom = head()
    before = phantom.lesion.copy()
    before[:, :, int(before.sum(axis=(0, 1)).argmax()) + 1] = 0  # the slice that differs
    shown = [display(phantom.volume(), mask) for mask in (before, phantom.lesion)]
    save_difference(shown[0], shown[1], "Both.", tmp_path / "both.png")
    with Image.open(tmp_path / "both.png") as opened:
        drawn = np.asarray(opened.convert("RGB"))
    assert (drawn == OUTLINE).all(axis=2).sum() > 50
    save_difference(shown[1], shown[0], "Both.", tmp_path / "back.png")
    with Image.open(tmp_path / "back.png") as opened:
        back = np.asarray(opened.convert("RGB"))
    assert (back == OUTLINE).all(axis=2).sum() == 0  # of what is not there
    assert (back == OTHER).all(axis=2).sum() > 50


def test_a_montage_holds_the_marked_slices_with_their_neighbours() -> None:
    mask = np.zeros(RIGHT_FRONT.voxels.shape, np.uint8)
    mask[20, 20, 7] = mask[20, 20, 12] = mask[20, 20, 0] = 1
    shown = display(RIGHT_FRONT.volume(), mask)
    assert montage_slices(shown) == [0, 1, 6, 7, 8, 11, 12, 13]


def test_a_montage_without_tumor_spreads_over_the_head() -> None:
    indices = montage_slices(display(RIGHT_FRONT.volume(), None))
    assert (indices[0], indices[-1], len(indices)) == (0, 29, 12)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_a_volume_without_contrast_is_drawn_black(tmp_path: Path, value: float) -> None:
    volume = RIGHT_FRONT.volume(voxels=np.full_like(RIGHT_FRONT.voxels, value))
    shown = display(volume, None)
    assert not any(shown.grey[index].any() for index in range(len(shown.grey)))
    save_overlay(shown, tmp_path / "overlay.png")
    save_montage(shown, tmp_path / "montage.png")


WHOLE = {"overlay.png", "planes.png", "montage.png", "seg.nii.gz", "prob.nii.gz"}


@pytest.mark.parametrize(
    ("kind", "analyzed", "expected"),
    [
        (Kind.NIFTI, True, WHOLE),
        (Kind.NIFTI, False, {"overlay.png"}),
        (Kind.DICOM, True, WHOLE | {"flair.nii.gz"}),
        (Kind.DICOM, False, {"overlay.png", "flair.nii.gz"}),
    ],
)
def test_every_kind_of_scan_gets_its_files(
    tmp_path: Path, kind: Kind, analyzed: bool, expected: set[str]
) -> None:
    probability = RIGHT_FRONT.lesion.astype(np.float32)
    segmentation = Segmentation(RIGHT_FRONT.lesion, probability, 0.5) if analyzed else None
    volume = RIGHT_FRONT.volume(kind=kind)
    write_files(volume, segmentation, tmp_path, "abc", True)
    if segmentation:
        write_views(volume, segmentation, make_report(scan_id="abc", lesions=[]), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"abc_{name}" for name in expected}
