"""The cache of several data sets: where its heads lie, how bright, and that it is read again."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from model.inference.preprocessing import prepare
from model.reading.nifti import read_nifti
from model.weights_config import STANDARD
from tests.training.cached_heads import IN_PLACE, LGG
from tests.training.test_loop import write_case
from training.augmentation.painted_lesions import load_lesions
from training.cache import holds, load_cache
from training.mixed_cache import build_mixed_cache, file_of, gain_of, thinned
from training.preparation import arrays_of, save_cache


def test_kind_and_place_travel_in_the_cache(tmp_path: Path) -> None:
    arrays = arrays_of(LGG)
    arrays |= {"l/kind": np.array("lgg"), "l/to_mni": IN_PLACE}
    save_cache(arrays, tmp_path / "cache.npz")
    (kept,) = load_cache(tmp_path / "cache.npz", ("l",))
    assert kept.kind == "lgg"
    assert kept.to_mni is not None
    assert np.array_equal(kept.to_mni, IN_PLACE)


def a_scan(path: Path) -> Path:
    """A dark head with one bright voxel at (40, 21, 3)."""
    voxels = np.zeros((64, 60, 6), np.uint8)
    voxels[8:56, 6:54] = 60
    voxels[40, 21, 3] = 250
    affine = np.diag([-3.0, 3.0, 5.0, 1.0])
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path


def test_the_way_from_the_networks_grid_to_the_file(tmp_path: Path) -> None:
    volume = read_nifti(a_scan(tmp_path / "a.nii.gz"))
    prepared = prepare(volume)
    brightest = np.array([*np.unravel_index(prepared.slices.argmax(), prepared.slices.shape), 1])
    voxel = (file_of(prepared.grid, volume.shape) @ brightest)[:3]
    assert voxel == pytest.approx([40, 21, 3], abs=0.5)


def test_stripping_a_bright_scalp_away_makes_the_brain_dimmer(tmp_path: Path) -> None:
    volume = read_nifti(a_scan(tmp_path / "a.nii.gz"))
    volume.voxels[8:56, 6:45] *= 3
    brain = np.zeros(volume.shape, bool)
    brain[8:56, 45:54] = True
    assert gain_of(volume, brain) == pytest.approx(3.0)


def test_thin_slices_are_left_out_and_the_others_stay_in_place() -> None:
    thin = thinned(replace(LGG, step=4))
    assert np.array_equal(thin.slices, LGG.slices[::2])
    assert thin.step == 2
    assert thin.to_mni is not None
    assert np.array_equal(thin.to_mni @ [2, 5, 6, 1], IN_PLACE @ [4, 5, 6, 1])
    assert thinned(LGG) is LGG


def test_all_sets_are_prepared_in_one_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for seed, kind in enumerate(("lgg", "brats", "notumor")):
        write_case(data / kind, kind[0], seed)
    (data / "lgg" / "split.json").write_text(json.dumps({"development": ["l"]}))
    (data / "lgg_brain").mkdir()
    brain = nib.load(data / "lgg" / "l" / "l_seg.nii.gz")
    nib.save(brain, data / "lgg_brain" / "l_brain.nii.gz")
    (data / "notumor" / "ms_lesions_mni").mkdir()
    nib.save(brain, data / "notumor" / "ms_lesions_mni" / "patient03_lesions.nii.gz")
    told: list[int] = []
    build_mixed_cache(data, tmp_path / "cache.npz", told.append)
    assert told == [3, 3, 3]
    assert holds(tmp_path / "cache.npz", ("l", "b", "n"), STANDARD)
    heads = load_cache(tmp_path / "cache.npz", ("l", "b", "n"))
    assert [head.kind for head in heads] == ["lgg", "brats", "notumor"]
    assert [bool(head.mask.any()) for head in heads] == [True, True, False]
    assert np.array_equal(heads[0].brain, heads[0].mask)
    (lesions,) = load_lesions(tmp_path / "cache.npz")
    assert lesions.drawn.shape == (10, 10, 2)
    assert lesions.drawn.all()


def test_what_is_no_cache_holds_nobody(tmp_path: Path) -> None:
    assert not holds(tmp_path / "none.npz", (), STANDARD)
    (tmp_path / "cache.npz").write_bytes(b"no cache")
    assert not holds(tmp_path / "cache.npz", (), STANDARD)
