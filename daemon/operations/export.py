"""`gliowatch export`: all findings as CSV, and reviewed masks as a training set."""

import asyncio
import csv
import io
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from daemon.drops import folder_name
from daemon.index.database import Database, open_records
from daemon.index.people.accounts import kept_secret
from daemon.index.people.reviews import Decision
from daemon.index.scans import ScanRow, every_scan, revisions_of
from daemon.outputs.scan_folder import save_mask, save_series
from daemon.outputs.tables import COLUMNS, Hidden, Naming, Plain, rows_of
from daemon.pipeline.lost_index import open_known_index
from daemon.pipeline.prior_scan import analyzed_volume
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.records.reviews import decision_on
from daemon.settings import DaemonSettings, Settings
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
    async for scan in every_scan(index, naming.patient):
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
            volume = analyzed_volume(scan.scan_id, scan.report, folder, Path(scratch), flair)
        except (GliowatchError, OSError):
            return False
        plain = replace(volume, nifti_header=b"", file_affine=None)  # in mm, an entered spacing too
        save_series(plain, partial / f"{case.name}_flair.nii.gz")
        mask = (drawn.voxels > 0).astype("uint8")
        save_mask(mask, plain, partial / f"{case.name}_seg.nii.gz")
        if case.exists():  # with the mask from before somebody corrected it
            case.rename(Path(scratch) / "before")
        shutil.move(partial, case)
    return True


def _is_there(case: Path, drawn: Volume) -> bool:
    """Whether the case was written before, with this very mask."""
    mask = case / f"{case.name}_seg.nii.gz"
    return mask.exists() and np.array_equal(read_nifti(mask).voxels > 0, drawn.voxels > 0)


Write = Callable[[str], object]


class ExportError(GliowatchError):
    """The table cannot be written where it was asked for."""


def export(
    settings: Settings,
    deidentify: bool,
    masks: Path | None,
    out: Path | None,
    say: Callable[[str], object],
) -> None:
    """Write the table to `out`, or to standard output; or the accepted masks below `masks`.

    deidentify: no patient folders and names; opaque numbers instead, and each patient's dates
    earlier by a secret number of days, 1 to 365, so that the time between scans stays true.
    """
    if masks is not None:
        written, left_out = asyncio.run(_export_masks(settings, deidentify, masks))
        say(f"{written} accepted masks are in {masks}.")
        if left_out:
            say(f"{left_out} more could not be written: pictures, or their files are gone.")
        return
    if out is None:
        asyncio.run(_export(settings.daemon, deidentify, sys.stdout.write))
        return
    if not out.parent.is_dir():
        raise ExportError(f"-o {out}: there is no folder {out.parent}.")
    partial = out.with_name(f".{out.name}.part")
    with open(partial, "w", encoding="utf-8", newline="") as stream:
        partial.chmod(0o600)  # patients are in it
        asyncio.run(_export(settings.daemon, deidentify, stream.write))
    partial.replace(out)


async def _export(daemon: DaemonSettings, deidentify: bool, write: Write) -> None:
    line = io.StringIO(newline="")
    table = csv.DictWriter(line, COLUMNS, lineterminator="\n")
    table.writeheader()
    async with open_known_index(daemon) as index, open_records(daemon.records) as records:
        naming = await _naming(records, deidentify)
        async for scan in every_scan(index, naming.patient):
            for row in rows_of(scan.report, naming, scan.patient_id):
                table.writerow(row)
            write(line.getvalue())
            line.seek(0)
            line.truncate()
    write(line.getvalue())


async def _export_masks(settings: Settings, deidentify: bool, masks: Path) -> tuple[int, int]:
    daemon = settings.daemon
    async with open_known_index(daemon) as index, open_records(daemon.records) as records:
        naming, flair = await _naming(records, deidentify), analysis_rules(settings.model).flair
        return await export_masks(
            index, records, outbox=daemon.outbox, target=masks, naming=naming, flair=flair
        )


async def _naming(records: Database, deidentify: bool) -> Naming:
    return Hidden(await kept_secret(records, "export")) if deidentify else Plain()
