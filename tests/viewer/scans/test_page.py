"""The scan page: its numbers in every form that a report takes, and its files."""

import json
from pathlib import Path
from typing import Any

from daemon.pipeline.window_presets import WINDOWS
from tests.viewer.test_house import PNG, lesion, open_house

ALL_FILES = {
    "overlay.png": PNG,
    "montage.png": PNG + b"2",
    "seg.nii.gz": b"\x1f\x8bmask",
    "flair.nii.gz": b"\x1f\x8bflair",
    "report.json": b'{"a": 1}',
}


async def test_the_numbers(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_patient("P1", name="Ada Lovelace", birth_date="1970-12-31")
        await house.add_scan("P1", "scan1")
        page = await house.page("/scans/scan1")
        for words in (
            "Ada Lovelace",
            "ID P1",
            "Born 1970-12-31, ",
            "FLAIR abnormality (whole tumor): 41.2 ml (39.0 to 44.0), one lesion",
            "on the patient&#39;s right",
            "<td>41.24 ml</td><td>52 × 38 mm</td><td>Right</td>",
            'lobe not determined</td><td class="jump">69</td><td>0.91</td>',
            "39.0 to 44.0 ml",
            "The file carries no date.",
            "unet-16, weights fedcba987654<",
            "240 × 240 × 155",
            "1.00 × 1.00 × 1.25 mm",
            "LPS",
            "0123456789ab<",
            "segment 7.2",
        ):
            assert words in page, words


async def test_a_picture_has_pixels_and_no_scale(tmp_path: Path) -> None:
    pixels = lesion(
        volume_ml=None,
        longest_diameter_mm=None,
        perpendicular_diameter_mm=None,
        longest_diameter_px=61.0,
        perpendicular_diameter_px=40.0,
        area_px=1900,
        side="unknown",
        largest_slice=0,
    )
    given = {
        "kind": "image",
        "files": 1,
        "sha256": "ab" * 32,
        "shape": [256, 256, 1],
        "spacing_mm": None,
        "orientation": None,
        "description": "",
        "acquired_at": None,
    }
    changes: dict[str, Any] = {"volume_ml": None, "volume_ml_range": None, "area_px": 1900}
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s", input=given, lesions=[pixels], **changes)
        page = await house.page("/scans/s")
        assert "1900 pixels, no scale" in page
        assert "61 × 40 pixels" in page
        assert "256 × 256 × 1" in page
        assert "Not known" in page
        assert "1900 pixels, no scale" in await house.page("/")


async def test_the_canvas_has_the_windows_that_our_own_slices_have(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        script = await house.page("/static/canvas/window_shares.js")
        shares = json.loads(script.removeprefix("export const SHARES = ").rstrip(";\n"))
        assert shares == {str(n): [each.black, each.white] for n, each in WINDOWS.items()}
        assert "./window_shares.js" in await house.page("/static/canvas/window_presets.js")
        assert str(WINDOWS[4].black) not in await house.page("/static/canvas/window_presets.js")


async def test_a_slab_has_an_area(tmp_path: Path) -> None:
    slab = lesion(volume_ml=None, area_mm2=812.0)
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "s", volume_ml=None, area_mm2=812.0, lesions=[slab])
        assert "812 mm" in await house.page("/scans/s")


async def test_no_tumor_and_not_analyzed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "none", finding="no_tumor", volume_ml=0.0, lesions=[])
        assert "No FLAIR abnormality found." in await house.page("/scans/none")
        note = [{"code": "colour", "message": "This is a colour photo."}]
        await house.add_scan(
            "P1", "photo", finding="not_judged", volume_ml=None, lesions=[], quality=note
        )
        page = await house.page("/scans/photo")
        assert "Not analyzed. This is a colour photo." in page
        assert "<dt>Volume</dt>" not in page
        assert "/scans/photo/files/overlay.png" in page


async def test_the_same_scan_under_another_patient(tmp_path: Path) -> None:
    sentence = "The same scan is also filed under another patient."
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "same1")
        assert sentence not in await house.page("/scans/same1")
        await house.add_scan("Other Patient", "same2")
        page = await house.page("/scans/same1")
        assert sentence in page
        assert "Other Patient" not in page


async def test_files_have_their_types_and_names(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1", files=ALL_FILES)
        for role, content in ALL_FILES.items():
            answer = await house.client.get(f"/scans/scan1/files/{role}")
            assert answer.status == 200
            assert await answer.read() == content
            assert "Content-Encoding" not in answer.headers
            place, kind = "attachment", "application/gzip"
            if role.endswith("png"):
                place, kind = "inline", "image/png"
            if role.endswith("json"):
                kind = "application/json"
            assert answer.content_type == kind
            expected = f'{place}; filename="scan1_{role}"'
            assert answer.headers["Content-Disposition"] == expected


async def test_only_files_that_exist_are_linked(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1", files=ALL_FILES)
        page = await house.page("/scans/scan1")
        for role in ALL_FILES:
            assert f'/scans/scan1/files/{role}?revision=1"' in page
        assert "prob.nii.gz" not in page
        assert "seg.png" not in page
        missing = await house.page("/scans/scan1/files/prob.nii.gz", 404)
        assert "This scan has no such file." in missing


async def test_only_the_fixed_files_are_sent(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        scan = await house.add_scan("P1", "scan1")
        (tmp_path / "outbox" / scan.folder.decode() / "scan1_secret.txt").write_text("secret")
        (tmp_path / "index.txt").write_text("secret")
        for role in ("secret.txt", "..%2F..%2F..%2Findex.txt", "overlay.png%00", "source"):
            answer = await house.client.get(f"/scans/scan1/files/{role}")
            assert answer.status == 404, role


async def test_a_file_that_leads_out_of_the_outbox_is_not_sent(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        scan = await house.add_scan("P1", "scan1")
        (tmp_path / "secret").write_text("secret")
        link = tmp_path / "outbox" / scan.folder.decode() / "scan1_prob.nii.gz"
        link.symlink_to(tmp_path / "secret")
        assert "secret" not in await house.page("/scans/scan1/files/prob.nii.gz", 404)


async def test_unknown_scans(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for path in ("/scans/none", "/scans/none/files/overlay.png", "/scans/%00"):
            answer = await house.client.get(path)
            assert answer.status == 404
        assert "There is no such scan." in await house.page("/scans/none", 404)
