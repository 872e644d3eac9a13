"""Heads that are whole, cut off or too low; phantoms of known size, and real scans."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.inference.completeness import has_skull, why_incomplete
from model.inference.preprocessing import prepare
from model.reading.nifti import read_nifti
from model.reading.read import read, scan_at
from model.volume import Kind, Note, Scale, Volume
from tests.conftest import FRONTAL, SHARED
from tests.phantoms.heads import ORDERS, head
from tools.experiments.cut_heads import ways, why_of_all

HEAD = head()
CASES = sorted((SHARED / "lgg").glob("*/*_flair.nii.gz"))[::16]
OTHERS = sorted(
    path for name in ("brats", "notumor") for path in (SHARED / name).glob("*/*_flair.nii.gz")
)[::12]
SETS = ("lgg", "brats", "notumor", "external")
STRIPPED = ("brats", "cbica_wml", "mslesseg", "openms_cross")
REAL = [*CASES, *OTHERS, SHARED / "dicom" / "brainix_flair"]


def seen(volume: Volume) -> Note | None:
    return why_incomplete(volume, prepare(volume))


def part(kept: tuple[slice, slice, slice], **changed: object) -> Volume:
    """The phantom head with these voxels alone."""
    affine = HEAD.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [each.start or 0 for each in kept]
    return HEAD.volume(voxels=HEAD.voxels[kept], affine=affine, **changed)


ALL = slice(None)


@pytest.mark.parametrize("scale", [Scale.DECLARED, Scale.ASSUMED])
def test_whole_and_half_are_told_apart_in_any_storage_order(scale: Scale) -> None:
    for order in ORDERS[::7]:
        stored = HEAD.stored(order)
        assert seen(stored.volume(scale=scale)) is None
        upright = np.abs(stored.affine[2, :3]).argmax()
        low = [ALL, ALL, ALL]
        points_up = stored.affine[2, upright] > 0
        low[upright] = slice(None, 14) if points_up else slice(-14, None)
        cut = stored.volume(voxels=stored.voxels[tuple(low)], scale=scale)
        found = seen(cut)
        assert found is not None
        assert "highest slice" in found.message


@pytest.mark.parametrize(
    ("kept", "scale", "words"),
    [
        ((ALL, ALL, slice(None, 15)), Scale.ASSUMED, "cut off at the highest slice"),
        ((ALL, ALL, slice(15, None)), Scale.ASSUMED, "cut off at the lowest slice"),
        ((ALL, ALL, slice(15, None)), Scale.DECLARED, "shows 65 mm of the head"),
        ((slice(22, None), ALL, ALL), Scale.DECLARED, "cut off at a side"),
        ((ALL, slice(None, 27), ALL), Scale.ASSUMED, "cut off at a side"),
    ],
)
def test_what_is_missing_is_told(
    kept: tuple[slice, slice, slice], scale: Scale, words: str
) -> None:
    found = seen(part(kept, scale=scale))
    assert found is not None
    assert found.code == "incomplete"
    assert words in found.message


def test_what_is_no_volume_is_not_asked() -> None:
    assert seen(part((ALL, ALL, slice(13, 16)))) is None
    assert seen(part((ALL, ALL, slice(15, 16)), kind=Kind.IMAGE, scale=Scale.UNKNOWN)) is None
    assert seen(HEAD.volume(voxels=np.zeros_like(HEAD.voxels))) is None


def test_blank_slices_in_place_of_the_rest_hide_nothing() -> None:
    voxels = HEAD.voxels.copy()
    voxels[:, :, 15:] = 0
    found = seen(HEAD.volume(voxels=voxels))
    assert found is not None


def test_the_sample_is_whole_and_its_upper_half_is_not() -> None:
    sample = read_nifti(FRONTAL)
    assert seen(sample) is None
    by_words = dict(zip(ways(), why_of_all(sample), strict=True))
    assert {words for words, found in by_words.items() if "50 %" in words and not found} == set()


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.parent.name)
def test_real_heads_are_whole_and_their_halves_are_not(path: Path, shared_data: Path) -> None:
    volume = read(scan_at(path))
    by_words = dict(zip(ways((50,)), why_of_all(volume, (50,)), strict=True))
    assert [words for words, found in by_words.items() if found] == [
        "50 % from above",
        "50 % from below",
    ]


def test_the_half_study_of_the_case_is_flagged(shared_data: Path) -> None:
    found = seen(read(scan_at(shared_data / "cases" / "c01-half-study")))
    assert found is not None
    assert "cut off at the highest slice" in found.message  # the lower 13 of 22 came


def _round_head(skull: bool) -> Volume:
    """A ball of noisy brain of 70 mm; and around it dark bone of 7 mm and bright skin of 5 mm."""
    chance = np.random.default_rng(5)
    far = np.sqrt(sum(axis**2 for axis in np.mgrid[-90:90:61j, -90:90:61j, -90:90:31j]))
    voxels = np.where(far < 70, chance.normal(300, 40, far.shape), chance.normal(5, 2, far.shape))
    if skull:
        voxels[(far > 77) & (far < 82)] = 500
    affine = np.diag([3.0, 3.0, 6.0, 1.0])
    return HEAD.volume(voxels=np.abs(voxels).astype(np.float32), affine=affine)


def test_bone_below_the_skin_is_seen() -> None:
    assert has_skull(prepare(_round_head(skull=True)))
    assert not has_skull(prepare(_round_head(skull=False)))
    slices = _round_head(skull=False).voxels[:, :, 15:16]
    picture = HEAD.volume(voxels=slices, kind=Kind.IMAGE, scale=Scale.UNKNOWN)
    assert not has_skull(prepare(picture))
    assert has_skull(prepare(read_nifti(FRONTAL)))


@pytest.mark.parametrize("path", [*CASES, *OTHERS], ids=lambda path: path.parent.name)
def test_real_heads_have_a_skull_or_none(path: Path, shared_data: Path) -> None:
    assert has_skull(prepare(read_nifti(path))) is not path.name.startswith(STRIPPED)


@pytest.mark.long
def test_all_real_heads_have_a_skull_or_none(shared_data: Path) -> None:
    flairs = [path for name in SETS for path in shared_data.glob(f"{name}/*/*_flair.nii.gz")]
    assert len(flairs) > 140
    told = {path.name: has_skull(prepare(read_nifti(path))) for path in flairs}
    assert {n for n, skull in told.items() if skull is n.startswith(STRIPPED)} == set()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_a_head_whose_skull_is_taken_away_has_none(path: Path, shared_data: Path) -> None:
    volume = read_nifti(path)
    brain = SHARED / "lgg_brain" / path.name.replace("_flair", "_brain")
    if not brain.exists():
        pytest.skip("nobody drew this brain")
    voxels = np.where(read_nifti(brain).voxels > 0, volume.voxels, 0).astype(np.float32)
    assert not has_skull(prepare(replace(volume, voxels=voxels)))
