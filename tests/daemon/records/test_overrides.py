"""The size of pixels that a person enters: kept, analyzed with, and told in the report."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

from daemon.index.database import open_index, open_records
from daemon.index.ledger import open_units
from daemon.index.people.overrides import add_spacing
from daemon.index.scans import find_scan, scans_of_patient
from daemon.records.overrides import enter_spacing, queue_spaced
from daemon.service import run_daemon
from daemon.settings import Settings
from model.reading.read import read, scan_at, with_spacing
from model.rules import Spacing
from tests.conftest import FRONTAL, reports

SIZES = Spacing(0.9, 0.8, 5.5)


def _without_unit(path: Path) -> Path:
    """The frontal sample as an export that forgot its scale: 1 mm nominal, unit unknown."""
    image: Any = nib.loadsave.load(FRONTAL)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    bare = nib.Nifti1Image(np.asarray(image.dataobj)[::2, ::2], affine)
    bare.header.set_xyzt_units(0)
    nib.save(bare, path)
    return path


def test_a_spacing_scales_the_grid_and_never_goes_before_the_files_own(tmp_path: Path) -> None:
    volume = read(scan_at(_without_unit(tmp_path / "bare.nii.gz")))
    scaled = with_spacing(volume, SIZES)
    assert np.allclose(scaled.spacing, (0.9, 0.8, 5.5))
    assert [note.code for note in scaled.notes] == ["spacing_entered"]
    assert scaled.file_affine is volume.affine
    assert with_spacing(volume, Spacing(0.9, 0.8)) is volume  # half a scale is none
    declared = read(scan_at(FRONTAL))
    assert with_spacing(declared, SIZES) is declared


async def test_from_the_records_into_the_report_and_anew_when_it_changes(
    hospital: Settings, tmp_path: Path
) -> None:
    """A volume and a picture, given sizes, analyzed anew; the mask keeps its file's grid."""
    inbox, outbox = hospital.daemon.inbox, hospital.daemon.outbox
    (inbox / "A").mkdir()
    bare = _without_unit(tmp_path / "bare.nii.gz")
    shutil.copy(bare, inbox / "A")
    sample: Any = nib.loadsave.load(FRONTAL)
    grey = np.asarray(sample.dataobj)[:, :, 12].T
    Image.fromarray((grey / grey.max() * 255).astype(np.uint8)).save(inbox / "A" / "slice.png")
    assert await run_daemon(hospital, True, asyncio.Event()) == 0
    assert {report["spacing_entered"] for report in reports(hospital)} == {None}
    async with (
        open_index(hospital.daemon.index) as index,
        open_records(hospital.daemon.records) as records,
    ):
        scans = {s.report.input.kind: s for s in await scans_of_patient(index, "A")}
        await enter_spacing(index, records, scans["nifti"], SIZES, "Ada")
        # as if the daemon had been killed before it was queued: the start finds it
        await add_spacing(records, scans["image"].scan_id, Spacing(0.9, 0.8), "Ada")
    assert await run_daemon(hospital, True, asyncio.Event()) == 0
    async with open_index(hospital.daemon.index) as index:
        volume = await find_scan(index, scans["nifti"].scan_id)
        picture = await find_scan(index, scans["image"].scan_id)
    assert volume is not None
    assert picture is not None
    assert (volume.revision, picture.revision) == (2, 2)
    assert volume.report.spacing_entered == volume.report.input.spacing_mm == (0.9, 0.8, 5.5)
    ml = (volume.report.volume_voxels or 0) * 0.9 * 0.8 * 5.5 / 1000
    assert abs((volume.report.volume_ml or 0) - ml) < 1e-3
    assert picture.report.input.spacing_mm == (0.9, 0.8, None)
    assert picture.report.volume_ml is None
    area = picture.report.area_mm2 or 0
    assert abs(area - (picture.report.volume_voxels or 0) * 0.72) < 0.01
    assert picture.report.has_note("spacing_entered")
    revised = outbox / "A" / f"{volume.scan_id}-r2"
    mask: Any = nib.loadsave.load(revised / f"{volume.scan_id}_seg.nii.gz")
    dropped: Any = nib.loadsave.load(bare)
    assert np.array_equal(mask.affine, dropped.affine)
    async with (
        open_index(hospital.daemon.index) as index,
        open_records(hospital.daemon.records) as records,
    ):
        await queue_spaced(index, records)  # as the next start does: nothing is left to do
        assert await open_units(index) == set()
