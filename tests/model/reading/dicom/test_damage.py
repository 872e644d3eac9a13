"""DICOM series that are incomplete, inconsistent, damaged or hostile: one plain sentence each."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless

from model.reading.dicom.patient_tags import named_in, study_of
from model.volume import Volume
from tests.conftest import SHARED
from tests.phantoms.dicom_series import (
    AFFINE,
    STORED,
    Change,
    Series,
    outcome,
    reason,
    texts,
    write_series,
)
from tests.phantoms.heads import codes

DATA = SHARED / "dicom"
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # numpy, over hostile numbers
]


def only_in(number: int, **values: Any) -> Change:
    """A change of one slice of a series."""

    def change(this: int, image: Dataset) -> None:
        if this == number:
            for name, value in values.items():
                setattr(image, name, value)

    return change


def refused(folder: Path, change: Change) -> str:
    return reason(write_series(folder, series=Series(change=change)))


def test_a_missing_slice_is_refused(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    for missing in range(1, 5):
        assert "missing" in reason(files[:missing] + files[missing + 1 :])


def test_two_slices_at_one_place_are_refused(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    again = write_series(tmp_path, STORED + np.uint16(1), series=Series(prefix="again"))
    assert "have the same position" in reason((*files, again[3]))  # under a number of its own


def test_the_same_image_twice_counts_once_and_is_said(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    image = pydicom.dcmread(files[3])
    image.StationName = "another export changes the bytes"
    image.save_as(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() != files[3].read_bytes()
    volume = outcome((*files, tmp_path / "again"))
    assert isinstance(volume, Volume)
    assert np.array_equal(volume.voxels, STORED)
    assert codes(volume.notes) == ["came_twice"]


def test_one_number_for_two_images_is_refused(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    image = pydicom.dcmread(files[3])
    image.PixelData = bytes(len(image.PixelData))
    image.save_as(tmp_path / "again")
    assert "show different pictures" in reason((*files, tmp_path / "again"))


def test_a_conflict_in_one_flair_leaves_the_other_and_names_both_files(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    image = pydicom.dcmread(files[3])
    image.PixelData = bytes(len(image.PixelData))
    image.save_as(tmp_path / "again")
    another = STORED[:, :, :5] + np.uint16(1)
    other = write_series(tmp_path, another, series=Series(uid="1.2.3", prefix="X"))
    volume = outcome((*files, tmp_path / "again", *other))
    assert isinstance(volume, Volume)
    assert np.array_equal(volume.voxels, another)
    refused = next(each for each in volume.series if not each.chosen)
    assert "IM0003" in refused.reason
    assert "again" in refused.reason


@pytest.mark.parametrize(
    "values",
    [
        {"Columns": 10, "Rows": 14},
        {"PixelSpacing": ["0.9", "0.9"]},
        {"ImageOrientationPatient": texts([0, 1, 0, 1, 0, 0])},
    ],
)
def test_slices_that_differ_are_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    assert "missing" in refused(tmp_path, only_in(4, **values))


def test_an_end_slice_of_another_size_is_left_out_and_said(tmp_path: Path) -> None:
    files = write_series(tmp_path, series=Series(change=only_in(5, Columns=10, Rows=14)))
    volume = outcome(files)
    assert isinstance(volume, Volume)
    assert volume.shape[2] == 5
    assert "series_in_parts" in codes(volume.notes)
    assert [(each.slices, each.chosen) for each in volume.series] == [(5, True), (1, False)]


def test_a_single_missing_slice_of_many_is_filled_in_and_named(tmp_path: Path) -> None:
    stored = np.random.default_rng(1).integers(0, 999, (14, 10, 24)).astype(np.uint16)
    files = write_series(tmp_path, stored)
    volume = outcome(files[:7] + files[8:])
    assert isinstance(volume, Volume)
    assert volume.shape == stored.shape
    assert volume.affine == pytest.approx(AFFINE, abs=1e-4)
    (note,) = volume.notes
    assert note.code == "incomplete"
    assert "Slice 8 of 24" in note.message
    between = (stored[:, :, 6].astype(float) + stored[:, :, 8]) / 2
    assert np.allclose(volume.voxels[:, :, 7], between)
    assert "missing" in reason(files[:7] + files[9:])  # two beside each other: it would lie


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("name", ["ImagePositionPatient", "PixelSpacing"])
def test_slices_that_do_not_say_where_they_lie_are_refused(
    tmp_path: Path, name: str, number: int
) -> None:
    def forget(this: int, image: Dataset) -> None:
        if this == number:
            delattr(image, name)

    sentence = refused(tmp_path, forget)
    assert "do not give their position" in sentence or "differ" in sentence


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, RLELossless])
def test_a_compressed_series_is_refused_by_the_name_of_its_packing(
    tmp_path: Path, syntax: Any
) -> None:
    changed = write_series(tmp_path, series=Series(change=_packed_as(syntax)))
    assert syntax.name in reason(changed)


def _packed_as(syntax: Any) -> Change:
    def change(number: int, image: Dataset) -> None:
        image.file_meta.TransferSyntaxUID = syntax
        image.PixelData = encapsulate([image.PixelData])

    return change


def test_several_frames_that_do_not_say_where_they_lie_are_refused(tmp_path: Path) -> None:
    assert "do not give their position" in refused(tmp_path, only_in(0, NumberOfFrames="2"))


def test_headers_without_pixels_are_refused(tmp_path: Path) -> None:
    def drop(number: int, image: Dataset) -> None:
        del image.PixelData

    assert "no pixels" in refused(tmp_path, drop)


@pytest.mark.parametrize("which", [0, 3, 5])
def test_a_slice_cut_off_is_never_lost_in_silence(tmp_path: Path, which: int) -> None:
    files = write_series(tmp_path)
    whole = files[which].read_bytes()
    for end in np.linspace(200, len(whole) - 2, 40).astype(int):
        files[which].write_bytes(whole[:end])
        sentence = reason(files)
        assert "damaged" in sentence or "cut off" in sentence


def test_a_slice_whose_first_bytes_are_damaged_is_not_lost_in_silence(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    files[5].write_bytes(bytes(128) + b"DXCM" + files[5].read_bytes()[132:])
    assert "first bytes" in reason(files)


@pytest.mark.parametrize("content", [b"", bytes(50), bytes(4000), b"Dear doctor"])
def test_a_file_that_is_no_dicom_among_slices_is_told(tmp_path: Path, content: bytes) -> None:
    files = write_series(tmp_path)
    files[5].write_bytes(content)
    volume = outcome(files)
    assert isinstance(volume, Volume)
    assert volume.shape[2] == 5
    assert codes(volume.notes) == ["files_passed_over"]


def test_a_file_name_that_is_no_utf8_can_be_told(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    odd = tmp_path / os.fsdecode(b"M\xfcller")
    image = pydicom.dcmread(files[3])
    image.PixelData = bytes(len(image.PixelData))
    image.save_as(odd)
    another = STORED + np.uint16(1)
    other = write_series(tmp_path, another, series=Series(uid="1.2.3", prefix="X"))
    volume = outcome((*files, odd, *other))
    assert isinstance(volume, Volume)
    told = " ".join(each.reason for each in volume.series)
    assert "M\\xfcller" in told
    assert told.encode()


def test_pixels_shorter_than_they_claim_are_refused(tmp_path: Path) -> None:
    assert "damaged or cut off" in refused(tmp_path, only_in(2, PixelData=bytes(100)))


def test_a_size_beyond_any_head_is_refused_for_nothing(tmp_path: Path) -> None:
    def huge(number: int, image: Dataset) -> None:
        image.Rows = image.Columns = 65535

    assert "too large" in refused(tmp_path, huge)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NumberOfFrames", "many"),
        ("RescaleSlope", "steep"),
        ("RescaleIntercept", "1\\2"),
        ("SliceThickness", "thick"),
        ("PixelSpacing", "0.9"),
        ("PixelSpacing", "nan\\nan"),
        ("PixelSpacing", "0\\0"),
        ("ImageOrientationPatient", "1\\0\\0"),
        ("ImageOrientationPatient", "0\\0\\0\\0\\0\\0"),
        ("ImagePositionPatient", "inf\\0\\0"),
        ("ImagePositionPatient", "here"),
    ],
)
def test_values_that_make_no_sense_are_refused(tmp_path: Path, name: str, value: str) -> None:
    """Written over a sound value of the same length, as no DICOM writer would."""
    marker = "9" * max(len(value) + len(value) % 2, 2)
    parts = value.count("\\") + 1
    sound = [marker[: (len(marker) - parts + 1) // parts] for _ in range(parts)]
    text = "\\".join(sound).ljust(len(marker), "9")
    files = write_series(tmp_path, series=Series(change=only_in(0, **{name: text.split("\\")})))
    whole = files[0].read_bytes()
    assert whole.count(text.encode()) == 1
    files[0].write_bytes(whole.replace(text.encode(), value.ljust(len(text)).encode()))
    assert reason(files[:1])
    if name != "SliceThickness":  # which only one slice alone needs
        assert reason(files)


@pytest.mark.parametrize("flip", [0xFF, 0x20, 0x01])
def test_no_damaged_byte_does_harm(tmp_path: Path, flip: int) -> None:
    files = write_series(tmp_path, STORED[:, :, :3])
    whole = files[1].read_bytes()
    results = []
    for position in range(128, 740):
        broken = bytearray(whole)
        broken[position] ^= flip
        files[1].write_bytes(broken)
        results.append(outcome(files))
        named_in([files[1]])
        study_of(files[1])
    assert {type(result) for result in results} == {str, Volume}
    assert all(result.endswith(".") for result in results if isinstance(result, str))


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_what_no_decoder_unpacks_is_refused_by_name() -> None:
    assert "JPEG Extended" in reason((DATA / "nema_wg04_mr_codecs" / "JPLY_MR4_JPLY",))


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_every_real_set_reads_or_says_why_not() -> None:
    folders = sorted(path for path in DATA.iterdir() if path.is_dir())
    results = {
        folder.name: outcome(tuple(sorted(path for path in folder.rglob("*") if path.is_file())))
        for folder in folders
    }
    assert isinstance(results["brainix_epi"], Volume)
    assert isinstance(results["orthanc_xss_header"], str)
    assert all(result.endswith(".") for result in results.values() if isinstance(result, str))
