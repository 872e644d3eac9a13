"""A `.hdr` and its `.img` are one scan, which waits for both."""

import asyncio
import gzip
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from daemon.drops import DropKind
from daemon.intake import inbox_reconciler
from daemon.intake.inbox_scan import NameRules, is_half, scan_inbox
from daemon.service import run_daemon
from daemon.settings import Settings
from tests.conftest import left_in_inbox, reasons, reports
from tests.phantoms.heads import head, write_nifti
from tools.experiments.nifti_grids import ODD, parts_of, write

RULES = NameRules((), (".part",))


def pair_in(folder: Path) -> tuple[bytes, bytes]:
    """The files of a pair, `scan.hdr` and `scan.img`, and their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    phantom = head()
    parts = parts_of(phantom.voxels.astype(np.int16), phantom.affine)
    ODD["pair"](parts)
    write(parts, folder)
    return (folder / "scan.hdr").read_bytes(), (folder / "scan.img").read_bytes()


def run(hospital: Settings) -> int:
    return asyncio.run(run_daemon(hospital, True, asyncio.Event()))


def test_a_pair_is_one_drop_with_its_companions(tmp_path: Path) -> None:
    pair_in(tmp_path / "P" / "day")
    (tmp_path / "P" / "day" / "scan.json").write_text("{}")
    for half in ("Q/a.IMG", "R/a.hdr"):
        (tmp_path / half).parent.mkdir()
        (tmp_path / half).write_bytes(b"x")
    drops = scan_inbox(tmp_path, RULES).drops
    whole = drops[b"P/day/scan.hdr"]
    assert [file.path.rpartition(b".")[2] for file in whole.files] == [b"hdr", b"img", b"json"]
    assert {drop.kind for drop in drops.values()} == {DropKind.NIFTI}
    assert {unit: is_half(drop) for unit, drop in drops.items()} == {
        b"P/day/scan.hdr": False,
        b"Q/a.IMG": True,
        b"R/a.hdr": True,
    }


def test_a_header_waits_for_its_voxels(hospital: Settings) -> None:
    folder = hospital.daemon.inbox / "P"
    header, voxels = pair_in(folder)
    (folder / "scan.img").unlink()
    run(hospital)
    assert reports(hospital) == []
    assert left_in_inbox(hospital) == ["P/scan.hdr"]
    (folder / "scan.img").write_bytes(voxels)
    assert run(hospital) == 0
    (report,) = reports(hospital)
    assert left_in_inbox(hospital) == []
    assert (report["input"]["kind"], report["input"]["files"]) == ("nifti", 2)
    place = hospital.daemon.outbox / "P" / str(report["scan_id"])
    kept = {path.name: path.read_bytes() for path in (place / "source").iterdir()}
    assert kept == {"scan.hdr": header, "scan.img": voxels}
    series: Any = nib.loadsave.load(place / f"{report['scan_id']}_flair.nii.gz")  # for the browser
    assert np.array_equal(np.asarray(series.dataobj), head().voxels.astype(np.int16))


def test_half_a_pair_that_stays_alone_is_rejected(
    hospital: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_reconciler, "STALE_SECONDS", 0.0)
    pair_in(hospital.daemon.inbox / "P")
    (hospital.daemon.inbox / "P" / "scan.hdr").unlink()
    assert run(hospital) == 1
    assert reasons(hospital) == {"scan.img": "Of a pair of .hdr and .img files only one is here."}


def test_a_pair_in_a_zip_is_the_same_scan_as_a_file(hospital: Settings, tmp_path: Path) -> None:
    pair_in(tmp_path / "apart")
    folder = hospital.daemon.inbox / "P"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name in ("scan.img", "scan.hdr"):
            archive.write(tmp_path / "apart" / name, f"study/{name}")
    phantom = head()
    write_nifti(folder / "b.nii", phantom.voxels.astype(np.int16), phantom.affine)
    (folder / "c.nii.gz").write_bytes(gzip.compress((folder / "b.nii").read_bytes()) + b"junk\n")
    assert run(hospital) == 0
    found = reports(hospital)
    assert len(found) == 3
    assert len({(str(each["finding"]), str(each["volume_voxels"])) for each in found}) == 1
