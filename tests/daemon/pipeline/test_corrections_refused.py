"""Corrected masks that cannot be taken: each gets one sentence, and none is opened for long."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from daemon.outputs.dicom.common_attributes import AnalysisRecord
from daemon.outputs.dicom.seg import build_seg
from daemon.outputs.dicom.source_references import read_origin
from model.errors import GliowatchError
from model.reading.drawn_masks import read_corrected, read_seg
from model.reading.images import read_picture
from model.reading.nifti import read_nifti
from model.reading.read import read
from model.volume import Kind, Scan, Volume
from tests.conftest import SAMPLES
from tests.daemon.pipeline.corrections import AFFINE, SHAPE, block, save

Make = Callable[[Path], Path]


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    voxels = np.arange(np.prod(SHAPE), dtype=np.int32).reshape(SHAPE)
    return read_nifti(save(voxels, tmp_path / "s.nii"))


def moved(path: Path) -> Path:
    affine = AFFINE.copy()
    affine[0, 3] += 0.01
    return save(block(), path / "m.nii", affine)


def cut(path: Path) -> Path:
    mask = save(block(), path / "m.nii.gz")
    mask.write_bytes(mask.read_bytes()[:-40])
    return mask


def bomb(path: Path) -> Path:
    with gzip.open(path / "m.nii.gz", "wb", 1) as stream:
        stream.write(save(block(), path / "whole.nii").read_bytes())
        for _ in range(40):
            stream.write(bytes(10**6))
    return path / "m.nii.gz"


def huge_header(path: Path) -> Path:
    header = nib.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    (path / "m.nii").write_bytes(header.binaryblock + b"\0" * 4)
    return path / "m.nii"


def colours(path: Path) -> Path:
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, kind), AFFINE), path / "m.nii")
    return path / "m.nii"


def with_hole(path: Path) -> Path:
    voxels = block().astype(np.float32)
    voxels[0, 0, 0] = np.nan
    return save(voxels, path / "m.nii")


def text(path: Path) -> Path:
    (path / "m.nii.gz").write_text("no image")
    return path / "m.nii.gz"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (moved, "another grid"),
        (lambda path: save(block()[:-1], path / "m.nii"), "another grid"),
        (
            lambda path: save(block() * np.arange(1, 7, dtype=np.int16), path / "m.nii"),
            "0 and one other value",
        ),
        (lambda path: save(block() * 0.7 + 0.1, path / "m.nii"), "0 and one other value"),
        (lambda path: save(block().astype(np.int16) * -1, path / "m.nii"), "one other value"),
        (with_hole, "0 and one other value"),
        (lambda path: save(np.ones(SHAPE, np.uint8), path / "m.nii"), "every voxel is marked"),
        (lambda path: save(np.stack([block(), block()], 3), path / "m.nii"), "4 dimensions"),
        (cut, "cut off"),
        (bomb, "far more data"),
        (huge_header, "too large"),
        (colours, "colours"),
        (text, "not a NIfTI image"),
    ],
)
def test_a_nifti_file_that_is_no_mask_of_the_scan(
    volume: Volume, tmp_path: Path, make: Make, words: str
) -> None:
    mask = make(tmp_path)
    with pytest.raises(GliowatchError, match=words):
        read_corrected(mask, volume)


@pytest.mark.parametrize("value", [1, 255, 1000])
def test_a_mask_may_use_any_one_value_and_may_be_empty(
    volume: Volume, tmp_path: Path, value: int
) -> None:
    mask = save(block().astype(np.int16) * value, tmp_path / "m.nii.gz")
    assert np.array_equal(read_corrected(mask, volume), block())
    nothing = save(block().astype(np.int16) * 0, tmp_path / "n.nii.gz")
    assert read_corrected(nothing, volume).sum() == 0


def test_a_picture_takes_a_png_of_its_size_and_no_colours(tmp_path: Path) -> None:
    picture = tmp_path / "scan.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 64), np.uint8)).save(picture)
    volume = read_picture(picture)
    drawn = np.zeros((60, 64), np.uint8)
    drawn[10:20, 30:50] = 255
    Image.fromarray(drawn).save(tmp_path / "m.png")
    assert np.array_equal(read_corrected(tmp_path / "m.png", volume)[:, :, 0].T, drawn > 0)
    Image.fromarray(drawn[:-1]).save(tmp_path / "small.png")
    Image.fromarray(np.dstack([drawn, drawn * 0, drawn * 0])).save(tmp_path / "red.png")
    Image.fromarray(drawn).save(tmp_path / "m.jpg")
    for name, words in (("small.png", "another grid"), ("red.png", "colour"), ("m.jpg", "PNG")):
        with pytest.raises(GliowatchError, match=words):
            read_corrected(tmp_path / name, volume)


def test_a_dicom_seg_is_only_taken_of_the_series_itself(volume: Volume, tmp_path: Path) -> None:
    files = tuple(sorted(p for p in (SAMPLES / "from-the-pacs").rglob("*") if p.is_file()))
    series = read(Scan(Kind.DICOM, files))
    with pytest.raises(GliowatchError, match="for a DICOM series only"):
        read_corrected(files[0].with_suffix(".dcm"), volume)
    with pytest.raises(GliowatchError, match="cannot be read as a DICOM SEG"):
        read_seg(files[0], series)
    numbered = np.zeros(series.shape, np.int32)
    numbered[50:60, 80:90, 5:7], numbered[100:110, 80:90, 9] = 1, 2
    origin = read_origin(series)
    assert origin is not None
    at = datetime(2024, 5, 6)
    made = AnalysisRecord("5ca0", 1, "by hand", "0" * 64, "1" * 64, at)
    seg = build_seg(origin, numbered, made)
    seg.save_as(tmp_path / "seg.dcm")
    assert np.array_equal(read_corrected(tmp_path / "seg.dcm", series), numbered > 0)
    turned = replace(series, affine=series.affine @ np.diag([1, 1, 1.1, 1]))
    with pytest.raises(GliowatchError, match="does not match the slices"):
        read_seg(tmp_path / "seg.dcm", turned)
    (tmp_path / "m.dcm").write_bytes(b"\0" * 400)
    with pytest.raises(GliowatchError, match="cannot be read as a DICOM SEG"):
        read_corrected(tmp_path / "m.dcm", series)
