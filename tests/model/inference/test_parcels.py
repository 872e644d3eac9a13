"""A volume goes to another machine without its patient, and its analysis comes back whole."""

import pickle
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from model.inference.analysis import Analysis, analyze
from model.inference.parcels import Answer, Damaged, Grid, Parcel, answer_of
from model.inference.segmentation import Rules, Segmentation
from model.measurement.findings import Finding, Findings
from model.network.network import Network, load_network
from model.rules import AskedSeries
from model.volume import Kind, Note, Scale, SeriesSeen, SourceSlice, Volume

SECRET = "Musterfrau"
TRAVELS = {"voxels", "affine", "kind", "scale", "sides_known", "filled"}
AS_CODES = {"notes", "unfit"}
STAYS = {
    *("description", "acquired_at", "series", "asked", "sources"),
    *("file_affine", "nifti_header", "needs_copy"),
}


@pytest.fixture(scope="module")
def network(small_weights: Path) -> Network:
    return load_network(small_weights)


def scan(unfit: Note | None = None) -> Volume:
    """A head-like ball with something bright in it, and a patient's name wherever one fits."""
    places = np.indices((32, 32, 12)).astype(np.float32)
    far = np.sqrt(((places - np.array([16, 16, 6])[:, None, None, None]) ** 2).sum(0))
    voxels = np.where(far < 13, 300 + 40 * np.sin(places[0]), 5).astype(np.float32)
    voxels[18:23, 15:20, 4:8] = 900
    return Volume(
        voxels=np.asfortranarray(voxels.round()),
        affine=np.diag([6.0, 6.0, 6.0, 1.0]),
        kind=Kind.DICOM,
        scale=Scale.DECLARED,
        sides_known=True,
        description=SECRET,
        acquired_at=f"2020-01-01 {SECRET}",
        unfit=unfit,
        notes=(Note("late_files", f"A file of {SECRET} came late."),),
        series=(SeriesSeen(SECRET, 1, "MR", 12, True, ""),),
        asked=AskedSeries(1, SECRET, 12, SECRET),
        sources=(SourceSlice(Path(SECRET), 0),) * 12,
        file_affine=np.eye(4),
        nifti_header=SECRET.encode(),
    )


def far(volume: Volume, network: Network, rules: Rules) -> tuple[Answer, bytes]:
    """As another machine analyzes it, and all that goes there and back, as bytes."""
    there = pickle.dumps(Parcel.of(volume))
    given = pickle.loads(there).volume()
    analysis = analyze(given, network, rules, None)
    back = pickle.dumps(answer_of(analysis, None, network.name, network.sha256, 1.0))
    answer: Answer = pickle.loads(back)
    return answer, there + back


def same(one: Analysis, other: Analysis) -> None:
    """Both to the last bit."""
    assert one.findings == other.findings
    assert (one.segmentation is None) == (other.segmentation is None)
    if one.segmentation is not None and other.segmentation is not None:
        for name in ("mask", "probability"):
            mine, theirs = getattr(one.segmentation, name), getattr(other.segmentation, name)
            assert mine.dtype == theirs.dtype
            assert mine.tobytes() == theirs.tobytes()
        assert one.segmentation.trust == other.segmentation.trust


@pytest.mark.parametrize("unfit", [None, Note("mask", f"{SECRET}: a mask.")])
@pytest.mark.parametrize("anyway", [False, True])
def test_the_result_is_the_same_and_nothing_tells_who_it_is(
    network: Network, unfit: Note | None, anyway: bool
) -> None:
    volume, rules = scan(unfit), Rules(anyway=anyway)
    answer, told = far(volume, network, rules)
    assert SECRET.encode() not in told
    assert b"2020-01-01" not in told
    expected = analyze(volume, network, rules, None)
    same(answer.analysis(volume), expected)
    assert SECRET in str(expected.findings.notes)  # at home the sentences are whole again
    assert answer.is_refusal == (unfit is not None and not anyway)


def test_every_field_of_a_volume_is_decided_on() -> None:
    """Whoever gives a volume another field says here whether it may travel."""
    assert {each.name for each in fields(Volume)} == TRAVELS | AS_CODES | STAYS


def test_numbers_come_back_in_the_same_bits_and_order() -> None:
    for numbers in (
        np.array([[[0.5, -0.0, 3e9]]], np.float32),
        np.asfortranarray(np.arange(60, dtype=np.float32).reshape(3, 4, 5)),
        np.ones((2, 3, 4), np.uint8),
    ):
        back = Grid.of(numbers).unpacked()
        assert back.astype(numbers.dtype).tobytes("A") == numbers.tobytes("A")
        assert back.flags.f_contiguous == numbers.flags.f_contiguous
    whole = Grid.of(np.zeros((40, 40, 40), np.float32))
    assert whole.dtype == "<i2"


def test_what_was_damaged_on_the_way_is_not_taken() -> None:
    volume = scan()
    nothing = Segmentation(np.zeros(volume.shape, np.uint8), volume.voxels, 0.5)
    analysis = Analysis(Findings(Finding.NO_TUMOR), nothing)
    answer = answer_of(analysis, None, "", "", 1.0)
    assert answer.mask is not None
    with pytest.raises(Damaged):
        replace(answer.mask, packed=answer.mask.packed[:-9]).unpacked()
    with pytest.raises(Damaged):
        answer.analysis(replace(volume, voxels=volume.voxels[:-1]))
