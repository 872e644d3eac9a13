"""Plain DICOM series: voxels and their place in RAS mm, whatever the order and the encoding."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ComprehensiveSRStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from model.reading.dicom.patient_tags import Named, named_in
from model.reading.dicom.study import read_dicom
from model.volume import Kind, Scale, Volume
from tests.conftest import SHARED
from tests.phantoms.dicom_series import AFFINE, SHAPE, STORED, Series, reason, write_series
from tests.phantoms.heads import Stored, codes, grid

DATA = SHARED
BRAINIX = DATA / "dicom" / "brainix_flair"
BACKWARDS = Stored((0, 1, 2), (False, False, True))


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_voxels_and_place_are_read_as_written(tmp_path: Path, syntax: UID) -> None:
    volume = read_dicom(write_series(tmp_path, series=Series(syntax=syntax)))
    assert np.array_equal(volume.voxels, STORED)
    assert volume.voxels.dtype == np.float32
    assert volume.affine == pytest.approx(AFFINE, abs=1e-5)
    assert (volume.kind, volume.scale, volume.sides_known) == (Kind.DICOM, Scale.DECLARED, True)
    assert (volume.description, volume.notes, volume.unfit) == ("t2 FLAIR tra", (), None)


def test_the_order_of_the_files_does_not_count(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    for seed in range(5):
        shuffled = np.random.default_rng(seed).permutation(len(files))
        volume = read_dicom(tuple(files[n] for n in shuffled))
        assert np.array_equal(volume.voxels, STORED)
        assert volume.affine == pytest.approx(AFFINE, abs=1e-5)


def brightest(volume: Volume) -> list[float]:
    """RAS mm of the one brightest voxel."""
    (found,) = np.argwhere(volume.voxels == volume.voxels.max())
    return [float(mm) for mm in volume.affine[:3, :3] @ found + volume.affine[:3, 3]]


@pytest.mark.parametrize("degrees", [(0, 0, 0), (25, -35, 50), (88, 3, -2), (5, 89, 4)])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_marked_voxel_keeps_its_place_in_any_direction(
    tmp_path: Path, degrees: tuple[float, float, float], backwards: bool
) -> None:
    affine = grid(SHAPE, (0.9, 0.7, 5.0), (4, -8, 15), degrees)
    stored = STORED.copy()
    stored[3, 7, 1] = 5000
    expected = affine[:3, :3] @ (3, 7, 1) + affine[:3, 3]
    if backwards:
        stored, affine = BACKWARDS.apply(stored, affine)
    volume = read_dicom(write_series(tmp_path, stored, affine))
    assert brightest(volume) == pytest.approx(expected, abs=1e-4)


def test_slope_and_intercept_count_slice_by_slice(tmp_path: Path) -> None:
    def rescale(number: int, image: Dataset) -> None:
        image.RescaleSlope, image.RescaleIntercept = str(number + 0.5), "-100"

    volume = read_dicom(write_series(tmp_path, series=Series(change=rescale)))
    assert np.allclose(volume.voxels, STORED * (np.arange(6) + 0.5) - 100)


def test_signed_pixels_keep_their_sign(tmp_path: Path) -> None:
    signed = STORED.astype(np.int16) - 500
    assert np.array_equal(read_dicom(write_series(tmp_path, signed)).voxels, signed)


def test_an_inverted_series_is_turned_over_as_a_whole(tmp_path: Path) -> None:
    def invert(number: int, image: Dataset) -> None:
        image.PhotometricInterpretation = "MONOCHROME1"

    stored = STORED * np.arange(1, 7).astype(np.uint16)
    volume = read_dicom(write_series(tmp_path, stored, series=Series(change=invert)))
    assert np.array_equal(volume.voxels, int(stored.max()) - stored.astype(np.float32))


def test_one_slice_alone_reads(tmp_path: Path) -> None:
    volume = read_dicom(write_series(tmp_path)[2:3])
    assert volume.shape == (14, 10, 1)
    assert volume.spacing == pytest.approx((0.9, 0.7, 5.0))
    assert volume.is_picture


def test_what_is_not_dicom_is_passed_over(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    (tmp_path / "LIESMICH.txt").write_text("Dear doctor")
    (tmp_path / "long.bin").write_bytes(bytes(2000))
    extra = (tmp_path / "LIESMICH.txt", tmp_path / "long.bin")
    assert np.array_equal(read_dicom((*extra, *files)).voxels, STORED)
    assert reason(extra).startswith("No readable file here")


def test_a_report_beside_the_images_is_passed_over(tmp_path: Path) -> None:
    def as_report(number: int, image: Dataset) -> None:
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
        del image.PixelData

    files = write_series(tmp_path)
    report = write_series(tmp_path, STORED[:, :, :1], series=Series(prefix="SR", change=as_report))
    assert np.array_equal(read_dicom((*report, *files)).voxels, STORED)


def test_the_one_flair_series_is_chosen_and_said(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    for number, name in enumerate(["t1 mprage", "ADC"]):
        other = Series(name=name, uid=f"1.2.3.{number}", prefix=f"X{number}")
        files += write_series(tmp_path, STORED + np.uint16(1), series=other)
    volume = read_dicom(files)
    assert np.array_equal(volume.voxels, STORED)
    assert codes(volume.notes) == ["series_chosen"]


def test_without_a_flair_nothing_is_guessed_and_all_is_listed(tmp_path: Path) -> None:
    files = write_series(tmp_path, series=Series(name="t2 tse"))
    files += write_series(tmp_path, series=Series(name="t1 mprage", uid="1.2.3", prefix="X"))
    volume = read_dicom(files)
    assert volume.unfit is not None
    assert volume.unfit.code == "no_flair"
    assert [(each.description, each.chosen) for each in volume.series] == [
        ("t2 tse", False),
        ("t1 mprage", False),
    ]
    assert all("not FLAIR" in each.reason for each in volume.series)


@pytest.mark.parametrize(
    ("modality", "samples", "code"), [("CT", 1, "not_mr"), ("MR", 3, "colour_picture")]
)
def test_what_is_no_mr_image_is_not_analyzed(
    tmp_path: Path, modality: str, samples: int, code: str
) -> None:
    def alter(number: int, image: Dataset) -> None:
        image.Modality, image.SamplesPerPixel = modality, samples
        if samples == 3:
            image.PlanarConfiguration, image.PhotometricInterpretation = 0, "RGB"
            image.PixelData = image.PixelData * 3

    volume = read_dicom(write_series(tmp_path, series=Series(change=alter)))
    assert volume.unfit is not None
    assert volume.unfit.code == code


DATES: list[tuple[dict[str, str], str | None]] = [
    ({"AcquisitionDate": "20240229", "AcquisitionTime": "235901.250000"}, "2024-02-29T23:59:01"),
    ({"AcquisitionDate": "20240229", "AcquisitionTime": "235901"}, "2024-02-29T23:59:01"),
    ({"AcquisitionDate": "20240229", "AcquisitionTime": ""}, "2024-02-29"),
    ({"AcquisitionDate": "20240229"}, "2024-02-29"),
    ({"AcquisitionDate": "", "SeriesDate": "20231231"}, "2023-12-31"),
    ({"StudyDate": "19991231", "StudyTime": "070809"}, "1999-12-31T07:08:09"),
    ({"AcquisitionDate": "20240230", "StudyDate": "20240301"}, "2024-03-01"),
    ({"AcquisitionDate": "20240229", "AcquisitionTime": "996199"}, "2024-02-29"),
    ({"AcquisitionDate": "99999999"}, None),
    ({}, None),
]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(("written", "expected"), DATES)
def test_the_time_of_acquisition_is_as_the_scanner_wrote_it(
    tmp_path: Path, written: dict[str, str], expected: str | None
) -> None:
    def date(number: int, image: Dataset) -> None:
        for name, value in written.items():
            setattr(image, name, value)

    volume = read_dicom(write_series(tmp_path, series=Series(change=date)))
    assert volume.acquired_at == expected


def test_the_patient_id_comes_from_the_file_alone(tmp_path: Path) -> None:
    (identity,) = named_in(write_series(tmp_path)[:1]).identities
    assert identity.patient_id == "patient name"
    (tmp_path / "text").write_text("Dear doctor")
    assert named_in([tmp_path / "text"]) == Named()


@pytest.mark.skipif(not BRAINIX.is_dir(), reason="../shared/data is not here")
def test_a_real_philips_flair_reads() -> None:
    files = tuple(sorted(BRAINIX.iterdir()))
    volume = read_dicom(files)
    assert volume.shape[2] == len(files) == 22
    assert volume.spacing == pytest.approx((0.799, 0.799, 6.0), abs=0.001)
    assert volume.unfit is None
    assert volume.slice_axis == 2


@pytest.mark.skipif(not BRAINIX.is_dir(), reason="../shared/data is not here")
def test_the_real_flair_is_chosen_beside_its_epi() -> None:
    flair = tuple(sorted(BRAINIX.iterdir()))
    volume = read_dicom((*sorted((DATA / "dicom" / "brainix_epi").iterdir()), *flair))
    assert codes(volume.notes) == ["series_chosen"]
    assert np.array_equal(volume.voxels, read_dicom(flair).voxels)
