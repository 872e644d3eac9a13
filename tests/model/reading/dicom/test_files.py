"""Files that begin in other ways, or hold more than the picture: read like any other."""

from collections.abc import Callable
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from model.reading.dicom.patient_tags import named_in, study_of
from model.reading.dicom.study import read_dicom
from tests.conftest import SHARED
from tests.phantoms.dicom_series import AFFINE, STORED, Change, Series, reason, write_series
from tests.phantoms.heads import codes

CASES = SHARED / "cases"
BELOW = STORED % np.uint16(900) + np.uint16(50)  # so that no pixel is padding by chance


def bare(file: Path, syntax: UID) -> None:
    """The data set alone, without preamble and meta header."""
    image = pydicom.dcmread(file)
    little, implicit = syntax != ExplicitVRBigEndian, syntax == ImplicitVRLittleEndian
    pixels = np.frombuffer(image.PixelData, "<u2")
    image.PixelData = pixels.astype("<u2" if little else ">u2").tobytes()
    del image.file_meta
    dcmwrite(file, image, implicit_vr=implicit, little_endian=little, force_encoding=True)


SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("which", [slice(0, 6), slice(5, 6), slice(0, 1)])
def test_bare_data_sets_are_read_all_or_one_among_others(
    tmp_path: Path, syntax: UID, which: slice
) -> None:
    files = write_series(tmp_path)
    for file in files[which]:
        bare(file, syntax)
    volume = read_dicom(files)
    assert np.array_equal(volume.voxels, STORED)
    assert volume.affine == pytest.approx(AFFINE, abs=1e-4)
    assert codes(volume.notes) == []
    assert [each.patient_id for each in named_in(files[which]).identities] == ["patient name"]
    told = study_of(files[which][0])
    assert told is not None
    assert told.uid == "1.2.3.4"


def test_a_meta_header_without_its_preamble_is_read(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    files[5].write_bytes(files[5].read_bytes()[132:])
    assert np.array_equal(read_dicom(files).voxels, STORED)


def test_a_bare_data_set_cut_off_is_never_lost_in_silence(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    bare(files[3], ImplicitVRLittleEndian)
    whole = files[3].read_bytes()
    for end in np.linspace(20, len(whole) - 2, 20).astype(int):
        files[3].write_bytes(whole[:end])
        assert reason(files)


@pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.3.46.670589.33.1.4.1", "1.2.3.4.5"])
def test_a_transfer_syntax_that_nobody_knows_is_named_by_its_uid(
    tmp_path: Path, syntax: str
) -> None:
    def pack(number: int, image: Dataset) -> None:
        image.PixelData = encapsulate([image.PixelData])

    files = write_series(tmp_path, series=Series(change=pack))
    for file in files:
        image = pydicom.dcmread(file)
        image.file_meta.TransferSyntaxUID = UID(syntax)
        image["PixelData"].is_undefined_length = True
        dcmwrite(file, image, implicit_vr=False, little_endian=True, force_encoding=True)
    assert f": {syntax}." in reason(files)


def test_a_legacy_converted_series_is_that_which_it_was_converted_from(tmp_path: Path) -> None:
    images = [pydicom.dcmread(file) for file in write_series(tmp_path, series=Series(name=""))]
    for image in images:
        image.EchoTime, image.InversionTime, image.StudyDate = "120", "2400", "20240229"
        required = ("PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyTime")
        for name in (*required, "AccessionNumber", "ReferringPhysicianName", "Manufacturer"):
            setattr(image, name, "")
        image.ImageType, image.AcquisitionDateTime = ["ORIGINAL", "PRIMARY"], "20240229120000"
    converted = hd.legacy.LegacyConvertedEnhancedMRImage(
        images, "1.2.3.77", 7, "1.2.3.78", 1, transfer_syntax_uid=ExplicitVRLittleEndian
    )
    converted.save_as(tmp_path / "legacy")
    volume = read_dicom((tmp_path / "legacy",))
    assert np.array_equal(volume.voxels, STORED)
    assert volume.affine == pytest.approx(AFFINE, abs=1e-4)
    assert volume.unfit is None
    assert "sequence_unknown" not in codes(volume.notes)


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless]
)
@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_those_stored_are_no_part_of_a_pixel(
    tmp_path: Path, syntax: UID, signed: bool
) -> None:
    """Old scanners kept overlays there, and a compressed file keeps whatever stood there."""
    known = np.tile(STORED, (4, 4, 1)).astype(np.int16) - (500 if signed else 0)

    def fill(number: int, image: Dataset) -> None:
        image.BitsStored, image.HighBit = 12, 11
        pixels = np.frombuffer(image.PixelData, "<u2") & 0x0FFF | 0x5000
        image.PixelData = pixels.astype("<u2").tobytes()
        if syntax.is_compressed:
            image.BitsStored, image.HighBit = 16, 15
            image.PixelRepresentation = 0
            image.compress(syntax, generate_instance_uid=False)
            image.BitsStored, image.HighBit = 12, 11
            image.PixelRepresentation = int(signed)

    kind = np.int16 if signed else np.uint16
    volume = read_dicom(write_series(tmp_path, known.astype(kind), series=Series(change=fill)))
    assert np.array_equal(volume.voxels, known)


def padded(
    fill: int, tag: int, limit: int | None = None, stored: int = 16
) -> Callable[[int, Dataset], None]:
    """A frame of padding around each slice, with the value of the tag in the header."""

    def change(number: int, image: Dataset) -> None:
        pixels = np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns).copy()
        pixels[[0, 1, -1]] = np.int32(fill) & 0xFFFF
        image.PixelData = pixels.astype("<u2").tobytes()
        image.BitsStored, image.HighBit = stored, stored - 1
        vr = "SS" if image.PixelRepresentation else "US"
        image.add_new("PixelPaddingValue", vr, tag)
        if limit is not None:
            image.add_new("PixelPaddingRangeLimit", vr, limit)

    return change


@pytest.mark.parametrize(
    ("signed", "change"),
    [
        (True, padded(-1024, -1024)),
        (True, padded(-2000, -2000, stored=12)),
        (True, padded(-32768, -32768)),
        (True, padded(-1500, -2000, limit=-1000)),
        (False, padded(63536, 63536)),
        (False, padded(4095, 4095, stored=12)),
        (False, padded(63536, 63536, stored=12)),
        (False, padded(0, 0)),
    ],
)
def test_padding_is_air(tmp_path: Path, signed: bool, change: Change) -> None:
    kind = np.int16 if signed else np.uint16
    volume = read_dicom(write_series(tmp_path, BELOW.astype(kind), series=Series(change=change)))
    inside = BELOW[:, 2:-1]
    assert np.array_equal(volume.voxels[:, 2:-1], inside)
    edge = np.concatenate([volume.voxels[:, :2], volume.voxels[:, -1:]], axis=1)
    assert np.unique(edge) == pytest.approx([np.percentile(inside, 1)])


def test_a_series_of_padding_alone_is_refused(tmp_path: Path) -> None:
    def all_padding(number: int, image: Dataset) -> None:
        image.PixelData = bytes(len(image.PixelData))
        image.add_new("PixelPaddingValue", "US", 0)

    files = write_series(tmp_path, series=Series(change=all_padding))
    assert "nothing but padding" in reason(files)


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize("name", ["01-no-preamble", "11b-padding-1024"])
def test_the_known_cases_are_read(name: str) -> None:
    whole = read_dicom(tuple(sorted((CASES / "37-study-uid-per-slice").iterdir())))
    volume = read_dicom(tuple(sorted((CASES / name).iterdir())))
    assert volume.shape == whole.shape
    assert volume.levels.edge == pytest.approx(whole.levels.edge, rel=0.01)
    assert volume.levels.middle == pytest.approx(whole.levels.middle, rel=0.01)
