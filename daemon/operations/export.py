"""`gliowatch export`: findings as CSV, reviewed masks as a training set, DICOM without names."""

import asyncio
import csv
import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from daemon.drops import SOURCE, folder_name
from daemon.index.database import Database, open_records
from daemon.index.people.accounts import kept_secret
from daemon.index.people.reviews import Decision
from daemon.index.scans import ScanRow, every_scan, find_scan, revisions_of
from daemon.intake.late_files import files_before
from daemon.outputs.deidentified.sources import LeftOut, write_sources
from daemon.outputs.scan_folder import save_mask, save_series
from daemon.outputs.tables import COLUMNS, Hidden, Naming, Plain, rows_of
from daemon.pipeline.lost_index import open_known_index
from daemon.pipeline.prior_scan import analyzed_volume
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.records.reviews import decision_on
from daemon.settings import DaemonSettings, Settings
from model.errors import GliowatchError
from model.inference.face import FaceError, without_face
from model.reading.nifti import read_nifti
from model.rules import FlairRules
from model.volume import Volume


@dataclass(frozen=True)
class Wishes:
    """What of an export is asked for. scans: scan_ids, or none for all; masks, sources: folders."""

    deidentify: bool = False
    masks: Path | None = None
    deface: bool = False
    sources: Path | None = None
    out: Path | None = None
    scans: tuple[str, ...] = ()


class Case(StrEnum):
    """What became of the mask of a scan."""

    WRITTEN = "written"
    NOT_WRITTEN = "not_written"
    NO_FACE = "no_face"  # written as it was
    FACE_UNSURE = "face_unsure"  # not written


async def export_masks(
    index: Database, records: Database, settings: Settings, wishes: Wishes, naming: Naming
) -> Counter[Case]:
    """Write each as `<name>/<name>_flair.nii.gz` and `_seg.nii.gz`; how many, by what became.

    Of each scan it is the newest mask that a person accepted or drew: one that the network made
    later and nobody looked at does not count. Left out are pictures, which have no NIfTI, and
    scans whose files are gone or cannot be read. Headers hold the grid alone. A case that is
    there already with the same mask is not written again, unless faces are to go from it.
    """
    done: Counter[Case] = Counter()
    flair, outbox = analysis_rules(settings.model).flair, settings.daemon.outbox
    assert wishes.masks is not None, "somebody asked for masks"
    async for scan in _chosen(index, naming, wishes):
        accepted = await _accepted(index, records, scan.scan_id)
        if accepted is not None:
            case = wishes.masks / _name(scan, naming)
            done[_write(accepted, outbox, case, flair, wishes.deface)] += 1
    return done


async def export_sources(
    index: Database, settings: Settings, wishes: Wishes, naming: Hidden
) -> tuple[int, Counter[LeftOut]]:
    """Write the DICOM files of each scan below `<name>/`; how many files, and what was left out."""
    left_out: Counter[LeftOut] = Counter()
    written = 0
    rules = analysis_rules(settings.model).flair
    assert wishes.sources is not None, "somebody asked for sources"
    async for scan in _chosen(index, naming, wishes):
        if scan.report.input.kind != "dicom":
            continue
        source = settings.daemon.outbox / os.fsdecode(scan.folder) / SOURCE
        case = wishes.sources / _name(scan, naming)
        case.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=case.parent, prefix=".") as scratch:
            partial = Path(scratch) / "case"
            try:
                files = files_before(source, Path(scratch), scan.study_uid)
                done = write_sources(files, scan.patient_id, naming, rules, partial)
            except (GliowatchError, OSError):
                left_out[LeftOut.DAMAGED] += 1
                continue
            _put(partial, case, Path(scratch))
        written += done.written
        left_out += done.left_out
    return written, left_out


async def _chosen(index: Database, naming: Naming, wishes: Wishes) -> AsyncIterator[ScanRow]:
    """The scans that are asked for, in the order of their patients' names in this export."""
    async for scan in every_scan(index, naming.patient):
        if not wishes.scans or scan.scan_id in wishes.scans:
            yield scan


def _name(scan: ScanRow, naming: Naming) -> str:
    return f"{folder_name(naming.patient(scan.patient_id))}_{naming.scan(scan.scan_id)}"


async def _accepted(index: Database, records: Database, scan_id: str) -> ScanRow | None:
    """The newest revision whose mask was accepted, or drawn by a person and not rejected."""
    for revision in await revisions_of(index, scan_id):
        if await decision_on(records, revision.report) is Decision.ACCEPTED:
            return revision
    return None


def _write(scan: ScanRow, outbox: Path, case: Path, flair: FlairRules, deface: bool) -> Case:
    folder = outbox / os.fsdecode(scan.folder)
    case.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=case.parent, prefix=".") as scratch:
        partial = Path(scratch) / "case"
        partial.mkdir()
        try:
            drawn = read_nifti(folder / f"{scan.scan_id}_seg.nii.gz")
            if not deface and _is_there(case, drawn):
                return Case.WRITTEN
            mask = (drawn.voxels > 0).astype("uint8")
            volume = analyzed_volume(scan.scan_id, scan.report, folder, Path(scratch), flair)
            had_face = True
            if deface:
                faceless = without_face(volume, mask)
                volume, had_face = faceless.volume, faceless.had_face
        except FaceError:
            _put(None, case, Path(scratch))  # what an export before left there has its face
            return Case.FACE_UNSURE
        except (GliowatchError, OSError):
            return Case.NOT_WRITTEN
        plain = replace(volume, nifti_header=b"", file_affine=None)  # in mm, an entered spacing too
        save_series(plain, partial / f"{case.name}_flair.nii.gz")
        save_mask(mask, plain, partial / f"{case.name}_seg.nii.gz")
        _put(partial, case, Path(scratch))
    return Case.WRITTEN if had_face else Case.NO_FACE


def _put(partial: Path | None, case: Path, scratch: Path) -> None:
    """Move a finished folder to its place; what was there goes with the scratch folder."""
    if case.exists():
        case.rename(scratch / "before")
    if partial is not None and partial.exists():
        shutil.move(partial, case)


def _is_there(case: Path, drawn: Volume) -> bool:
    """Whether the case was written before, with this very mask."""
    mask = case / f"{case.name}_seg.nii.gz"
    return mask.exists() and np.array_equal(read_nifti(mask).voxels > 0, drawn.voxels > 0)


Write = Callable[[str], object]


class ExportError(GliowatchError):
    """The table cannot be written where it was asked for."""


def export(settings: Settings, wishes: Wishes, say: Callable[[str], object]) -> None:
    """Write the table to `out`, or to standard output; or accepted masks and DICOM sources.

    deidentify: no patient folders and names; opaque numbers instead, and each patient's dates
    earlier by a secret number of days, 1 to 365, so that the time between scans stays true.
    Raises ExportError for wishes that do not go together.
    """
    _check(wishes)
    if wishes.masks is not None or wishes.sources is not None:
        asyncio.run(_export_folders(settings, wishes, say))
        return
    out = wishes.out
    if out is None:
        asyncio.run(_export(settings.daemon, wishes, sys.stdout.write))
        return
    if not out.parent.is_dir():
        raise ExportError(f"-o {out}: there is no folder {out.parent}.")
    partial = out.with_name(f".{out.name}.part")
    with open(partial, "w", encoding="utf-8", newline="") as stream:
        partial.chmod(0o600)  # patients are in it
        asyncio.run(_export(settings.daemon, wishes, stream.write))
    partial.replace(out)


def _check(wishes: Wishes) -> None:
    if wishes.sources is not None and not wishes.deidentify:
        raise ExportError("--sources writes de-identified files alone: add --deidentify.")
    if wishes.deface and (wishes.masks is None or not wishes.deidentify):
        raise ExportError("--deface belongs to --masks DIR with --deidentify.")
    if wishes.deface and wishes.sources is not None:
        raise ExportError(
            "--deface takes faces from NIfTI alone, and DICOM sources keep theirs: export masks"
            " and sources one after the other."
        )
    folders = [each.resolve() for each in (wishes.masks, wishes.sources) if each is not None]
    if len(folders) != len(set(folders)):
        raise ExportError("--masks and --sources need two folders.")


async def _export(daemon: DaemonSettings, wishes: Wishes, write: Write) -> None:
    line = io.StringIO(newline="")
    table = csv.DictWriter(line, COLUMNS, lineterminator="\n")
    table.writeheader()
    async with open_known_index(daemon) as index, open_records(daemon.records) as records:
        await _check_known(index, wishes)
        naming = await _naming(records, wishes.deidentify)
        async for scan in _chosen(index, naming, wishes):
            for row in rows_of(scan.report, naming, scan.patient_id):
                table.writerow(row)
            write(line.getvalue())
            line.seek(0)
            line.truncate()
    write(line.getvalue())


async def _export_folders(settings: Settings, wishes: Wishes, say: Callable[[str], object]) -> None:
    daemon = settings.daemon
    async with open_known_index(daemon) as index, open_records(daemon.records) as records:
        await _check_known(index, wishes)
        naming = await _naming(records, wishes.deidentify)
        if wishes.masks is not None:
            done = await export_masks(index, records, settings, wishes, naming)
            _tell_masks(done, wishes, say)
        if wishes.sources is not None and isinstance(naming, Hidden):
            written, left_out = await export_sources(index, settings, wishes, naming)
            say(f"{written} de-identified DICOM files are in {wishes.sources}.")
            for reason, count in sorted(left_out.items()):
                say(f"{count} files were left out: {reason}.")
            if written:
                say("Heads in them have their faces. Look for names that are part of a picture.")


async def _check_known(index: Database, wishes: Wishes) -> None:
    for scan_id in wishes.scans:
        if await find_scan(index, scan_id) is None:
            raise ExportError(f"There is no scan {scan_id}.")


def _tell_masks(done: Counter[Case], wishes: Wishes, say: Callable[[str], object]) -> None:
    written = done[Case.WRITTEN] + done[Case.NO_FACE]
    say(f"{written} accepted masks are in {wishes.masks}.")
    if count := done[Case.NOT_WRITTEN]:
        say(f"{count} more could not be written: pictures, or their files are gone.")
    if count := done[Case.NO_FACE]:
        say(f"{count} of them are stripped heads without a face: they are as they were.")
    if count := done[Case.FACE_UNSURE]:
        say(f"{count} more were not written: it is not sure where their faces are.")
    if wishes.deidentify and not wishes.deface and written:
        say("Heads in them have their faces: --deface takes them away.")


async def _naming(records: Database, deidentify: bool) -> Naming:
    return Hidden(await kept_secret(records, "export")) if deidentify else Plain()
