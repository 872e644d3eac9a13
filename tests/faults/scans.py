"""Small scans of every kind that all differ, as the bytes of their files."""

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
from PIL import Image

from tests.daemon.intake.test_study_split import BIG, tagged
from tests.phantoms.dicom_series import Series, write_series

AFFINE = np.diag([8.0, 8.0, 5.0, 1.0])


def png(number: int) -> bytes:
    """A grey picture."""
    return _picture(number, "PNG")


def jpeg(number: int) -> bytes:
    """A grey photo of a slice."""
    return _picture(number, "JPEG")


def nifti(number: int, packed: bool = True) -> bytes:
    """A tiny volume, gzip-packed or plain."""
    voxels = np.random.default_rng(number).integers(0, 255, (24, 24, 5)).astype(np.uint8)
    name = "scan.nii.gz" if packed else "scan.nii"
    with TemporaryDirectory() as folder:
        nib.save(nib.Nifti1Image(voxels, AFFINE), Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def either(number: int) -> tuple[str, bytes]:
    """What queue rows drop: a name's ending and the content, mostly pictures."""
    return (".nii.gz", nifti(number)) if number % 4 == 3 else (".png", png(number))


def dicom(number: int) -> list[bytes]:
    """The slices of one FLAIR study."""
    study = f"1.2.{number + 1}"
    change = tagged(StudyInstanceUID=study, FrameOfReferenceUID="1.9", PatientID="P")
    series = Series(name="FLAIR", uid=f"{study}.1", change=change)
    with TemporaryDirectory() as folder:
        stored = BIG + np.uint16(number % 60000)
        files = write_series(Path(folder), stored, series=series)
        return [file.read_bytes() for file in files]


def archive(number: int) -> bytes:
    """A zip that holds one tiny volume."""
    return zipped({"scan.nii": nifti(number, packed=False)})


def zipped(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return stream.getvalue()


def _picture(number: int, form: str) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (40, 40), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()
