"""Pictures as people upload them: grey ones read, colour photos not analyzed, damage is told."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.errors import UnreadableScan
from model.reading.read import read
from model.volume import Kind, Scale, Scan, Volume
from tests.conftest import SHARED
from tests.phantoms.heads import codes

DATA = SHARED
GREY = np.random.default_rng(4).integers(0, 256, (50, 40)).astype(np.uint8)
GREY[:10] = 0


def read_bytes(folder: Path, content: bytes) -> Volume:
    file = folder / "patient_name.png"
    file.write_bytes(content)
    return read(Scan(Kind.IMAGE, (file,)))


def reason(folder: Path, content: bytes) -> str:
    with pytest.raises(UnreadableScan) as refused:
        read_bytes(folder, content)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "patient_name" not in sentence
    return sentence


def outcome(folder: Path, content: bytes) -> str | None:
    """The sentence of a refusal, or None for a picture that reads."""
    try:
        voxels = read_bytes(folder, content).voxels
    except UnreadableScan as refused:
        return str(refused)
    assert np.isfinite(voxels).all()
    return None


def packed(pixels: NDArray[Any] | Image.Image, form: str = "PNG", **more: Any) -> bytes:
    stream = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(stream, form, **more)
    return stream.getvalue()


def test_a_grey_png_reads_as_one_slice_without_a_scale(tmp_path: Path) -> None:
    volume = read_bytes(tmp_path, packed(GREY))
    assert volume.shape == (40, 50, 1)
    assert np.array_equal(volume.voxels[:, :, 0].T, GREY)
    assert (volume.kind, volume.scale, volume.sides_known) == (Kind.IMAGE, Scale.UNKNOWN, False)
    assert volume.is_picture
    assert (codes(volume.notes), volume.unfit) == (["no_scale"], None)


def test_equal_channels_are_grey(tmp_path: Path) -> None:
    volume = read_bytes(tmp_path, packed(np.stack([GREY] * 3, axis=2)))
    assert volume.unfit is None
    assert np.array_equal(volume.voxels[:, :, 0].T, GREY)


def test_a_grey_jpeg_in_colour_form_is_grey(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(50), np.arange(40)).astype(np.uint8) * 2
    volume = read_bytes(tmp_path, packed(np.stack([smooth] * 3, axis=2), "JPEG"))
    assert volume.unfit is None
    assert np.abs(volume.voxels[:, :, 0].T - smooth).mean() < 3


@pytest.mark.skipif(not (DATA / "other").is_dir(), reason="../shared/data is not here")
def test_a_picture_from_the_web_is_grey() -> None:
    volume = read(Scan(Kind.IMAGE, (DATA / "other" / "web_braintumor.jpg",)))
    assert volume.unfit is None
    assert volume.voxels.max() > 100


def test_a_colour_photo_is_not_analyzed(tmp_path: Path) -> None:
    photo = np.random.default_rng(5).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    red = np.full_like(photo, (200, 30, 30))
    for content in (packed(photo), packed(photo, "JPEG"), packed(red)):
        volume = read_bytes(tmp_path, content)
        assert volume.unfit is not None
        assert volume.unfit.code == "colour_picture"


def test_a_cmyk_photo_is_not_analyzed(tmp_path: Path) -> None:
    photo = Image.new("CMYK", (60, 60), (0, 220, 180, 0))
    assert read_bytes(tmp_path, packed(photo, "JPEG")).unfit is not None


def test_16_bits_keep_their_levels(tmp_path: Path) -> None:
    levels = GREY.astype(np.uint16) * 200 + 7
    volume = read_bytes(tmp_path, packed(levels))
    assert np.array_equal(volume.voxels[:, :, 0].T, levels)


@pytest.mark.parametrize("packing", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float32])
def test_a_tiff_keeps_its_levels(tmp_path: Path, kind: type, packing: str) -> None:
    levels: NDArray[Any] = (GREY.astype(float) * (1 if kind is np.uint8 else 200)).astype(kind)
    volume = read_bytes(tmp_path, packed(levels, "TIFF", compression=packing))
    assert np.array_equal(volume.voxels[:, :, 0].T, levels)
    assert (volume.kind, volume.unfit) == (Kind.IMAGE, None)


def test_a_tiff_from_white_to_black_is_turned_around(tmp_path: Path) -> None:
    levels = GREY.astype(np.uint16) * 200
    volume = read_bytes(tmp_path, packed(levels, "TIFF", tiffinfo={262: 0}))
    assert np.array_equal(volume.voxels[:, :, 0].T, float(levels.max()) - levels)


def test_a_tiff_without_values_in_places_is_finite(tmp_path: Path) -> None:
    levels = np.where(GREY == 0, np.nan, GREY).astype(np.float32)
    volume = read_bytes(tmp_path, packed(levels, "TIFF"))
    assert np.array_equal(volume.voxels[:, :, 0].T, GREY)


def test_a_tiff_of_several_pictures_is_told(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]
    content = packed(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert "several pictures" in reason(tmp_path, content)


def test_a_grey_palette_is_grey_and_a_colour_palette_is_not(tmp_path: Path) -> None:
    grey = Image.fromarray(GREY).convert("P")
    assert np.array_equal(read_bytes(tmp_path, packed(grey)).voxels[:, :, 0].T, GREY)
    colour = Image.fromarray(GREY % 2).convert("P")
    colour.putpalette([250, 20, 20, 20, 20, 250])
    assert read_bytes(tmp_path, packed(colour)).unfit is not None


def test_a_palette_with_transparency_reads(tmp_path: Path) -> None:
    picture = Image.fromarray(GREY).convert("P")
    volume = read_bytes(tmp_path, packed(picture, transparency=bytes([0] + [255] * 255)))
    assert volume.unfit is None


def test_see_through_parts_are_black(tmp_path: Path) -> None:
    shown = np.where(np.arange(40) < 20, 255, 0).astype(np.uint8)
    alpha = np.broadcast_to(shown, GREY.shape)
    bright = np.full_like(GREY, 180)
    for channels in ([bright, alpha], [bright, bright, bright, alpha]):
        volume = read_bytes(tmp_path, packed(np.stack(channels, axis=2)))
        assert volume.unfit is None
        assert (volume.voxels[:20] == 180).all()
        assert (volume.voxels[20:] == 0).all()


def test_one_bit_a_pixel_reads(tmp_path: Path) -> None:
    picture = Image.fromarray(GREY > 100)
    assert picture.mode == "1"
    volume = read_bytes(tmp_path, packed(picture))
    assert set(np.unique(volume.voxels)) == {0, 255}
    assert volume.voxels.shape == (40, 50, 1)


@pytest.mark.parametrize("size", [(1, 1), (31, 200), (200, 31)])
def test_a_tiny_picture_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    assert "too small" in reason(tmp_path, packed(Image.new("L", size)))


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_picture_cut_off_anywhere_is_told(tmp_path: Path, form: str) -> None:
    content = packed(GREY, form)
    ends = np.linspace(0, len(content) * 0.95, 50).astype(int)
    for end in ends:
        sentence = reason(tmp_path, content[:end])
        assert any(word in sentence for word in ("cut off", "empty", "not a PNG")), (end, sentence)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_no_damaged_byte_does_harm(tmp_path: Path, form: str) -> None:
    content = packed(np.stack([GREY] * 3, axis=2), form)
    positions = {*range(min(250, len(content))), *range(0, len(content), 97)}
    for position in positions:
        broken = bytearray(content)
        broken[position] ^= 0xFF
        sentence = outcome(tmp_path, bytes(broken))
        assert sentence is None or sentence.endswith(".")


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    for content in (b"", b"Dear doctor,\n" * 99, packed(GREY, "GIF")):
        assert "not a PNG, JPEG or TIFF" in reason(tmp_path, content)


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims this size, with next to no pixels behind it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        whole = name + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(100_000, 100_000), (10_000, 10_000), (7_000, 7_000)])
def test_a_picture_that_claims_to_be_huge_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    assert "too large" in reason(tmp_path, claiming(*size))
