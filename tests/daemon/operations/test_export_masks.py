"""`gliowatch export --masks`: what a person accepted is a training set, and nothing else is."""

import asyncio
import gzip
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from daemon.index.database import open_records
from daemon.index.people.reviews import Decision, add_review
from daemon.settings import Settings
from model.reading.nifti import read_nifti
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
