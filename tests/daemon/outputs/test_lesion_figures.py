"""Pictures of single lesions and of three planes: lines, letters and bars where they belong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from daemon.outputs.lesion_figures import GAP, TALLEST, save_lesions, save_planes
from daemon.outputs.overlay import (
    OTHER,
    OUTLINE,
    OVERLAY_SIDE,
    RIM,
    TEXT,
    draw_line,
    draw_outline,
    draw_scale_bar,
    save_overlay,
)
from daemon.outputs.slice_rendering import display
from daemon.report import Report
from model.volume import Scale
from tests.phantoms.heads import ORDERS, Head, Point, head, sphere
from tests.phantoms.reports import LESION, make_report

AT: Point = (38, 30, 12.5)
PHANTOM = head(lesion=AT, radius=16)
ENDS = ((22.0, 30.0, 12.5), (54.0, 30.0, 12.5))  # from left to right through the lesion
ACROSS = ((38.0, 14.0, 12.5), (38.0, 46.0, 12.5))


def report(ends: bool = True, count: int = 1) -> Report:
    lines: dict[str, Any] = {
        "longest_diameter_ends_ras_mm": ENDS,
        "perpendicular_diameter_ends_ras_mm": ACROSS,
    }
    lesion = LESION | {"longest_diameter_mm": 32.0, "perpendicular_diameter_mm": 32.0}
    lesions: list[dict[str, Any]] = [lesion | {"id": number} for number in range(1, count + 1)]
    lesions[0] |= lines if ends else {}
    return make_report(scan_id="abc", lesions=lesions)


def pixels(path: Path) -> NDArray[np.int64]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int64)


def lesion_picture(folder: Path, phantom: Head, content: Report) -> NDArray[np.int64]:
    save_lesions(phantom.volume(), phantom.lesion, content, folder)
    return pixels(folder / "abc_lesion1.png")


def test_the_diameters_are_drawn_between_their_end_points(tmp_path: Path) -> None:
    with_lines = lesion_picture(tmp_path, PHANTOM, report())
    without = lesion_picture(tmp_path, PHANTOM, report(ends=False))
    rows, columns = np.nonzero((with_lines != without).any(axis=2))
    shown = display(PHANTOM.volume(), PHANTOM.lesion)
    size = shown.size(OVERLAY_SIDE)
    for line, places in ((ENDS, columns), (ACROSS, rows)):
        axis = 0 if line is ENDS else 1
        drawn = sorted(shown.place(end, size)[axis] for end in line)
        assert places.min() == pytest.approx(drawn[0], abs=5)
        assert places.max() == pytest.approx(drawn[1], abs=5)
    marked = np.argwhere((without == OUTLINE).all(axis=2))
    assert columns.min() == pytest.approx(marked[:, 1].min(), abs=12)  # the outline's own ends
    assert columns.max() == pytest.approx(marked[:, 1].max(), abs=12)


def test_the_slice_is_that_of_the_diameters_in_all_48_orders(tmp_path: Path) -> None:
    expected = lesion_picture(tmp_path, PHANTOM, report())
    for order in ORDERS[::5]:
        drawn = lesion_picture(tmp_path, PHANTOM.stored(order), report())
        assert np.array_equal(drawn, expected), order


def test_each_lesion_has_its_own_picture_and_the_others_are_white(tmp_path: Path) -> None:
    second = sphere(PHANTOM.voxels.shape, PHANTOM.affine, (-40, -20, 12), 10)
    two = Head(PHANTOM.voxels, np.maximum(PHANTOM.lesion, second), PHANTOM.affine)
    save_lesions(two.volume(), two.lesion, report(ends=False, count=2), tmp_path)
    for number, is_left_half in ((1, True), (2, False)):
        picture = pixels(tmp_path / f"abc_lesion{number}.png")
        own = np.argwhere((picture == OUTLINE).all(axis=2))[:, 1]
        assert (own < picture.shape[1] / 2).all() == is_left_half  # the patient's right
        assert len(own) > 50
    assert (pixels(tmp_path / "abc_lesion1.png")[:300] == OTHER).all(axis=2).sum() > 50


def test_no_more_than_six_lesions_are_drawn(tmp_path: Path) -> None:
    mask = np.zeros(PHANTOM.voxels.shape, np.uint8)
    mask[10:30:3, 20, 12] = 1
    save_lesions(PHANTOM.volume(), mask, report(ends=False, count=7), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"abc_lesion{number}.png" for number in range(1, 7)}


def bar_length(picture: Image.Image) -> int:
    """Pixels of the white line at the lower edge."""
    row = (np.asarray(picture)[picture.height - 12] == TEXT).all(axis=1)
    return int(row.sum())


def test_the_scale_bar_has_its_length(tmp_path: Path) -> None:
    save_overlay(display(PHANTOM.volume(), PHANTOM.lesion), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        body = picture.crop((0, 0, picture.width, picture.height - 26))
        assert bar_length(body) == pytest.approx(50 / (44 * 4.0) * picture.width, abs=6)
    unknown = display(PHANTOM.volume(scale=Scale.UNKNOWN), PHANTOM.lesion)
    assert unknown.column_mm is None
    save_overlay(unknown, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as picture:
        assert bar_length(picture.crop((0, 0, picture.width, picture.height - 26))) < 10  # the P


def test_a_bar_never_leaves_a_small_picture() -> None:
    for width, mm in ((100, 4.0), (300, 0.1), (60, 30.0)):
        picture = Image.new("RGB", (width, 80))
        draw_scale_bar(picture, mm)
        assert not np.asarray(picture)[:, : width // 2].any()


@pytest.mark.parametrize("tissue", [0, 128, 255])
def test_marks_are_told_on_any_tissue_in_black_and_white(tissue: int) -> None:
    picture = Image.new("RGB", (120, 120), (tissue,) * 3)
    inside = np.zeros((120, 120), bool)
    inside[40:80, 40:80] = True
    draw_outline(picture, inside, 2, OUTLINE)
    draw_line(picture, (50, 60), (70, 60))
    grey = np.asarray(picture.convert("L")).astype(int)
    for profile in (grey[60, 30:48], grey[30:90, 60][20:40]):
        assert profile.max() - profile.min() > 150
    assert (np.asarray(picture) == RIM).all(axis=2).sum() > 100


def test_letters_stand_at_all_four_edges(tmp_path: Path) -> None:
    known, unknown = tmp_path / "known.png", tmp_path / "unknown.png"
    save_overlay(display(PHANTOM.volume(), None), known)
    save_overlay(display(PHANTOM.volume(sides_known=False), None), unknown)
    differs = (pixels(known) != pixels(unknown)).any(axis=2)[:-26]
    rows, columns = differs.shape
    assert differs[:50, columns // 3 : -columns // 3].any()
    assert differs[-50:, columns // 3 : -columns // 3].any()
    assert differs[rows // 3 : -rows // 3, :50].any()
    assert differs[rows // 3 : -rows // 3, -50:].any()
    assert not differs[100 : rows // 3, 100:-100].any()


def test_three_planes_cut_the_lesion_where_it_is_in_all_48_orders(tmp_path: Path) -> None:
    drawn = set()
    for order in ORDERS[::5]:
        phantom = PHANTOM.stored(order)
        save_planes(phantom.volume(), phantom.lesion, AT, tmp_path / "planes.png")
        drawn.add((tmp_path / "planes.png").read_bytes())
    assert len(drawn) == 1
    picture = pixels(tmp_path / "planes.png")
    scale = TALLEST / 216  # mm: the phantom's grid is 176 x 216 x 150 mm, its middle at 0
    middles = [88, 176 + 88, 2 * 176 + 108]  # of the panels
    ends = [(0, 176), (176, 352), (352, 568)]
    offsets = [(-AT[0], -AT[1]), (-AT[0], -AT[2]), (-AT[1], -AT[2])]
    for number, ((start, end), middle, (x, y)) in enumerate(
        zip(ends, middles, offsets, strict=True)
    ):
        left = round(start * scale) + number * GAP
        panel = picture[:TALLEST, left : round(end * scale) + number * GAP]
        marked = np.argwhere((panel == OUTLINE).all(axis=2))
        at = marked.min(axis=0) / 2 + marked.max(axis=0) / 2
        assert at[1] == pytest.approx((middle - start + x) * scale, abs=6), number
        assert at[0] == pytest.approx(TALLEST / 2 + y * scale, abs=6), number


def test_planes_without_a_lesion_show_the_middle(tmp_path: Path) -> None:
    mask = np.zeros_like(PHANTOM.lesion)
    save_planes(PHANTOM.volume(), mask, None, tmp_path / "planes.png")
    assert not (pixels(tmp_path / "planes.png") == OUTLINE).all(axis=2).any()
