"""`export --deface`: no brain and no mask is lost, and who cannot be sure does not write."""

from dataclasses import replace

import numpy as np
import pytest

from model.geometry import move
from model.inference.face import FaceError, brain_distance, without_face
from model.measurement.lobes import load_atlas
from model.reading.read import read, scan_at
from model.registration.head_atlas import fit_head
from model.volume import Scale, Volume
from tests.conftest import SAMPLES


@pytest.fixture(scope="module")
def head() -> Volume:
    (scan,) = (SAMPLES / "TCGA-FG-6692").glob("*.nii.gz")
    return read(scan_at(scan))


def empty(volume: Volume) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.zeros(volume.shape, np.uint8)


def test_what_lies_before_the_brain_goes_and_the_mask_stays(head: Volume) -> None:
    bare = without_face(head, empty(head))
    assert bare.had_face
    gone = bare.volume.voxels != head.voxels
    assert gone.sum() > 10_000
    assert set(np.unique(bare.volume.voxels[gone])) == {head.levels.air}
    front = np.argwhere(gone).mean(axis=0) @ head.affine[1, :3]
    middle = np.argwhere(head.levels.head(head.voxels)).mean(axis=0) @ head.affine[1, :3]
    assert front > middle + 20  # mm
    mask = empty(head)
    place = tuple(np.argwhere(gone)[len(np.argwhere(gone)) // 2])
    mask[place] = 1
    mask |= _in_the_middle(head)
    kept = without_face(head, mask).volume.voxels
    assert np.array_equal(kept[mask > 0], head.voxels[mask > 0])


def _in_the_middle(head: Volume) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    mask = empty(head)
    i, j, k = (length // 2 for length in head.shape)
    mask[i - 5 : i + 5, j - 5 : j + 5, k + 2 : k + 5] = 1
    return mask


def test_where_it_is_not_sure_nothing_is_written(head: Volume) -> None:
    noise = np.random.default_rng(1).normal(100, 10, head.shape).astype(np.float32)
    outside = empty(head)
    outside[:4, :4, :4] = 1
    for volume, mask, words in (
        (replace(head, scale=Scale.ASSUMED), empty(head), "millimetres"),
        (replace(head, sides_known=False), empty(head), "sides"),
        (replace(head, voxels=noise), empty(head), "fit"),
        (head, outside, "mask"),
    ):
        with pytest.raises(FaceError, match=words):
            without_face(volume, mask)


def test_a_stripped_head_is_as_it_was(head: Volume) -> None:
    template, _ = load_atlas()
    fit = fit_head(head, empty(head), template)
    assert fit is not None
    places = np.argwhere(np.ones(head.shape, bool))
    away = brain_distance().at(fit.to_template(move(places, head.affine)))
    brain = (away < 4).reshape(head.shape)
    stripped = replace(head, voxels=np.where(brain, head.voxels, 0).astype(np.float32))
    done = without_face(stripped, empty(head))
    assert not done.had_face
    assert done.volume is stripped
