"""A hospital of published phantoms: one head stored in the ways that readers disagree about."""

import asyncio
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from model.volume import Kind
from tests.conftest import ROOT
from tests.daemon.pipeline.published import Given, publish
from tests.phantoms.heads import Stored, head, write_nifti
from tests.phantoms.reports import CHANGE

LESION = (38, 30, 12)  # mm from the head's middle: right, front, up
HEAD = head(LESION, radius=16)
HOSTILE = "<img onerror=alert(1)> صورة 扫描 " + 40 * "long "
PICTURE, EARLIER, LATER, REVISED = 20, 30, 31, 40
SHIFT = 12.0  # mm that the later head lies higher than the earlier one


def make_hospital(folder: Path) -> dict[str, Given]:
    """Publish every phantom below `folder`; the scans by what is special about each."""
    dropped = folder / "dropped"
    dropped.mkdir(parents=True)
    shutil.copy(ROOT / "settings.toml", folder)
    (folder / "inbox").mkdir()
    scans = {**stored_ways(dropped), **others(dropped)}
    asyncio.run(publish(folder, list(scans.values())))
    return scans


def stored_ways(folder: Path) -> dict[str, Given]:
    """The same head in other orders, turned, and with positions that need care."""
    heads = {
        "RAS": HEAD,
        "LPS": HEAD.stored(Stored((0, 1, 2), (True, True, False))),
        "PIR": HEAD.stored(Stored((1, 2, 0), (True, True, False))),
        "oblique": head(LESION, radius=16, degrees=(12, 0, 17)),
    }
    files = {
        name: write_nifti(folder / f"{name}.nii.gz", h.voxels, h.affine)
        for name, h in heads.items()
    }
    micron = HEAD.affine.copy()
    micron[:3] *= 1000
    files["micron"] = write_nifti(folder / "micron.nii.gz", HEAD.voxels, micron, "micron")
    files["no position"] = write_nifti(folder / "none.nii.gz", HEAD.voxels, None)
    files["two positions"] = _two_positions(folder / "two.nii.gz")
    files["whole numbers"] = _whole_numbers(folder / "whole.nii")
    masks = {name: heads.get(name, HEAD).lesion for name in files}
    return {
        name: Given("P1", number, path, Kind.NIFTI, masks[name])
        for number, (name, path) in enumerate(files.items(), 1)
    }


def others(folder: Path) -> dict[str, Given]:
    """A picture, two scans to compare, and one that was analyzed twice, of a hostile name."""
    middle = HEAD.lesion.sum(axis=(0, 1)).argmax()
    grey = np.clip(HEAD.voxels[::-1, ::-1, middle].T, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(folder / "picture.png")
    flat = HEAD.lesion[::-1, ::-1, middle : middle + 1]
    raised = head(LESION, radius=16, centre=(0, 0, SHIFT), shape=(44, 54, 36))
    earlier = write_nifti(folder / "earlier.nii.gz", HEAD.voxels, HEAD.affine)
    later = write_nifti(folder / "later.nii.gz", raised.voxels, raised.affine)
    notes = [{"code": "n", "message": f"Doubt {n}. " + 20 * "A long doubt. "} for n in range(30)]
    return {
        "picture": Given("P2", PICTURE, folder / "picture.png", Kind.IMAGE, flat),
        "earlier": Given("P3", EARLIER, earlier, Kind.NIFTI, HEAD.lesion, 1, "2024-01-05"),
        "later": Given(
            "P3", LATER, later, Kind.NIFTI, raised.lesion, 1, "2025-01-05", (("change", change()),)
        ),
        "hostile": Given(HOSTILE, REVISED, earlier, Kind.NIFTI, HEAD.lesion),
        "again": Given(
            HOSTILE, REVISED, earlier, Kind.NIFTI, HEAD.lesion, 2, None, (("quality", notes),)
        ),
    }


def change() -> dict[str, object]:
    """What a report says of a head that only lies higher than before, in more slices."""
    to_prior = np.eye(4)
    to_prior[2, 3] = -SHIFT
    return CHANGE | {
        "prior_scan_id": f"{EARLIER:020x}",
        "prior_revision": 1,
        "prior_acquired_at": "2024-01-05",
        "registered": True,
        "to_prior_ras_mm": to_prior.tolist(),
        "words": "FLAIR change vs prior of 2024-01-05 (366 days): +0.0 ml (+0 %).",
    }


def _two_positions(path: Path) -> Path:
    """The sform counts; a qform of a higher code says that left is right."""
    image = nib.Nifti1Image(HEAD.voxels, HEAD.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(HEAD.affine, "scanner")
    image.set_qform(np.diag([-1.0, -1.0, 1.0, 1.0]) @ HEAD.affine, "aligned")
    image.to_filename(path)
    return path


def _whole_numbers(path: Path) -> Path:
    """Not packed, the other byte order, four axes, whole numbers with a slope."""
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    image = nib.Nifti1Image(HEAD.voxels[..., None], HEAD.affine, header)
    image.header.set_slope_inter(0.5, 3)
    image.header.set_xyzt_units("mm")
    image.set_sform(HEAD.affine, "scanner")
    image.to_filename(path)
    return path
