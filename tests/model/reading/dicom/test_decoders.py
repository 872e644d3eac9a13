"""Which library gets the packed frames, and that the voxels are those of the uncompressed file."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdcm
import jpeg_ls
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders import pylibjpeg as by_pylibjpeg
from pydicom.pixels.decoders import rle as by_pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from model.reading.dicom.decoders import CODECS, DECODER_DEPENDENCIES, codecs_in_use, pictures
from model.reading.dicom.pixels import picture_digest
from model.reading.dicom.study import read_dicom
from tests.conftest import SHARED
from tests.model.reading.dicom.test_properties import pack
from tests.phantoms.dicom_series import Series, reason, write_series

GREY = np.random.default_rng(5).integers(0, 1 << 16, (40, 36, 5)).astype(np.uint16)
NEMA = SHARED / "dicom" / "nema_wg04_mr_codecs"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the libraries that were given a frame, noted where pydicom enters each."""
    seen: set[str] = set()

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            seen.add(name)
            return function(*values, **named)

        return call

    for name, owner, entry in (
        ("python-gdcm", gdcm, "Fragment"),
        ("pillow", Image, "open"),
        ("pyjpegls", jpeg_ls, "decode_pixel_data"),
        ("pydicom", by_pydicom, "_rle_decode_frame"),
    ):
        monkeypatch.setattr(owner, entry, noted(name, getattr(owner, entry)))
    for syntax, found in by_pylibjpeg._DECODERS.items():
        name = f"pylibjpeg-{'openjpeg' if 'openjpeg' in found else '?'}"
        changed = {each: noted(name, function) for each, function in found.items()}
        monkeypatch.setitem(by_pylibjpeg._DECODERS, syntax, changed)
    return seen


def series_of(bits: int, signed: bool, allocated: int) -> tuple[NDArray[Any], Series]:
    """Noise of so many bits, and what the header of each slice says of it."""
    grey = np.right_shift(GREY, 16 - bits).astype(np.int32) - (1 << bits - 1 if signed else 0)

    def say(_: int, image: Dataset) -> None:
        image.BitsAllocated, image.BitsStored, image.HighBit = allocated, bits, bits - 1
        image.PixelRepresentation = int(signed)
        if allocated == 8:
            image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(np.uint8).tobytes()

    return grey.astype(np.int16 if signed else np.uint16), Series(change=say)


def by_pydicom_itself(syntax: UID) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        image = pydicom.dcmread(file)
        image.compress(syntax, generate_instance_uid=False)
        image.save_as(file)

    return change


PACKERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "RLE": (by_pydicom_itself(RLELossless), "pydicom"),
    "JPEG lossless": (lambda file: pack(file, "JPEG lossless"), "python-gdcm"),
    "JPEG-LS": (by_pydicom_itself(JPEGLSLossless), "pyjpegls"),
    "JPEG-LS of GDCM": (lambda file: pack(file, "JPEG-LS"), "pyjpegls"),
    "JPEG 2000": (by_pydicom_itself(JPEG2000Lossless), "pillow"),
    "JPEG 2000 of GDCM": (lambda file: pack(file, "JPEG 2000"), "pillow"),
}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("bits", "allocated"), [(8, 8), (10, 16), (12, 16), (16, 16)])
def test_the_named_library_gives_the_voxels_of_the_uncompressed_file(
    tmp_path: Path, asked: set[str], packer: str, bits: int, signed: bool, allocated: int
) -> None:
    grey, series = series_of(bits, signed, allocated)
    files = write_series(tmp_path, grey, series=series)
    change, library = PACKERS[packer]
    assert np.array_equal(read_dicom(files).voxels, grey)
    assert not asked
    for file in files:
        change(file)
    asked.clear()
    assert np.array_equal(read_dicom(files).voxels, grey)
    assert asked == {library}
    asked.clear()
    assert picture_digest(files[0])
    assert asked == {library}


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit])
def test_jpeg_of_8_bits_is_unpacked_by_pillow(tmp_path: Path, asked: set[str], syntax: UID) -> None:
    soft = np.add.outer(np.arange(0, 128, 8), np.arange(0, 96, 8))[:, :, None]
    grey, series = (soft + np.arange(5)).astype(np.uint16), series_of(8, False, 8)[1]
    files = write_series(tmp_path, grey, series=series)
    for file in files:
        image = pydicom.dcmread(file)
        pixels, packed = image.pixel_array, io.BytesIO()
        Image.fromarray(pixels).save(packed, "JPEG", quality=100)
        image.PixelData = encapsulate([packed.getvalue()])
        image["PixelData"].is_undefined_length = True
        image.file_meta.TransferSyntaxUID = syntax
        image.save_as(file)
    asked.clear()
    assert np.abs(read_dicom(files).voxels - grey).max() <= 2  # it loses a little by its nature
    assert asked == {"pillow"}


def test_numbers_with_a_sign_that_the_header_lacks_are_not_shifted(
    tmp_path: Path, asked: set[str]
) -> None:
    grey, series = series_of(12, True, 16)
    files = write_series(tmp_path, grey, series=series)
    for file in files:
        by_pydicom_itself(JPEG2000Lossless)(file)
        image = pydicom.dcmread(file)
        image.PixelRepresentation = 0
        image.save_as(file)
    asked.clear()
    assert np.array_equal(read_dicom(files).voxels, grey.astype(np.int32) & 0x0FFF)
    assert asked == {"pylibjpeg-openjpeg"}


def test_colours_of_more_than_8_bits_keep_all_of_them(tmp_path: Path, asked: set[str]) -> None:
    (file, *_) = write_series(tmp_path)
    image = pydicom.dcmread(file)
    colours = np.random.default_rng(6).integers(0, 4096, (40, 36, 3)).astype("<u2")
    image.Rows, image.Columns, image.SamplesPerPixel, image.PlanarConfiguration = 40, 36, 3, 0
    image.PhotometricInterpretation, image.PixelData = "RGB", colours.tobytes()
    image.BitsStored, image.HighBit = 12, 11
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    asked.clear()
    assert np.array_equal(next(pictures(image)), colours)
    assert asked == {"pylibjpeg-openjpeg"}


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEG2000, JPEGLSLossless])
def test_a_damaged_frame_is_shown_to_no_other_library(
    tmp_path: Path, asked: set[str], syntax: UID
) -> None:
    files = write_series(tmp_path, GREY)
    for file in files:
        image = pydicom.dcmread(file)
        image.compress(JPEG2000Lossless if syntax == JPEG2000 else syntax)
        frame = get_frame(image.PixelData, 0, number_of_frames=1)
        image.PixelData = encapsulate([frame[:60] + bytes(40) + frame[100:-40]])
        image.file_meta.TransferSyntaxUID = syntax
        image.save_as(file)
    asked.clear()
    assert "cannot be unpacked" in reason(files) or syntax.name in reason(files)
    assert asked == {"pyjpegls" if syntax == JPEGLSLossless else "pillow"}


def test_a_jpeg_ls_stream_filled_up_before_its_end_is_read(tmp_path: Path, asked: set[str]) -> None:
    files = write_series(tmp_path, GREY)
    for file in files:
        image = pydicom.dcmread(file)
        image.compress(JPEGLSLossless, generate_instance_uid=False)
        frame = get_frame(image.PixelData, 0, number_of_frames=1)
        end = frame.rfind(b"\xff\xd9")
        image.PixelData = encapsulate([frame[:end] + b"\0" + frame[end:]])
        image.save_as(file)
    asked.clear()
    assert np.array_equal(read_dicom(files).voxels, GREY)
    assert asked == {"pyjpegls"}


@pytest.mark.skipif(not NEMA.is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize("name", ["J2KR", "JLSL", "JPLL", "RLE"])
@pytest.mark.parametrize("image", ["MR1", "MR4"])
def test_pictures_of_nema_are_alike_in_every_lossless_packing(name: str, image: str) -> None:
    packed = unpacked(NEMA / f"{name}_{image}_{name}")
    known = NEMA / f"RLE_{image}_RLE"
    assert np.array_equal(packed, pydicom.dcmread(known).pixel_array)


def unpacked(file: Path) -> NDArray[Any]:
    return next(pictures(file))


def test_every_packing_that_pydicom_knows_has_a_library_of_its_own() -> None:
    known = {syntax for syntax in map(UID, DECODER_DEPENDENCIES) if syntax.is_encapsulated}
    assert known == {
        UID(number)
        for number in (
            *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57"),
            *("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"),
            *("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201"),
            *("1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.5"),
        )
    }
    for syntax in known:
        assert "gliowatch" in get_decoder(syntax).available_plugins


def test_gdcm_is_left_for_jpeg_lossless_alone() -> None:
    assert [each.name for each in CODECS if each.package == "python-gdcm"] == ["JPEG lossless"]


def test_the_libraries_tell_their_versions() -> None:
    told = {each.codec: each for each in codecs_in_use()}
    assert set(told) == {codec.name for codec in CODECS}
    numbers = {name: each.inside.split()[-1] for name, each in told.items() if name != "RLE"}
    assert all(number[0].isdigit() and "." in number for number in numbers.values()), numbers
    assert told["JPEG 2000"].inside >= "OpenJPEG 2.5.4"
