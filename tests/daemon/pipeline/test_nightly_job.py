"""The promise: a dropped scan becomes a published result, and bad input harms nothing else."""

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

from daemon.settings import Settings, load_settings
from tests.conftest import (
    FRONTAL,
    SAMPLES,
    drain,
    left_in_inbox,
    reasons,
    reports,
    running_daemon,
    until,
)
from tests.phantoms.dicom_series import cut_deflated, write_series
from tests.viewer.test_house import house_of

HEADER_OF_1_TB = {"dim": [3, 32767, 32767, 1000, 1, 1, 1, 1]}


async def test_a_dropped_scan_is_found_analyzed_and_shown(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[daemon]\nrest_seconds = 0.3\nclose_seconds = 0.3\n")
    settings = load_settings(tmp_path / "settings.toml")
    async with running_daemon(settings):
        await until(lambda: settings.daemon.index.exists())
        folder = settings.daemon.inbox / "TCGA-FG-6692"
        folder.mkdir()
        shutil.copy(FRONTAL, folder)
        await until(lambda: reports(settings) and not left_in_inbox(settings))
        async with house_of(settings) as house:
            assert "TCGA-FG-6692" in await house.page("/")
            report = reports(settings)[0]
            assert "on the patient" in await house.page(f"/scans/{report['scan_id']}")
    _check_frontal_tumor(settings)


def _check_frontal_tumor(settings: Settings) -> None:
    """The right frontal tumor of the sample: side, size, mask on the grid, source untouched."""
    report = reports(settings)[0]
    assert report["finding"] == "tumor"
    lesion = report["lesions"][0]
    assert lesion["side"] == "right"
    x, y, _ = lesion["centroid_ras_mm"]
    assert x > 20
    assert y > 20
    folder = settings.daemon.outbox / "TCGA-FG-6692" / str(report["scan_id"])
    mask = nib.Nifti1Image.from_filename(folder / f"{report['scan_id']}_seg.nii.gz")
    scan = nib.Nifti1Image.from_filename(FRONTAL)
    assert mask.shape == scan.shape
    assert np.allclose(mask.affine, scan.affine, atol=1e-4)
    voxels = np.asarray(mask.dataobj)
    assert voxels.dtype == np.uint8
    assert int(voxels.sum()) == report["volume_voxels"]
    expected_ml = voxels.sum() * abs(np.linalg.det(scan.affine[:3, :3])) / 1000
    assert abs(float(report["volume_ml"]) - expected_ml) < 1e-3
    kept = (folder / "source" / FRONTAL.name).read_bytes()
    assert hashlib.sha256(kept).digest() == hashlib.sha256(FRONTAL.read_bytes()).digest()


def test_every_bad_file_gets_a_sentence_and_the_good_ones_go_on(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    expected = _drop_bad_files(inbox / "bad")
    shutil.copytree(SAMPLES / "a-picture", inbox / "good ü and..dots")
    _colour_photo(inbox / "photo" / "holiday.png")
    (inbox / "copying").mkdir()
    (inbox / "copying" / "scan.nii.gz.part").write_bytes(b"half")
    result = drain(inbox.parent)
    assert result.returncode == 1, result.stderr
    found = reasons(hospital)
    assert set(found) == set(expected)
    for name, words in expected.items():
        assert words in found[name], (name, found[name])
        assert found[name].endswith(".")
    findings = {str(r["patient_id"]): r["finding"] for r in reports(hospital)}
    assert set(findings) == {"good ü and..dots", "photo"}
    assert findings["photo"] == "not_judged"
    assert left_in_inbox(hospital) == ["copying/scan.nii.gz.part"]
    for name in (*expected, "holiday", "good ü"):
        assert name not in result.stderr


def test_a_study_that_zlib_cannot_open_is_rejected_and_the_next_one_goes_on(
    hospital: Settings,
) -> None:
    inbox = hospital.daemon.inbox
    (inbox / "bad" / "study").mkdir(parents=True)
    for path in write_series(inbox / "bad" / "study"):
        cut_deflated(path)
    shutil.copytree(SAMPLES / "a-picture", inbox / "good")
    result = drain(inbox.parent)
    assert result.returncode == 1, result.stderr
    assert set(reasons(hospital).values()) == {"One of the DICOM files is damaged."}
    assert [str(each["patient_id"]) for each in reports(hospital)] == ["good"]
    assert left_in_inbox(hospital) == []


def _drop_bad_files(folder: Path) -> dict[str, str]:
    """Bad files by name, and words that their reason must have."""
    folder.mkdir()
    whole = FRONTAL.read_bytes()
    (folder / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.nii.gz").write_bytes(b"")
    (folder / "text.nii").write_text("this is no scan")
    (folder / "notes.txt").write_text("this is no scan")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(40))
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8, 3), np.uint8), np.eye(4)), folder / "4d.nii")
    nan = np.full((8, 8, 8), np.nan, np.float32)
    nib.save(nib.Nifti1Image(nan, np.eye(4)), folder / "nan.nii")
    header = nib.Nifti1Header()
    header["dim"] = HEADER_OF_1_TB["dim"]
    header["magic"] = b"n+1"
    (folder / "huge.nii").write_bytes(header.binaryblock + bytes(1000))
    return {
        "cut.nii.gz": "cut off",
        "empty.nii.gz": "empty",
        "text.nii": "not a NIfTI",
        "notes.txt": "reads",
        "broken.jpg": "picture",
        "4d.nii": "4 dimensions",
        "nan.nii": "No voxel",
        "huge.nii": "too large",
    }


def _colour_photo(path: Path) -> None:
    from PIL import Image

    path.parent.mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def test_the_same_scan_twice_is_one_scan_and_a_duplicate(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    picture = next((SAMPLES / "a-picture").iterdir())
    for name in ("P/a.png", "P/b.png", "Q/c.png"):
        (inbox / name).parent.mkdir(exist_ok=True)
        shutil.copy(picture, inbox / name)
    assert drain(inbox.parent).returncode == 0
    published = reports(hospital)
    assert sorted(str(r["patient_id"]) for r in published) == ["P", "Q"]
    (aside,) = (inbox / ".duplicates" / "P").glob("*.png")  # the newer of the two is analyzed
    assert aside.name in ("a.png", "b.png")
    flagged = [r for r in published if "filed_twice" in str(r["quality"])]
    assert len(flagged) == 1


async def test_a_file_still_being_copied_waits(hospital: Settings) -> None:
    target = hospital.daemon.inbox / "P" / "slow.png"
    target.parent.mkdir()
    content = next((SAMPLES / "a-picture").iterdir()).read_bytes()
    daemon = hospital.daemon.model_copy(update={"rest_seconds": 1.5})
    async with running_daemon(hospital.model_copy(update={"daemon": daemon})):
        with target.open("wb", buffering=0) as stream:
            for part in range(20):
                stream.write(content[part * len(content) // 20 : (part + 1) * len(content) // 20])
                await asyncio.sleep(0.1)  # slow, but it never rests as long as the settings ask
                assert reports(hospital) == []
        await until(lambda: reports(hospital))
    assert reasons(hospital) == {}


def test_a_loose_dicom_file_is_filed_by_its_patient_id(hospital: Settings) -> None:
    from pydicom.data import get_testdata_file

    source = get_testdata_file("MR_small.dcm")
    assert isinstance(source, str)
    shutil.copy(source, hospital.daemon.inbox / "IM0001")
    drain(hospital.daemon.inbox.parent)
    assert [str(r["patient_id"]) for r in reports(hospital)] == ["4MR1"]
    assert os.listdir(hospital.daemon.inbox / "4MR1") == []
