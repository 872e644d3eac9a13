"""`gliowatch export --masks`: masks that a person accepted or corrected, as a training set."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from daemon.comparing import judged_volume
from daemon.index.database import Database
from daemon.index.listing import every_scan
from daemon.index.reviews import Decision
from daemon.index.revisions import revisions_of
from daemon.index.scans import ScanRow
from daemon.names import folder_name
from daemon.outputs.masks import save_mask, save_series
from daemon.outputs.naming import Naming
from daemon.reviewing import decision_on
from model.errors import GliowatchError
from model.reading.nifti import read_nifti
from model.rules import FlairRules
from model.volume import Volume


async def export_masks(
    index: Database,
    records: Database,
    outbox: Path,
    target: Path,
    naming: Naming,
    flair: FlairRules,
) -> tuple[int, int]:
    """Write each as `<name>/<name>_flair.nii.gz` and `_seg.nii.gz`; how many, and how many not.

    Of each scan it is the newest mask that a person accepted or drew: one that the network made
    later and nobody looked at does not count. Left out are pictures, which have no NIfTI, and
    scans whose files are gone or cannot be read. Headers hold the grid alone. A case that is
    there already with the same mask is not written again.
    """
    written = left_out = 0
    async for scan in every_scan(index):
        accepted = await _accepted(index, records, scan.scan_id)
        if accepted is None:
            continue
        name = f"{folder_name(naming.patient(scan.patient_id))}_{naming.scan(scan.scan_id)}"
        if _write(accepted, outbox, target / name, flair):
            written += 1
        else:
            left_out += 1
    return written, left_out


async def _accepted(index: Database, records: Database, scan_id: str) -> ScanRow | None:
    """The newest revision whose mask was accepted, or drawn by a person and not rejected."""
    for revision in await revisions_of(index, scan_id):
        if await decision_on(records, revision.report) is Decision.ACCEPTED:
            return revision
    return None


def _write(scan: ScanRow, outbox: Path, case: Path, flair: FlairRules) -> bool:
    folder = outbox / os.fsdecode(scan.folder)
    case.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=case.parent, prefix=".") as scratch:
        partial = Path(scratch) / "case"
        partial.mkdir()
        try:
            drawn = read_nifti(folder / f"{scan.scan_id}_seg.nii.gz")
            if _is_there(case, drawn):
                return True
            volume = judged_volume(scan.scan_id, scan.report, folder, Path(scratch), flair)
        except (GliowatchError, OSError):
            return False
        save_series(volume, partial / f"{case.name}_flair.nii.gz")
        save_mask(
            (drawn.voxels > 0).astype("uint8"), drawn.affine, partial / f"{case.name}_seg.nii.gz"
        )
        if case.exists():  # with the mask from before somebody corrected it
            case.rename(Path(scratch) / "before")
        shutil.move(partial, case)
    return True


def _is_there(case: Path, drawn: Volume) -> bool:
    """Whether the case was written before, with this very mask."""
    mask = case / f"{case.name}_seg.nii.gz"
    return mask.exists() and np.array_equal(read_nifti(mask).voxels > 0, drawn.voxels > 0)
