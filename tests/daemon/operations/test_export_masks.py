"""`gliowatch export --masks`: what a person accepted is a training set, and nothing else is."""

import asyncio
import gzip
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from daemon.index.database import open_records
from daemon.index.people.reviews import Decision, add_review
from daemon.settings import Settings
from model.reading.nifti import read_nifti
from model.reading.read import read, scan_at
from tests.conftest import SAMPLES, drain, gliowatch, reports
from training.datasets import find_cases


@pytest.fixture
def analyzed(hospital: Settings) -> dict[str, str]:
    """A NIfTI, a DICOM study and a picture, published: scan_id by patient."""
    for patient in ("a-picture", "TCGA-FG-6692", "from-the-pacs"):
        shutil.copytree(SAMPLES / patient, hospital.daemon.inbox / patient)
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    return {str(report["patient_id"]): str(report["scan_id"]) for report in reports(hospital)}


def say(settings: Settings, scan_id: str, decision: Decision) -> None:
    async def add() -> None:
        async with open_records(settings.daemon.records) as records:
            await add_review(records, scan_id, 1, decision, "", "Dr. Who")

    asyncio.run(add())


def test_accepted_masks_are_cases_that_training_finds(
    hospital: Settings, analyzed: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "masks"
    done = gliowatch(hospital, "export", "--masks", str(target))
    assert "0 accepted masks" in done.stdout
    say(hospital, analyzed["from-the-pacs"], Decision.ACCEPTED)
    say(hospital, analyzed["TCGA-FG-6692"], Decision.REJECTED)
    say(hospital, analyzed["a-picture"], Decision.ACCEPTED)
    done = gliowatch(hospital, "export", "--masks", str(target), "--deidentify")
    assert "1 accepted masks" in done.stdout
    assert "1 more could not be written" in done.stdout
    say(hospital, analyzed["TCGA-FG-6692"], Decision.ACCEPTED)
    done = gliowatch(hospital, "export", "--masks", str(target), "--deidentify")
    assert "2 accepted masks" in done.stdout
    cases = find_cases(target)
    assert len(cases) == 2
    for name, case in cases.items():
        assert not any(patient in name for patient in analyzed)
        scan, mask = read_nifti(case.flair), read_nifti(case.mask)
        assert scan.shape == mask.shape
        assert np.allclose(scan.affine, mask.affine)
        with gzip.open(case.flair) as stream:
            header = nib.Nifti1Header.from_fileobj(stream)
        assert bytes(header["descrip"]).strip(b"\0") == b""
        assert set(np.unique(mask.voxels)) <= {0.0, 1.0}
    assert not list(target.glob(".*"))


def test_heads_and_dicom_files_leave_without_face_and_name(
    hospital: Settings, analyzed: dict[str, str], tmp_path: Path
) -> None:
    for patient in ("from-the-pacs", "TCGA-FG-6692"):
        say(hospital, analyzed[patient], Decision.ACCEPTED)
    _draw_small(hospital, analyzed["TCGA-FG-6692"])  # the other mask fills its whole grid
    masks, sources = tmp_path / "masks", tmp_path / "sources"
    done = gliowatch(hospital, "export", "--masks", str(masks), "--deidentify")
    assert "Heads in them have their faces" in done.stdout
    before = {name: read_nifti(case.flair).voxels for name, case in find_cases(masks).items()}
    done = gliowatch(hospital, "export", "--masks", str(masks), "--deidentify", "--deface")
    assert "have their faces" not in done.stdout
    assert "1 more were not written: it is not sure where their faces are." in done.stdout
    after = find_cases(masks)
    assert len(after) == 1  # and what lay there with its face is gone
    assert len(before) == 2
    for name, case in after.items():
        scan, mask = read_nifti(case.flair).voxels, read_nifti(case.mask).voxels > 0
        assert (scan != before[name]).sum() > 1000
        assert np.array_equal(scan[mask], before[name][mask])
    done = gliowatch(hospital, "export", "--sources", str(sources), "--deidentify")
    files = list(sources.rglob("*.dcm"))
    assert f"{len(files)} de-identified DICOM files" in done.stdout
    was = [file for file in (SAMPLES / "from-the-pacs").rglob("*") if file.is_file()]
    assert 0 < len(files) <= len(was)
    (case_folder,) = sources.iterdir()
    plain, made = read(scan_at(SAMPLES / "from-the-pacs" / "study")), read(scan_at(case_folder))
    assert np.array_equal(plain.voxels, made.voxels)
    everything = b"".join(file.read_bytes() for file in files) + str(files).encode()
    for file in was[:3]:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        for secret in (header.PatientID, header.StudyInstanceUID, header.SOPInstanceUID):
            assert str(secret).encode() not in everything
    assert case_folder.name in before
    only = tmp_path / "only"
    gliowatch(hospital, "export", analyzed["TCGA-FG-6692"], "--sources", str(only), "--deidentify")
    assert not list(only.rglob("*.dcm"))


def _draw_small(settings: Settings, scan_id: str) -> None:
    (path,) = settings.daemon.outbox.rglob(f"{scan_id}_seg.nii.gz")
    drawn = nib.Nifti1Image.from_filename(path)
    mask = np.zeros(drawn.shape, np.uint8)
    i, j, k = (length // 2 for length in drawn.shape)
    mask[i - 5 : i + 5, j - 5 : j + 5, k + 2 : k + 5] = 1
    nib.save(nib.Nifti1Image(mask, drawn.affine, drawn.header), path)


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (("--sources", "x"), "--deidentify"),
        (("--deface", "--deidentify"), "--masks DIR"),
        (("--deface", "--masks", "x"), "--deidentify"),
        (("--deface", "--deidentify", "--masks", "x", "--sources", "y"), "keep theirs"),
        (("--deidentify", "--masks", "x", "--sources", "x"), "two folders"),
        (("nonesuch",), "no scan"),
    ],
)
def test_wishes_that_do_not_go_together(
    hospital: Settings, wishes: tuple[str, ...], words: str
) -> None:
    done = gliowatch(hospital, "export", *wishes)
    assert done.returncode == 2
    assert words in done.stderr
