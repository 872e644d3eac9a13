"""Heads that are whole, cut off or too low; phantoms of known size, and real scans."""

from pathlib import Path

import numpy as np
import pytest

from model.inference.completeness import why_incomplete
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
