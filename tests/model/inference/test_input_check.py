"""The "no": what is no axial FLAIR of a head is not analyzed, and what is one is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy import ndimage

from daemon.commands.segment import segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from model.errors import WeightsError
from model.inference.analysis import is_ct
from model.inference.input_check import load_input_check, middle_slices, read_input_check
from model.inference.preprocessing import prepare
from model.reading.nifti import read_nifti
from model.reading.read import read, scan_at
from model.weights_config import InputClass
from tests.conftest import FRONTAL, SAMPLES
from tools.experiments.input_check_shares import show, turn
from training.recipes.synthetic_contrasts import Contrast, tissues

LEAST = ModelSettings().least_flair
T1 = Contrast(fluid=0.3, white=1.0, grey=0.7, lesion=1.0)
T2 = Contrast(fluid=2.8, white=0.8, grey=1.2, lesion=1.0)
FLAIR = Contrast(fluid=0.3, white=0.9, grey=1.1, lesion=1.0)


def report_of(
    scan: Path, target: Path, least: float = LEAST, anyway: bool = False
) -> dict[str, object]:
    rules = replace(analysis_rules(ModelSettings(least_flair=least)), anyway=anyway)
    (analyzed,) = segment_once([scan], target, "P", rules)
    assert analyzed.report is not None, analyzed.reason
    return analyzed.report.as_json()


def codes(report: dict[str, object]) -> list[str]:
    return [note["code"] for note in report["quality"]]  # type: ignore[attr-defined]


def save(voxels: NDArray[np.generic], spacing: tuple[float, ...], path: Path) -> Path:
    image = nib.Nifti1Image(
        voxels.astype(np.float32), np.diag([-spacing[0], -spacing[1], spacing[2], 1])
    )
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def average_brain(contrast: Contrast) -> NDArray[np.float32]:
    """The average brain in a contrast of its own, with some noise, as (L, P, S) voxels."""
    average = tissues()
    fluid = np.clip(1 - average.grey - average.white, 0, 1)
    made = fluid * contrast.fluid + average.white * contrast.white + average.grey * contrast.grey
    noise = np.random.default_rng(1).normal(0, 0.02, made.shape)
    drawn: NDArray[np.float32] = np.where(average.brain, 100 * (made + noise), 0).transpose(2, 1, 0)
    return drawn


@pytest.mark.parametrize(
    "name", sorted(str(p.relative_to(SAMPLES)) for p in SAMPLES.rglob("*.nii.gz"))
)
def test_the_samples_are_let_in(name: str, tmp_path: Path) -> None:
    shares = load_input_check(LEAST).shares(prepare(read_nifti(SAMPLES / name)))
    assert shares[InputClass.FLAIR] > 0.8


@pytest.mark.parametrize(
    ("contrast", "seen"),
    [(T1, InputClass.CONTRAST), (T2, InputClass.CONTRAST), (FLAIR, InputClass.FLAIR)],
)
def test_the_same_brain_is_let_in_as_flair_alone(
    contrast: Contrast, seen: InputClass, tmp_path: Path
) -> None:
    volume = read_nifti(save(average_brain(contrast), (1.5, 1.5, 4.5), tmp_path / "brain.nii"))
    assert load_input_check(LEAST).seen(prepare(volume)) is seen


def test_a_t2_is_not_analyzed_and_says_why(tmp_path: Path) -> None:
    report = report_of(
        save(average_brain(T2), (1.5, 1.5, 4.5), tmp_path / "t2.nii"), tmp_path / "o"
    )
    assert report["finding"] == "not_judged"
    assert codes(report)[0] == "not_flair"
    assert report["volume_ml"] is None
    assert report["volume_ml_range"] is None


@pytest.mark.parametrize("spread", [30, 300])
def test_noise_is_not_analyzed(spread: float, tmp_path: Path) -> None:
    noise = np.abs(np.random.default_rng(2).normal(200, spread, (128, 128, 24)))
    report = report_of(save(noise, (1.5, 1.5, 5.0), tmp_path / "noise.nii"), tmp_path / "o")
    assert report["finding"] == "not_judged"
    assert codes(report)[0] == "no_head"


def test_a_site_may_leave_the_input_check_open(tmp_path: Path) -> None:
    scan = save(average_brain(T2), (1.5, 1.5, 4.5), tmp_path / "t2.nii")
    assert report_of(scan, tmp_path / "o", least=0)["finding"] != "not_judged"


def test_anyway_analyzes_a_t2_and_says_what_spoke_against_it(tmp_path: Path) -> None:
    scan = save(average_brain(T2), (1.5, 1.5, 4.5), tmp_path / "t2.nii")
    report = report_of(scan, tmp_path / "o", anyway=True)
    assert report["finding"] != "not_judged"
    assert codes(report)[0] == "analyzed_anyway"
    assert "other than FLAIR" in str(report["quality"])


def test_anyway_adds_nothing_to_a_flair_and_cannot_help_a_blank_scan(tmp_path: Path) -> None:
    assert "analyzed_anyway" not in codes(report_of(FRONTAL, tmp_path / "o", anyway=True))
    blank = save(np.zeros((64, 64, 20)), (3, 3, 5), tmp_path / "blank.nii")
    report = report_of(blank, tmp_path / "o", anyway=True)
    assert (report["finding"], codes(report)[0]) == ("not_judged", "blank")


def ct_head() -> NDArray[np.float32]:
    """A CT of the head in Hounsfield units, as (L, P, S) voxels; its edges are mixed as in a scan.

    Around the brain lie bone, harder here than there, skin with fat, and air.
    """
    brain = average_brain(Contrast(fluid=0.1, white=0.3, grey=0.4, lesion=0.4))
    random = np.random.default_rng(4)
    inside = brain > 0
    skull, head = (ndimage.binary_dilation(inside, iterations=number) for number in (5, 8))
    uneven = ndimage.gaussian_filter(random.normal(0, 1, brain.shape), 1.5)
    layers = [inside, skull, head]
    shown = np.select(layers, [brain, np.clip(1000 + 2500 * uneven, 300, 1900), -60.0], -1000.0)
    shown = ndimage.gaussian_filter(shown, (0.7, 0.7, 0)) + random.normal(0, 8, brain.shape)
    whole: NDArray[np.float32] = shown.round().astype(np.float32)
    return whole


def round_field(ct: NDArray[np.float32], beyond: float) -> NDArray[np.float32]:
    """What lies beyond the round field of view of the scanner, set to one value."""
    i, j = (np.linspace(-1, 1, size) for size in ct.shape[:2])
    is_beyond = np.hypot(i[:, None], j[None, :])[:, :, None] > 1
    return np.where(is_beyond, np.float32(beyond), ct)


CT_STORED: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "as scanned": lambda ct: ct,
    "air clipped": lambda ct: np.maximum(ct, -1000),
    "padded with -1024": lambda ct: round_field(ct, -1024),
    "padded with -3024": lambda ct: round_field(ct, -3024),
}


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (1.0, 1024.0), (0.25, 256.0)])
@pytest.mark.parametrize("stored", CT_STORED)
def test_a_ct_is_known_by_its_grey_values_whatever_their_unit(
    stored: str, slope: float, offset: float, tmp_path: Path
) -> None:
    shown = CT_STORED[stored](ct_head()) * slope + offset
    report = report_of(save(shown, (1.5, 1.5, 4.5), tmp_path / "ct.nii"), tmp_path / "o")
    assert (report["finding"], codes(report)[0]) == ("not_judged", "not_mr")


BRAINS_STORED = {
    "in Hounsfield units": (1.0, 0.0, -1000.0),
    "filled with -1024": (1.0, 0.0, -1024.0),
    "filled with -3024": (1.0, 0.0, -3024.0),
    "moved up by 1024": (1.0, 1024.0, -1000.0),
    "moved up by 1024, filled with 0": (1.0, 1024.0, -1024.0),
    "a quarter, moved up": (0.25, 256.0, -1000.0),
}


@pytest.mark.parametrize("stored", BRAINS_STORED)
def test_a_brain_cut_out_of_a_ct_is_known_by_its_fill(stored: str, tmp_path: Path) -> None:
    slope, offset, fill = BRAINS_STORED[stored]
    brain = average_brain(Contrast(fluid=0.08, white=0.28, grey=0.38, lesion=0.38))
    noise = np.random.default_rng(4).normal(0, 4, brain.shape)
    shown = np.where(brain > 0, (brain + noise).round(), fill) * slope + offset
    report = report_of(save(shown, (1.5, 1.5, 4.5), tmp_path / "ct.nii"), tmp_path / "o")
    assert (report["finding"], codes(report)[0]) == ("not_judged", "not_mr")


@pytest.mark.parametrize("fill", [None, 0.0, -1000.0, -1024.0, -3024.0])
@pytest.mark.parametrize("scale", ["as stored", "standard", "0 to 1", "0 to 255"])
def test_a_flair_is_no_ct(fill: float | None, scale: str, tmp_path: Path) -> None:
    scan = nib.Nifti1Image.from_filename(FRONTAL)
    voxels = np.asarray(scan.dataobj, np.float32)
    volume = read(scan_at(FRONTAL))
    head = volume.levels.head(volume.voxels)
    if scale == "standard":
        voxels = (voxels - voxels[head].mean()) / voxels[head].std()
    elif scale != "as stored":
        voxels = voxels / voxels.max() * (1 if scale == "0 to 1" else 255)
    shown = voxels if fill is None else np.where(head, voxels, np.float32(fill))
    nib.save(nib.Nifti1Image(shown, scan.affine), tmp_path / "flair.nii")
    assert not is_ct(read(scan_at(tmp_path / "flair.nii")))


def test_a_real_ct_is_not_analyzed_and_says_why(shared_data: Path, tmp_path: Path) -> None:
    scan = shared_data / "othersequences" / "autorad_ct_head_ct.nii.gz"
    report = report_of(scan, tmp_path / "o")
    assert (report["finding"], codes(report)[0]) == ("not_judged", "not_mr")


def test_a_picture_may_lie_but_a_scan_may_not() -> None:
    shares = dict.fromkeys(InputClass, 0.0) | {InputClass.FLAIR: 0.1, InputClass.TURNED: 0.9}
    input_check = load_input_check(LEAST)
    assert input_check.most_like(shares, is_picture=True) is InputClass.FLAIR
    assert input_check.most_like(shares, is_picture=False) is InputClass.TURNED


def thick(axis: int, path: Path) -> Path:
    """The sample, cut anew: thick slices along the given axis (0 sagittal, 1 coronal)."""
    scan = nib.Nifti1Image.from_filename(FRONTAL)
    voxels = np.asarray(scan.dataobj, np.float32)
    fine = np.repeat(voxels, 5, axis=2)
    picked = [slice(None)] * 3
    picked[axis] = slice(None, None, 6)
    affine = scan.affine.copy()
    affine[:3, 2] /= 5
    affine[:3, axis] *= 6
    image = nib.Nifti1Image(fine[tuple(picked)], affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


@pytest.mark.parametrize("axis", [0, 1])
def test_thick_sagittal_and_coronal_stacks_are_not_analyzed(axis: int, tmp_path: Path) -> None:
    report = report_of(thick(axis, tmp_path / "thick.nii"), tmp_path / "o")
    assert report["finding"] == "not_judged"
    assert codes(report)[0] == "not_axial"


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0)])
def test_a_near_isotropic_flair_is_analyzed_in_whatever_plane_it_is_stored(
    order: tuple[int, ...], shared_data: Path, tmp_path: Path
) -> None:
    scan = nib.Nifti1Image.from_filename(
        shared_data / "external" / "brats2013_pat0002" / "brats2013_pat0002_flair.nii.gz"
    )
    turned = np.asarray(scan.dataobj, np.float32).transpose(order)
    affine = scan.affine.copy()
    affine[:, :3] = affine[:, list(order)]
    image = nib.Nifti1Image(turned, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "turned.nii.gz")
    whole = report_of(tmp_path / "turned.nii.gz", tmp_path / "o")
    assert whole["finding"] == "tumor"
    assert float(str(whole["volume_ml"])) > 20


def test_the_middle_of_a_head_is_looked_at_and_never_too_much_of_it() -> None:
    head = np.zeros((100, 8, 8), bool)
    assert middle_slices(head, 2).size == 0
    head[20:80] = True
    chosen = middle_slices(head, 2)
    assert len(chosen) <= 12
    assert chosen.min() >= 35
    assert chosen.max() <= 72
    assert middle_slices(head[20:21], 1).tolist() == [0]
    head[:] = True  # down to the shoulders
    assert middle_slices(head, 1).min() > 70


def test_a_head_that_cannot_be_found_is_no_head() -> None:
    input_check = load_input_check(LEAST)
    volume = read_nifti(FRONTAL)
    empty = prepare(replace(volume, voxels=np.zeros_like(volume.voxels)))
    assert input_check.seen(empty) is InputClass.NO_HEAD


def test_damaged_input_check_weights_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "gate.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="input check"):
        read_input_check(path, LEAST)
    save_file({"z": torch.zeros(1)}, path, metadata={"shape": '{"width": 16}'})
    with pytest.raises(WeightsError, match="input check"):
        read_input_check(path, LEAST)


def test_the_shares_can_be_shown_as_they_are_and_turned(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cube = save(average_brain(FLAIR), (1.5, 1.5, 1.5), tmp_path / "brain.nii")
    show([cube], turned=False)
    show([cube], turned=True)
    whole, sagittal, coronal = capsys.readouterr().out.splitlines()
    assert whole.startswith("brain.nii, as it is: flair ")
    assert sagittal.startswith("brain.nii, sagittal: flair ")
    assert coronal.startswith("brain.nii, coronal: flair ")
    volume = read_nifti(cube)
    right, back, up = turn(volume, (0, 1, 2)).shape, turn(volume, (1, 2, 0)).shape, volume.shape
    assert right == up
    assert back == (up[1], up[2], up[0])
