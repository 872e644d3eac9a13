"""What is analyzed of a DICOM study: the next FLAIR, and series too short to say "no tumor"."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from daemon.commands.segment import Analyzed, segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.report import Report
from daemon.settings import ModelSettings
from model.inference.analysis import analyze
from model.inference.segmentation import Rules
from model.measurement.findings import Finding
from model.network.network import load_network
from model.reading.nifti import read_nifti
from model.reading.read import read_again, read_each, scan_at
from model.rules import SERIES_FAILED
from model.volume import note
from tests.conftest import FRONTAL, SAMPLES

STUDY = SAMPLES / "from-the-pacs" / "study"
NOISE = np.random.default_rng(3)


def analyzed(folder: Path, target: Path, smallest_mm3: float = 100.0) -> Analyzed:
    settings = ModelSettings(smallest_lesion_mm3=smallest_mm3)
    (only,) = segment_once([folder], target, "P", analysis_rules(settings))
    assert only.report is not None, only.reason
    return only


def report_of(folder: Path, target: Path, smallest_mm3: float = 100.0) -> Report:
    report = analyzed(folder, target, smallest_mm3).report
    assert report is not None
    return report


@pytest.fixture(scope="module")
def flair() -> list[Path]:
    """The FLAIR of the sample study, its slices from below."""
    (volume,) = read_each(scan_at(STUDY))
    return [source.file for source in volume.sources if source]


@pytest.fixture(scope="module")
def largest(tmp_path_factory: pytest.TempPathFactory) -> int:
    """The slice of the sample study with most tumor."""
    lesions = report_of(STUDY, tmp_path_factory.mktemp("whole")).lesions
    assert lesions[0].largest_slice is not None
    return lesions[0].largest_slice


def some_of(files: list[Path], folder: Path) -> Path:
    folder.mkdir()
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_few_slices_with_tumor_are_flagged_as_incomplete(
    tmp_path: Path, flair: list[Path], largest: int
) -> None:
    folder = some_of(flair[largest : largest + 2], tmp_path / "few")
    report = report_of(folder, tmp_path / "out")
    assert report.finding == "tumor"
    assert report.has_note("incomplete")


def test_a_few_slices_without_tumor_say_nothing(
    tmp_path: Path, flair: list[Path], largest: int
) -> None:
    folder = some_of(flair[largest : largest + 2], tmp_path / "few")
    report = report_of(folder, tmp_path / "out", smallest_mm3=1e6)  # nothing is large enough
    assert report.finding == "not_judged"
    assert report.quality[0].code == "too_few_slices"


def noise_beside(flair: list[Path], folder: Path) -> Path:
    """The FLAIR as a computed series, and beside it noise that the header prefers."""
    some_of(flair, folder)
    for file in sorted(folder.iterdir()):
        image = pydicom.dcmread(file)
        image.decompress()
        image.ImageType = ["DERIVED", "SECONDARY", "MPR"]
        image.save_as(file)
        image.ImageType, image.SeriesDescription = ["ORIGINAL", "PRIMARY"], "FLAIR of nobody"
        image.SeriesInstanceUID, image.SeriesNumber = "1.2.3.4", 99
        image.SOPInstanceUID = f"1.2.3.4.{image.InstanceNumber}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        noise = NOISE.integers(0, 900, (int(image.Rows), int(image.Columns))).astype("<u2")
        image.PixelData = noise.tobytes()
        image.save_as(file.with_name(f"noise-{file.name}"))
    return folder


def test_the_next_flair_is_analyzed_where_the_input_check_refuses_the_first(
    tmp_path: Path, flair: list[Path]
) -> None:
    folder = noise_beside(flair, tmp_path / "both")
    done = analyzed(folder, tmp_path / "out")
    assert done.report is not None
    assert done.folder is not None
    assert done.report.finding == "tumor"
    assert done.report.has_note("next_series")
    told = {each.description: each for each in done.report.input.series or ()}
    assert not told["FLAIR of nobody"].chosen
    assert "does not look like" in told["FLAIR of nobody"].reason
    kept = done.folder / f"{done.report.scan_id}_flair.nii.gz"
    shown = nib.Nifti1Image.from_filename(kept).get_fdata()
    again = read_again(scan_at(folder), kept)  # as for a mask that a person corrects
    assert np.array_equal(again.voxels, shown)
    assert again.description != "FLAIR of nobody"


def test_what_is_read_in_place_of_a_chosen_series_is_not_analyzed_anyway() -> None:
    rules, network = Rules(anyway=True), load_network()
    volume = replace(read_nifti(FRONTAL), unfit=note("no_flair"))
    assert analyze(volume, network, rules, None).findings.finding is not Finding.NOT_ANALYZED
    instead = replace(volume, notes=(note(SERIES_FAILED, name="Eve", reason="gone"),))
    assert analyze(instead, network, rules, None).findings.finding is Finding.NOT_ANALYZED
