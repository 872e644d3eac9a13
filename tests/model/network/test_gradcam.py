"""Where the network looked: inside the lesion far more often than chance would have it."""

import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from daemon.commands.segment import segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from model.network.gradcam import explain
from model.network.network import load_network
from model.reading.nifti import read_nifti
from tests.conftest import FRONTAL, SAMPLES
from tools.experiments.gradcam_pointing import pointing

REFERENCE = SAMPLES.parent / "reference" / "TCGA_CS_4944_20010208_seg.nii.gz"
DRAWN = next((SAMPLES / "TCGA_CS_4944_20010208").iterdir())


def test_the_network_looked_at_the_tumor_that_a_person_drew() -> None:
    heat = explain(read_nifti(DRAWN), load_network()).heat
    drawn = np.asarray(nib.Nifti1Image.from_filename(REFERENCE).dataobj) > 0
    (slices,) = np.nonzero(heat.any(axis=(0, 1)))
    assert len(slices) == 1
    here, tumor = heat[..., slices[0]], drawn[..., slices[0]]
    assert tumor.any()
    share_of_heat = float(here[tumor].sum() / here.sum())
    assert share_of_heat > 2 * float(tumor.mean())
    assert tumor[np.unravel_index(here.argmax(), here.shape)]


@pytest.mark.long
def test_it_points_inside_far_more_often_than_chance_on_scans_it_never_learned_from(
    shared_data: Path,
) -> None:
    network = load_network()
    scans = sorted(shared_data.glob("external/*/*_flair.nii.gz"))
    found = [each for scan in scans if (each := pointing(scan, network))]
    assert len(found) == len(scans) == 4
    assert sum(each.hit for each in found) > 3 * sum(each.chance for each in found)
    for each in found:
        assert each.inside > 3 * each.chance


@pytest.mark.parametrize("packed", [False, True])
def test_the_picture_lies_beside_the_results_on_request(tmp_path: Path, packed: bool) -> None:
    scan = FRONTAL
    if packed:
        scan = tmp_path / "scan.zip"
        with zipfile.ZipFile(scan, "w") as archive:
            archive.write(FRONTAL, FRONTAL.name)
    out = tmp_path / "out"
    (analyzed,) = segment_once([scan], out, "P", analysis_rules(ModelSettings(), out / ".extra"))
    assert analyzed.report is not None
    assert analyzed.folder is not None
    scan_id = analyzed.report.scan_id
    picture = Image.open(out / ".extra" / scan_id / f"{scan_id}_explain.png")
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    warm = pixels[..., 0] - pixels[..., 2] > 60
    rows, columns = np.nonzero(warm[: int(pixels.shape[0] * 0.9)])
    assert columns.mean() < pixels.shape[1] / 2  # the patient's right
    assert rows.mean() < pixels.shape[0] / 2  # in front
    assert not list(analyzed.folder.glob("*explain*"))
