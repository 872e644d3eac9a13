"""Damaged and hostile NIfTI files: one plain sentence comes out, and little memory is taken."""

import gzip
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from model.errors import UnreadableScan
from model.reading.read import read
from model.volume import Kind, Scan, Volume
from tests.phantoms.heads import grid, write_nifti

SHAPE = (10, 12, 9)
VOXELS = np.random.default_rng(2).integers(0, 900, SHAPE).astype(np.int16)
VALUES = (0x00, 0x01, 0x7F, 0x80, 0xFF)


@pytest.fixture
def plain(tmp_path: Path) -> bytes:
    """The bytes of a sound uncompressed file."""
    file = write_nifti(tmp_path / "sound.nii", VOXELS, grid(SHAPE, (1, 1, 3)))
    return file.read_bytes()


def outcome(folder: Path, content: bytes, name: str = "patient_name.nii.gz") -> Volume | str:
    """What reading these bytes gives: a finite volume, or a sentence without any path."""
    file = folder / name
    file.write_bytes(content)
    try:
        volume = read(Scan(Kind.NIFTI, (file,)))
    except UnreadableScan as refused:
        sentence = str(refused)
        assert sentence.endswith(".")
        assert "patient_name" not in sentence
        assert str(folder) not in sentence
        return sentence
    assert np.isfinite(volume.voxels).all()
    assert np.isfinite(volume.affine).all()
    return volume


def test_a_sound_file_reads(tmp_path: Path, plain: bytes) -> None:
    for content in (plain, gzip.compress(plain)):
        volume = outcome(tmp_path, content)
        assert isinstance(volume, Volume)
        assert np.array_equal(volume.voxels, VOXELS)


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, plain: bytes, packed: bool) -> None:
    content = gzip.compress(plain) if packed else plain
    offsets = sorted({*range(20), *np.linspace(0, len(content) - 1, 50).astype(int).tolist()})
    read_anyway = [end for end in offsets if not isinstance(outcome(tmp_path, content[:end]), str)]
    assert not read_anyway


def test_what_is_wrong_is_said(tmp_path: Path, plain: bytes) -> None:
    packed = gzip.compress(plain)
    assert outcome(tmp_path, b"") == "The file is empty."
    assert outcome(tmp_path, gzip.compress(b"")) == "The file is empty."
    assert "cut off" in str(outcome(tmp_path, packed[:900]))
    assert "cut off" in str(outcome(tmp_path, plain[:900]))
    assert "not a NIfTI image" in str(outcome(tmp_path, b"Dear doctor,\n" * 99, "patient_name.nii"))
    assert "not a NIfTI image" in str(outcome(tmp_path, bytes(5000)))
    wrong_crc = packed[:-8] + bytes(4) + packed[-4:]
    assert outcome(tmp_path, wrong_crc) == "The compressed file is damaged."


def test_a_damaged_gz_is_refused_or_unharmed(tmp_path: Path, plain: bytes) -> None:
    packed = gzip.compress(plain)
    for position in np.linspace(2, len(packed) - 1, 150).astype(int):
        broken = bytearray(packed)
        broken[position] ^= 0x55
        volume = outcome(tmp_path, bytes(broken))
        assert isinstance(volume, str) or np.array_equal(volume.voxels, VOXELS)


def test_a_few_bytes_after_the_data_do_no_harm(tmp_path: Path, plain: bytes) -> None:
    for content in (plain + b"\0" * 700, gzip.compress(plain + b"\0" * 700)):
        assert isinstance(outcome(tmp_path, content), Volume)


def with_shape(plain: bytes, shape: tuple[int, ...]) -> bytes:
    """The same file, its header claiming another shape."""
    dim = np.array([len(shape), *shape, *[1] * (7 - len(shape))], "<i2")
    return plain[:40] + dim.tobytes() + plain[56:]


@pytest.mark.parametrize("packed", [True, False])
def test_a_terabyte_in_the_header_is_refused_for_nothing(
    tmp_path: Path, plain: bytes, packed: bool
) -> None:
    content = with_shape(plain, (32767, 32767, 512))
    tracemalloc.start()
    sentence = outcome(tmp_path, gzip.compress(content) if packed else content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "too large" in str(sentence)
    assert peak < 5_000_000


def test_a_shape_that_overflows_is_refused(tmp_path: Path, plain: bytes) -> None:
    assert "too large" in str(outcome(tmp_path, with_shape(plain, (32767,) * 7)))


@pytest.mark.parametrize("shape", [(0, 5, 5), (-3, 5, 5), (5, 5, -32768)])
def test_a_shape_without_voxels_is_refused(
    tmp_path: Path, plain: bytes, shape: tuple[int, ...]
) -> None:
    assert "without voxels" in str(outcome(tmp_path, with_shape(plain, shape)))


def test_a_gz_that_swells_is_refused_before_it_fills_the_memory(
    tmp_path: Path, plain: bytes
) -> None:
    bomb = gzip.compress(plain + bytes(200_000_000), 1)
    assert len(bomb) < 2_000_000
    tracemalloc.start()
    sentence = outcome(tmp_path, bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sentence == "The file holds far more data than its header says."
    assert peak < 40_000_000


@pytest.mark.parametrize("value", VALUES)
def test_no_byte_of_the_header_can_do_harm(tmp_path: Path, plain: bytes, value: int) -> None:
    refused = 0
    for position in range(352):
        broken = bytearray(plain)
        broken[position] = value
        refused += isinstance(outcome(tmp_path, bytes(broken)), str)
    assert 0 < refused < 352


def test_no_handful_of_header_bytes_can_do_harm(tmp_path: Path, plain: bytes) -> None:
    chance = np.random.default_rng(3)
    refused = 0
    for _ in range(600):
        broken = np.frombuffer(plain, np.uint8).copy()
        count = int(chance.integers(2, 9))
        start = int(chance.integers(40, 340 - count))
        broken[start : start + count] = chance.integers(0, 256, count)
        refused += isinstance(outcome(tmp_path, broken.tobytes()), str)
    assert 0 < refused < 600


def test_no_byte_of_a_nifti_2_header_can_do_harm(tmp_path: Path) -> None:
    whole = nib.Nifti2Image(VOXELS, grid(SHAPE, (1, 1, 3))).to_bytes()
    assert isinstance(outcome(tmp_path, whole), Volume)
    for position in range(544):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        outcome(tmp_path, bytes(broken))


def test_no_byte_of_a_header_extension_can_do_harm(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VOXELS, grid(SHAPE, (1, 1, 3)))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a scan"))
    whole = image.to_bytes()
    assert isinstance(outcome(tmp_path, whole), Volume)
    for position in range(348, 376):
        for value in (*VALUES, 0x02):  # an extension of kind 2 holds a DICOM file
            broken = bytearray(whole)
            broken[position] = value
            assert isinstance(outcome(tmp_path, bytes(broken)), Volume)
