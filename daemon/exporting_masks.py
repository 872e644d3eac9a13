"""`gliowatch export --masks`: masks that a person has accepted, as a training set."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from daemon.comparing import judged_volume
from daemon.history import judged_revision
from daemon.index.database import Database
from daemon.index.listing import every_scan
from daemon.index.reviews import Decision, last_decision
from daemon.index.scans import ScanRow
from daemon.names import folder_name
from daemon.outputs.masks import save_mask, save_series
from daemon.outputs.naming import Naming
from model.errors import GliowatchError
from model.reading.dicom_sequence import FlairRules
from model.reading.nifti import read_nifti


async def export_masks(
    index: Database,
    records: Database,
    outbox: Path,
    target: Path,
    naming: Naming,
    flair: FlairRules,
) -> tuple[int, int]:
    """Write each as `<name>/<name>_flair.nii.gz` and `_seg.nii.gz`; how many, and how many not.

    Left out are pictures, which have no NIfTI, and scans whose files are gone or cannot be read.
    Headers hold the grid alone. A case that is there already is not written again.
    """
    written = left_out = 0
    async for scan in every_scan(index):
        said = await last_decision(records, scan.scan_id, judged_revision(scan.report))
        if said is not Decision.ACCEPTED:
            continue
        name = f"{folder_name(naming.patient(scan.patient_id))}_{naming.scan(scan.scan_id)}"
        if (target / name).exists() or _write(scan, outbox, target / name, flair):
            written += 1
        else:
            left_out += 1
    return written, left_out


def _write(scan: ScanRow, outbox: Path, case: Path, flair: FlairRules) -> bool:
    folder = outbox / os.fsdecode(scan.folder)
    mask = folder / f"{scan.scan_id}_seg.nii.gz"
    case.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=case.parent, prefix=".") as scratch:
        partial = Path(scratch) / "case"
        partial.mkdir()
        try:
            volume = judged_volume(scan.scan_id, scan.report, folder, Path(scratch), flair)
            drawn = read_nifti(mask)
        except (GliowatchError, OSError):
            return False
        save_series(volume, partial / f"{case.name}_flair.nii.gz")
        save_mask(
            (drawn.voxels > 0).astype("uint8"), drawn.affine, partial / f"{case.name}_seg.nii.gz"
        )
        shutil.move(partial, case)
    return True
