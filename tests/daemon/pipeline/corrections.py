"""Corrected masks for tests: a hospital whose scans are analyzed, and masks that people send."""

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from daemon.index.database import open_index, open_records
from daemon.index.scans import find_scan
from daemon.records.corrections import MaskUpload, enter_correction
from daemon.service import run_daemon
from daemon.settings import Settings
from tests.conftest import worker_here

SHAPE = (64, 60, 6)
AFFINE = np.diag([-1.0, -1.0, 5.0, 1.0])


def drop_volume(inbox: Path, patient: str, seed: int = 1) -> None:
    """A small NIfTI scan of noise for a patient."""
    (inbox / patient).mkdir(exist_ok=True)
    voxels = np.random.default_rng(seed).integers(0, 999, SHAPE).astype(np.int16)
    save(voxels, inbox / patient / "scan.nii.gz")


def drop_picture(inbox: Path, patient: str) -> None:
    """A small grey picture for a patient."""
    (inbox / patient).mkdir(exist_ok=True)
    pixels = np.random.default_rng(3).integers(0, 255, (60, 64), np.uint8)
    Image.fromarray(pixels).save(inbox / patient / "slice.png")


def block(first: int = 20, last: int = 30) -> NDArray[np.uint8]:
    """A mask on the small scan's grid: a block of ten by ten by two voxels, or as asked."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[first:last, 20:30, 2:4] = 1
    return mask


def save(voxels: NDArray[Any], path: Path, affine: NDArray[np.float64] = AFFINE) -> Path:
    """Write a NIfTI file in mm and scanner coordinates."""
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, "scanner")
    nib.save(image, path)
    return path


def run(settings: Settings, code: int = 0) -> None:
    """The daemon until all is done, its worker's work in this process, which has torch already."""
    with worker_here():
        assert asyncio.run(run_daemon(settings, True, asyncio.Event())) == code


def keep(settings: Settings, scan_id: str, mask: Path) -> str:
    """Keep the bytes of a mask as the viewer does; the name under which they lie."""
    upload = MaskUpload(settings.daemon.outbox, scan_id, mask.name)
    upload.write(mask.read_bytes())
    return upload.keep()


def send(settings: Settings, scan_id: str, mask: Path, by: str = "Ada", empty: bool = False) -> str:
    """Send a corrected mask as the viewer does; its key."""
    file = keep(settings, scan_id, mask)

    async def enter() -> str:
        daemon = settings.daemon
        async with open_index(daemon.index) as index, open_records(daemon.records) as records:
            scan = await find_scan(index, scan_id)
            assert scan is not None
            said = {"seen_revision": scan.revision, "says_empty": empty, "comment": "", "by": by}
            correction = await enter_correction(index, records, scan, file, **said)  # type: ignore[arg-type]
            return correction.correction_key

    return asyncio.run(enter())


def newest(settings: Settings, scan_id: str) -> tuple[Path, dict[str, Any]]:
    """Folder and report of a scan's newest revision, as the outbox has it."""
    found = list(settings.daemon.outbox.glob(f"[!.]*/{scan_id}*/*_report.json"))
    reports = {path.parent: json.loads(path.read_text("utf-8")) for path in found}
    return max(reports.items(), key=lambda item: item[1]["revision"])


def mask_in(folder: Path) -> NDArray[np.bool_]:
    """The mask that a published folder holds."""
    (path,) = folder.glob("*_seg.nii.gz")
    return np.asarray(nib.Nifti1Image.from_filename(path).dataobj) > 0


def on_record(settings: Settings) -> list[dict[str, Any]]:
    """All corrections in the records, in the order in which they came."""
    with sqlite3.connect(settings.daemon.records) as records:
        records.row_factory = sqlite3.Row
        return [dict(row) for row in records.execute("SELECT * FROM corrections ORDER BY at")]


def published(settings: Settings, patient: str) -> list[str]:
    """Names of a patient's published folders, with the scan_id taken off."""
    folders = sorted(os.listdir(settings.daemon.outbox / patient))
    return [name[20:] for name in folders]
