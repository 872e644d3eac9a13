"""How a file stores a scan never changes its finding: order, bytes, version, packing, padding."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.inference.analysis import analyze
from model.inference.segmentation import Rules
from model.network.network import load_network
from model.reading.nifti import read_nifti
from model.reading.read import read, scan_at
from model.volume import Affine, Upright, Volume
from tests.conftest import FRONTAL
from tests.phantoms.heads import ORDERS, head
from tools.experiments.nifti_grids import ODD, Order, parts_of, write

SAME_PLACE = (
    *("as it is", "micron", "meter", "sform alone", "qform alone", "sform 0", "sform singular"),
    *("dim[4] is 0", "vox_offset 0, no mark", "vox_offset 0", "pair"),
)
PADDING = (None, -1024, -2000, -10000)


@dataclass(frozen=True)
class Storage:
    """One way to store a scan."""

    order: int
    version: int
    endianness: Order
    kind: str
    packed: bool
    header: str
    padding: int | None


STORAGES = st.builds(
    Storage,
    st.integers(0, len(ORDERS) - 1),
    st.sampled_from([1, 2]),
    st.sampled_from(["<", ">"]),
    st.sampled_from(["i2", "i4", "f4", "f8"]),
    st.booleans(),
    st.sampled_from(SAME_PLACE),
    st.sampled_from(PADDING),
)


def stored(voxels: NDArray[np.float32], affine: Affine, how: Storage, folder: Path) -> Path:
    """The scan in a file of this form. Whole numbers, 0 where there is nothing."""
    if how.padding is not None:
        voxels = np.where(voxels == 0, np.float32(how.padding), voxels)
    turned, turned_affine = ORDERS[how.order].apply(voxels, affine)
    parts = parts_of(turned.astype(how.kind), turned_affine, how.version, how.endianness)
    ODD[how.header](parts)
    return write(parts, folder, how.packed)


def upright(volume: Volume) -> tuple[NDArray[np.float32], Affine]:
    turn = Upright.of(volume.shape, volume.affine)
    return turn.turn(volume.voxels), turn.affine


@settings(max_examples=60, deadline=None)
@given(STORAGES)
def test_the_same_voxels_lie_in_the_same_place(how: Storage) -> None:
    phantom = head(degrees=(4, -7, 9))
    voxels = phantom.voxels.round().clip(0)
    expected, expected_affine = upright(phantom.volume(voxels=voxels))
    with tempfile.TemporaryDirectory() as folder:
        volume = read(scan_at(stored(voxels, phantom.affine, how, Path(folder))))
    found, affine = upright(volume)
    assert np.array_equal(found, expected)
    assert np.allclose(affine, expected_affine, rtol=0, atol=0.01)
    assert volume.levels == phantom.volume(voxels=voxels).levels
    assert volume.notes == ()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_finding_is_the_same() -> None:
    network, rules = load_network(), Rules(0.5, 100, False)
    sample = read_nifti(FRONTAL)
    sound = analyze(sample, network, rules, None).findings.lesions[0]

    @settings(max_examples=12, deadline=None)
    @given(STORAGES)
    def stays(how: Storage) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = stored(sample.voxels, sample.affine, how, Path(folder))
            lesion = analyze(read(scan_at(path)), network, rules, None).findings.lesions[0]
        assert lesion.volume_ml == pytest.approx(sound.volume_ml, rel=0.002)
        assert lesion.side is sound.side
        assert lesion.centroid == pytest.approx(sound.centroid, abs=0.1)

    stays()
