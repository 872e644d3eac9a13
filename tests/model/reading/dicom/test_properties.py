"""What never changes a volume: names and numbers, the order of files, packing, byte order, storage.

The volume is compared voxel by voxel, upright, whatever way it was stored.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gdcm
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, RLELossless, generate_uid

from daemon.commands.segment import segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from model.reading.dicom.study import read_dicom
from model.volume import Upright, Volume
from tests.conftest import SAMPLES
from tests.phantoms.dicom_series import AFFINE, write_series
from tests.phantoms.heads import ORDERS, Stored

STUDY = SAMPLES / "from-the-pacs" / "study"
WIDE = np.random.default_rng(4).integers(0, 900, (40, 36, 6)).astype(np.uint16)
NUMBERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
PACKINGS = {
    "RLE": gdcm.TransferSyntax.RLELossless,
    "JPEG lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "JPEG-LS": gdcm.TransferSyntax.JPEGLSLossless,
    "JPEG 2000": gdcm.TransferSyntax.JPEG2000Lossless,
    "deflated": gdcm.TransferSyntax.DeflatedExplicitVRLittleEndian,
    "implicit": gdcm.TransferSyntax.ImplicitVRLittleEndian,
    "explicit": gdcm.TransferSyntax.ExplicitVRLittleEndian,
}
quick = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
Change = Callable[[Path], object]


def upright(volume: Volume) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    turn = Upright.of(volume.shape, volume.affine)
    return turn.turn(volume.voxels), turn.affine


def is_the_same(volume: Volume, known: Volume) -> bool:
    voxels, affine = upright(volume)
    expected, place = upright(known)
    return np.array_equal(voxels, expected) and np.allclose(affine, place, atol=1e-3)


def known_series(folder: Path) -> tuple[tuple[Path, ...], Volume]:
    files = write_series(folder, WIDE)
    return files, read_dicom(files)


def renamed(files: tuple[Path, ...], kinds: frozenset[str], one_each: bool) -> None:
    """Other numbers of these kinds: one for each that there was, or one for each file."""
    new: dict[str, str] = {}
    for file in files:
        image = pydicom.dcmread(file)
        for kind in kinds:
            old = str(image[kind].value)
            image[kind].value = generate_uid() if one_each else new.setdefault(old, generate_uid())
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(file)


def pack(file: Path, packing: str) -> None:
    """The same pixels in another transfer syntax."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(file))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(PACKINGS[packing]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(file))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def as_big_endian(file: Path) -> None:
    image = pydicom.dcmread(file)
    image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
    image.file_meta.TransferSyntaxUID = UID(ExplicitVRBigEndian)
    pydicom.dcmwrite(file, image, implicit_vr=False, little_endian=False, force_encoding=True)


@quick
@given(kinds=st.frozensets(st.sampled_from(NUMBERS), min_size=1), one_each=st.booleans())
def test_other_numbers_never_change_the_volume(kinds: frozenset[str], one_each: bool) -> None:
    if one_each and "FrameOfReferenceUID" in kinds:
        kinds |= {"SeriesInstanceUID"}
    with TemporaryDirectory() as folder:
        files, known = known_series(Path(folder))
        renamed(files, kinds, one_each)
        assert is_the_same(read_dicom(files), known)


@quick
@given(order=st.permutations(range(6)), twice=st.lists(st.integers(0, 5), max_size=3))
def test_the_order_of_files_and_copies_never_change_the_volume(
    order: list[int], twice: list[int]
) -> None:
    with TemporaryDirectory() as folder:
        files, known = known_series(Path(folder))
        copies = []
        for number, which in enumerate(twice):
            copies.append(Path(folder) / f"copy{number}")
            copies[-1].write_bytes(files[which].read_bytes())
        shuffled = (*copies, *(files[number] for number in order))
        assert is_the_same(read_dicom(shuffled), known)


@quick
@given(packings=st.lists(st.sampled_from([*PACKINGS, "big endian"]), min_size=6, max_size=6))
def test_the_packing_of_the_pixels_never_changes_the_volume(packings: list[str]) -> None:
    with TemporaryDirectory() as folder:
        files, known = known_series(Path(folder))
        for file, packing in zip(files, packings, strict=True):
            as_big_endian(file) if packing == "big endian" else pack(file, packing)
        assert is_the_same(read_dicom(files), known)


@quick
@given(stored=st.sampled_from(ORDERS), backwards=st.booleans())
def test_the_storage_order_never_changes_the_volume(stored: Stored, backwards: bool) -> None:
    with TemporaryDirectory() as folder, TemporaryDirectory() as other:
        _, known = known_series(Path(folder))
        files = write_series(Path(other), *stored.apply(WIDE, AFFINE))
        assert is_the_same(read_dicom(files[::-1] if backwards else files), known)


def number_anew(folder: Path) -> None:
    renamed(tuple(folder.iterdir()), frozenset(NUMBERS), one_each=True)


def compress(folder: Path) -> None:
    for file in folder.iterdir():
        image = pydicom.dcmread(file)
        if image.file_meta.TransferSyntaxUID.is_compressed:
            image.decompress(generate_instance_uid=False)
        image.compress(RLELossless, generate_instance_uid=False)
        image.save_as(file)


def rename(folder: Path) -> None:
    for number, file in enumerate(sorted(folder.iterdir(), reverse=True)):
        file.rename(folder / f"x{number:03d}")


@pytest.mark.long
@pytest.mark.parametrize("change", [number_anew, compress, rename])
def test_a_finding_stays_the_same(tmp_path: Path, change: Change) -> None:
    findings = []
    for name, alter in (("a", None), ("b", change)):
        folder = tmp_path / name
        folder.mkdir()
        for file in STUDY.iterdir():
            if "FLAIR" in _sequence(file):
                (folder / file.name).write_bytes(file.read_bytes())
        if alter:
            alter(folder)
        rules = analysis_rules(ModelSettings())
        (done,) = segment_once([folder], tmp_path / f"{name}-out", "P", rules)
        assert done.report is not None, done.reason
        findings.append((done.report.finding, done.report.volume_ml, done.report.volume_voxels))
    assert findings[0] == findings[1]
    assert findings[0][0] == "tumor"


def _sequence(file: Path) -> str:
    header: Dataset = pydicom.dcmread(file, stop_before_pixels=True)
    return "FLAIR" if "tirm" in str(header.SeriesDescription) else "other"
