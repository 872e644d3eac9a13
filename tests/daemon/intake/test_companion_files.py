"""However a study is laid out, it is one scan, and what lies beside it is none."""

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from daemon.commands.segment import segment_once
from daemon.intake.companion_files import OF_DICOM, companions
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import Settings
from tests.conftest import drain, gliowatch, left_in_inbox, reasons
from tests.daemon.intake.test_study_split import export


def write_nifti(*paths: Path) -> None:
    """A small head of its own at each of these places."""
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        voxels = np.random.default_rng(number).integers(0, 999, (40, 36, 8)).astype(np.int16)
        nib.save(nib.Nifti1Image(voxels, np.diag([4.0, 4.0, 5.0, 1.0])), path)


def write_picture(*paths: Path) -> None:
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (50, 60)).astype(np.uint8)
        Image.fromarray(pixels).save(path)


def write_cd(folder: Path, study: str) -> None:
    """A CD as hospitals burn them: the study, a viewer with its pictures, papers."""
    export(folder / "PT000000" / "ST000000" / "SE000000", study, "FLAIR", f"{study}.1")
    (folder / "DICOMDIR").write_bytes(b"names of the files")
    write_picture(folder / "VIEWER" / "help" / "logo.png", folder / "VIEWER" / "thumb.jpg")
    (folder / "VIEWER" / "viewer.exe").write_bytes(b"MZ")
    (folder / "INDEX.HTM").write_text("<html>")
    (folder / "autorun.inf").write_text("[autorun]")


def by_patient(hospital: Settings) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(hospital.daemon.outbox.glob("[!.]*/*/*_report.json")):
        report = json.loads(path.read_text("utf-8"))
        found.setdefault(report["patient_id"], []).append(report)
    return found


@pytest.mark.long
def test_a_cd_is_its_study_as_a_folder_and_as_a_zip(hospital: Settings, tmp_path: Path) -> None:
    inbox = hospital.daemon.inbox
    write_cd(inbox / "A", "1.2.1")
    write_cd(inbox / "B" / "from the post", "1.2.2")
    write_cd(tmp_path / "cd", "1.2.3")
    (inbox / "C").mkdir()
    with zipfile.ZipFile(inbox / "C" / "cd.zip", "w") as archive:
        for path in sorted((tmp_path / "cd").rglob("*")):
            archive.write(path, path.relative_to(tmp_path))
    done = drain(inbox.parent)
    assert done.returncode == 0, done.stderr
    found = by_patient(hospital)
    assert {name: len(made) for name, made in found.items()} == {"A": 1, "B": 1, "C": 1}
    for (report,) in found.values():
        assert report["input"]["kind"] == "dicom"
        assert report["input"]["shape"][2] == 6
        assert "files_passed_over" not in [each["code"] for each in report["quality"]]
    beside = [
        "DICOMDIR",
        "INDEX.HTM",
        "VIEWER/help/logo.png",
        "VIEWER/thumb.jpg",
        "VIEWER/viewer.exe",
    ]
    assert found["A"][0]["input"]["companions"] == [*beside, "autorun.inf"]
    (source,) = hospital.daemon.outbox.glob("A/*/source")
    assert {str(path.relative_to(source)) for path in source.rglob("*")} >= set(beside)
    assert left_in_inbox(hospital) == []
    assert gliowatch(hospital, "verify").returncode == 0


def test_a_case_of_a_public_data_set_is_its_flair(hospital: Settings) -> None:
    inbox, ucsf = hospital.daemon.inbox, "UCSF-PDGM-0004"
    for case, names in {
        "BraTS20_Training_001": ("flair", "t1", "t1ce", "t2", "seg"),
        "BraTS-GLI-00000-000": ("t2f", "t1n", "t1c", "t2w", "seg"),
    }.items():
        between = "-" if "-" in case else "_"
        write_nifti(*(inbox / case / f"{case}{between}{name}.nii.gz" for name in names))
    write_nifti(
        *(inbox / ucsf / f"{ucsf}_{name}.nii.gz" for name in ("FLAIR", "T1", "tumor_segmentation"))
    )
    bids = inbox / "sub-01"
    write_nifti(
        bids / "ses-1" / "anat" / "sub-01_ses-1_FLAIR.nii.gz",
        bids / "ses-1" / "anat" / "sub-01_ses-1_T1w.nii.gz",
        bids / "ses-1" / "dwi" / "sub-01_ses-1_dwi.nii.gz",
    )
    (bids / "ses-1" / "anat" / "sub-01_ses-1_FLAIR.json").write_text("{}")
    (bids / "ses-1" / "dwi" / "sub-01_ses-1_dwi.bval").write_text("0")
    (bids / "sub-01_sessions.tsv").write_text("session")
    (bids / "README").write_text("about")
    done = drain(inbox.parent)
    assert done.returncode == 0, reasons(hospital)
    found = by_patient(hospital)
    assert {name: len(made) for name, made in found.items()} == {
        "BraTS20_Training_001": 1,
        "BraTS-GLI-00000-000": 1,
        ucsf: 1,
        "sub-01": 1,
    }
    assert [len(made[0]["input"]["companions"]) for made in found.values()] == [4, 4, 2, 6]
    assert left_in_inbox(hospital) == []
    assert gliowatch(hospital, "verify").returncode == 0


def test_a_picture_in_the_patients_own_folder_is_always_a_scan(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    write_nifti(inbox / "A" / "scan.nii.gz", inbox / "B" / "x" / "scan.nii.gz")
    write_picture(inbox / "A" / "scan.png", inbox / "B" / "x" / "scan.png")
    assert drain(inbox.parent).returncode == 0
    kinds = {
        name: sorted(report["input"]["kind"] for report in made)
        for name, made in by_patient(hospital).items()
    }
    assert kinds == {"A": ["image", "nifti"], "B": ["nifti"]}


@pytest.mark.long
def test_a_published_case_is_analyzed_again_with_its_companions(
    hospital: Settings, tmp_path: Path
) -> None:
    inbox = hospital.daemon.inbox
    write_nifti(*(inbox / "A" / "sub" / f"a_{name}.nii" for name in ("flair", "t1", "seg")))
    assert drain(inbox.parent).returncode == 0
    first = by_patient(hospital)["A"][0]
    again = gliowatch(hospital, "queue", "reprocess", first["scan_id"])
    assert again.returncode == 0, again.stderr
    assert drain(inbox.parent, GLIOWATCH_MODEL__THRESHOLD="0.4").returncode == 0
    first, second = by_patient(hospital)["A"]
    assert second["revision"] == 2
    assert second["input"] == first["input"]
    assert second["input"]["companions"] == ["a_seg.nii", "a_t1.nii"]


@pytest.mark.parametrize(
    ("names", "beside"),
    [
        (("P/a_flair.nii", "P/a_2020.nii"), {}),  # no sequence's name and no mask's
        (("P/flair.nii", "P/t1.nii", "P/b.nii"), {"P/t1.nii": "P/flair.nii"}),
        (("P/a.nii", "P/a-mask.nii.gz"), {"P/a-mask.nii.gz": "P/a.nii"}),
        (("P/s/a.png", "P/s/a_mask.png"), {"P/s/a_mask.png": "P/s/a.png"}),
        (("P/a.png", "P/a_mask.png"), {}),
        (("P/sub-1_run-1_FLAIR.nii", "P/sub-1_run-2_FLAIR.nii"), {}),
        (("P/s/IM1", "P/s/view/x.jpg"), {"P/s/view/x.jpg": ""}),
        (("P/s/IM1", "P/s/seg.nii"), {"P/s/seg.nii": ""}),
        (("P/s/IM1", "P/s/flair.nii"), {}),
        (("P/s/IM1", "P/other/x.jpg", "P/x.png"), {}),
        (("P/s/about.pdf", "P/s/x.jpg"), {}),
        (("P/DICOM/S1/IM1", "P/JPEG/a.jpg"), {"P/JPEG/a.jpg": ""}),
        (("P/dicom_files/IM1.dcm", "P/Bilder/S/a.png"), {"P/Bilder/S/a.png": ""}),
        (("P/ST0001/SE0001/IM1", "P/jpg export/1.jpg"), {"P/jpg export/1.jpg": ""}),
        (("P/URGENT/DICOM/IM1", "P/URGENT/JPEG/a.jpg"), {"P/URGENT/JPEG/a.jpg": ""}),
        (("P/flair/IM1", "P/PNG/flair/IM1.png"), {"P/PNG/flair/IM1.png": ""}),
        (("P/flair/IM1", "P/PNG/IM1.png"), {"P/PNG/IM1.png": ""}),
        (("P/DICOM/S1/IM1", "P/all/S1/IM1.jpg"), {"P/all/S1/IM1.jpg": ""}),
        (("P/DICOM/IM1", "P/2024-06-01/IM1.jpg"), {}),  # dropped on another day
        (("P/DICOM/S1/IM1", "P/2024-06-01/JPEG/x.jpg"), {}),
        (("P/2024-06-01/DICOM/IM1", "P/JPEG/x.jpg"), {}),
        (("P/2024-06-01/IM1", "P/JPEG/x.jpg"), {}),
        (("P/DICOM/S1/IM1", "P/film.jpg"), {}),
    ],
)
def test_names_tell_what_lies_beside_a_scan(names: tuple[str, ...], beside: dict[str, str]) -> None:
    found = companions([name.encode() for name in names], b"P")
    assert {path.decode(): scan.decode() for path, scan in found.items()} == beside
    assert OF_DICOM == b""


def test_segment_takes_a_cd_or_a_case_as_a_folder(hospital: Settings, tmp_path: Path) -> None:
    write_cd(tmp_path / "cd", "1.2.1")
    write_nifti(*(tmp_path / "case" / f"case_{name}.nii" for name in ("flair", "t1", "seg")))
    write_nifti(tmp_path / "two" / "a.nii", tmp_path / "two" / "b.nii")
    folders = [tmp_path / name for name in ("cd", "case", "two")]
    rules = analysis_rules(hospital.model)
    cd, case, two = segment_once(folders, tmp_path / "out", "P", rules)
    assert cd.report is not None, cd.reason
    assert case.report is not None, case.reason
    assert (cd.report.input.kind, case.report.input.kind) == ("dicom", "nifti")
    assert case.report.input.companions == ("case_seg.nii", "case_t1.nii")
    assert two.reason == "The folder holds 2 scans: name each of them by itself."


def test_pictures_in_a_folder_beside_that_of_the_dicom_are_no_scans(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    export(inbox / "A" / "DICOM" / "S1", "1.2.1", "FLAIR", "1.2.1.1")
    write_picture(*(inbox / "A" / "JPEG" / "S1" / f"IM{number}.jpg" for number in range(3)))
    export(inbox / "B" / "2024-02-29" / "DICOM", "1.2.2", "FLAIR", "1.2.2.1", 1)
    write_picture(inbox / "B" / "2024-03-11" / "JPEG" / "film.jpg")
    done = drain(inbox.parent)
    assert done.returncode == 0, reasons(hospital)
    found = by_patient(hospital)
    assert [report["input"]["kind"] for report in found["A"]] == ["dicom"]
    beside = [f"JPEG/S1/IM{number}.jpg" for number in range(3)]
    assert found["A"][0]["input"]["companions"] == beside
    assert sorted(report["input"]["kind"] for report in found["B"]) == ["dicom", "image"]
    assert left_in_inbox(hospital) == []
    assert gliowatch(hospital, "verify").returncode == 0


def test_a_real_cd_is_the_study(hospital: Settings, shared_data: Path) -> None:
    shutil.copytree(
        shared_data / "cases" / "39-cd-export",
        hospital.daemon.inbox / "A",
        copy_function=shutil.copyfile,
    )
    for folder, _, _ in os.walk(hospital.daemon.inbox):
        Path(folder).chmod(0o755)
    done = drain(hospital.daemon.inbox.parent)
    assert done.returncode == 0, reasons(hospital)
    (report,) = by_patient(hospital)["A"]
    assert report["input"]["shape"] == [144, 144, 22]
    assert len(report["input"]["companions"]) == 7
