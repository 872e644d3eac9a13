"""Enhanced MR files: many frames in one file, whose headers lie in functional groups."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

from model.reading.dicom.study import read_dicom
from model.volume import Affine
from tests.phantoms.dicom_series import AFFINE, RAS_TO_LPS, STORED, reason, texts
from tests.phantoms.heads import codes

Group = Callable[[int, Dataset], object]


def items(**values: Any) -> Items:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return Items([item])


def write_enhanced(
    path: Path,
    stored: NDArray[np.uint16] = STORED,
    order: list[int] | None = None,
    change: Group | None = None,
    affine: Affine = AFFINE,
) -> tuple[Path, ...]:
    """All slices in one file, in any order; `change` may alter each frame's groups, or the file
    itself as number -1."""
    lps = RAS_TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    turn = lps[:3, :3] / spacing
    order = order or list(range(stored.shape[2]))
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = EnhancedMRImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
    image.Modality, image.SeriesInstanceUID = "MR", "1.2.3.4"
    image.StudyInstanceUID, image.FrameOfReferenceUID = "1.2.3.4", "1.2.3.5"
    image.SeriesDescription, image.ImageType = "t2 FLAIR", ["ORIGINAL", "PRIMARY", "T2", "NONE"]
    image.Columns, image.Rows, image.NumberOfFrames = *stored.shape[:2], str(len(order))
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    shared = Dataset()
    shared.PlaneOrientationSequence = items(ImageOrientationPatient=texts(turn[:, :2].T.ravel()))
    shared.PixelMeasuresSequence = items(
        PixelSpacing=texts(spacing[[1, 0]]), SliceThickness=texts(spacing[2:])[0]
    )
    image.SharedFunctionalGroupsSequence = Items([shared])
    image.PerFrameFunctionalGroupsSequence = Items([])
    for number in order:
        frame = Dataset()
        corner = lps[:3, 3] + number * spacing[2] * turn[:, 2]
        frame.PlanePositionSequence = items(ImagePositionPatient=texts(corner))
        frame.FrameContentSequence = items(
            StackID="1", InStackPositionNumber=number + 1, DimensionIndexValues=[1, number + 1]
        )
        if change:
            change(number, frame)
        image.PerFrameFunctionalGroupsSequence.append(frame)
    if change:
        change(-1, image)
    image.PixelData = np.ascontiguousarray(stored[:, :, order].transpose(2, 1, 0)).tobytes()
    image.save_as(path, enforce_file_format=True)
    return (path,)


def test_frames_are_put_in_their_order_in_space(tmp_path: Path) -> None:
    for seed in range(3):
        order = [int(n) for n in np.random.default_rng(seed).permutation(6)]
        volume = read_dicom(write_enhanced(tmp_path / str(seed), order=order))
        assert np.array_equal(volume.voxels, STORED)
        assert volume.affine == pytest.approx(AFFINE, abs=1e-5)
        assert (codes(volume.notes), volume.unfit) == ([], None)


def test_each_frame_has_its_own_slope(tmp_path: Path) -> None:
    def rescale(number: int, frame: Dataset) -> None:
        if number >= 0:
            frame.PixelValueTransformationSequence = items(
                RescaleSlope=str(number + 1), RescaleIntercept="-7"
            )

    volume = read_dicom(write_enhanced(tmp_path / "one", change=rescale))
    assert np.allclose(volume.voxels, STORED * np.arange(1, 7) - 7)


def second_echo(number: int, frame: Dataset) -> None:
    """A change of twelve frames: the last six lie where the first six do, at another echo."""
    if number < 0:
        return
    frame.MREchoSequence = items(EffectiveEchoTime=100.0 if number < 6 else 20.0)
    if number >= 6:
        corner = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        corner -= RAS_TO_LPS[:3, :3] @ AFFINE[:3, 2] * 6
        frame.PlanePositionSequence = items(ImagePositionPatient=texts(corner))


def test_two_echoes_in_one_file_are_two_stacks(tmp_path: Path) -> None:
    twice = np.concatenate([STORED, STORED + np.uint16(1)], axis=2)
    volume = read_dicom(write_enhanced(tmp_path / "one", twice, change=second_echo))
    assert volume.shape == STORED.shape
    assert [each.slices for each in volume.series] == [6, 6]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"SeriesDescription": "", "ImageType": ["ORIGINAL", "PRIMARY", "T1", "NONE"]}, "not"),
        (
            {
                "SeriesDescription": "",
                "ImageType": ["ORIGINAL", "PRIMARY", "FLUID_ATTENUATED", "NONE"],
            },
            "",
        ),
        ({"EchoPulseSequence": "GRADIENT", "SeriesDescription": "", "EchoTime": "4"}, "not"),
    ],
)
def test_the_sequence_is_told_by_the_names_of_enhanced_files(
    tmp_path: Path, values: dict[str, Any], code: str
) -> None:
    def alter(number: int, image: Dataset) -> None:
        if number < 0:
            for name, value in values.items():
                setattr(image, name, value)

    volume = read_dicom(write_enhanced(tmp_path / "one", change=alter))
    assert (volume.unfit.code if volume.unfit else "") == ("not_flair" if code else "")


@pytest.mark.parametrize("count", ["0", "-3", "99999999"])
def test_a_number_of_frames_that_cannot_be_is_refused(tmp_path: Path, count: str) -> None:
    def alter(number: int, image: Dataset) -> None:
        if number < 0:
            image.NumberOfFrames = count

    assert reason(write_enhanced(tmp_path / "one", change=alter))


def test_frames_without_a_place_are_refused(tmp_path: Path) -> None:
    def forget(number: int, frame: Dataset) -> None:
        if number == 3:
            del frame.PlanePositionSequence

    assert "do not give their position" in reason(write_enhanced(tmp_path / "one", change=forget))
