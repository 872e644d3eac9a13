"""How far a mask can be trusted: honest probabilities, a range that covers, a confidence."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from scipy import ndimage

from daemon.commands.segment import segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from model.inference.confidence import Certainty, promised_dice, spread
from model.inference.preprocessing import from_window, prepare
from model.inference.segmentation import Rules, segment
from model.network.network import Network, load_network
from model.reading.nifti import read_nifti
from tests.conftest import FRONTAL
from training.calibration.confidence_fit import Analyzed, Checked, check, compare, fit, rates

PLAIN = Certainty(1.0, 1.0, 0.0, -1.0, 1.0, 0.1, 2.0, 0.9, 0.5)


def a_patient(seed: int, slope: float = 1.0, vague: float = 1.0) -> Analyzed:
    """A ball whose border is vague; the drawn mask follows from honest probabilities, and the
    network's are those with their logits divided by `slope`."""
    chance = np.random.default_rng(seed)
    z, y, x = np.mgrid[-1:1:16j, -1:1:32j, -1:1:32j]
    far = np.sqrt(z * z + y * y + x * x)
    logits = (chance.uniform(0.4, 0.7) - far) * 12 / vague
    honest = 1 / (1 + np.exp(-logits))
    drawn = chance.random(far.shape) < honest
    shown = 1 / (1 + np.exp(-logits / slope))
    return Analyzed(seed % 5, shown.astype(np.float32), np.ones(far.shape, bool), drawn)


def test_calibration_moves_no_mask() -> None:
    probability = np.linspace(0.01, 0.99, 99, dtype=np.float32)
    for slope in (0.3, 3.0):
        honest = replace(PLAIN, slope=slope).calibrated(probability)
        assert ((honest >= 0.5) == (probability >= 0.5)).all()


def test_calibration_by_nothing_changes_nothing_and_zero_stays_zero() -> None:
    probability = np.array([0.0, 0.2, 0.5, 0.9], np.float32)
    honest = PLAIN.calibrated(probability)
    assert honest.dtype == np.float32
    assert honest == pytest.approx(probability, abs=1e-5)
    assert honest[0] == 0


def test_an_offset_marks_more_and_zero_stays_zero() -> None:
    more = replace(PLAIN, offset=2.0)
    probability = np.array([0.0, 0.1, 0.13, 0.5], np.float32)
    assert (more.calibrated(probability) >= 0.5).tolist() == [False, False, True, True]


def test_a_head_without_skull_is_marked_wider_around_what_is_found(
    small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = replace(load_network(small_weights), certainty=PLAIN)
    volume = read_nifti(FRONTAL)
    with_skull = prepare(volume, network.preparation)
    bare = replace(with_skull, head=np.ones_like(with_skull.head))
    analyzed = np.zeros_like(bare.slices)
    analyzed[8:12, 60:90, 50:80], analyzed[9:11, 66:84, 56:74] = 0.4, 0.9
    analyzed[8:12, 60:90, 90:110] = 0.4  # nothing in it is sure
    monkeypatch.setattr(Network, "probabilities", lambda *_: analyzed)
    wide = replace(network, certainty_stripped=replace(PLAIN, offset=1.0))
    usual = segment(volume, with_skull, wide, Rules())
    assert usual.core is None
    found = segment(volume, bare, wide, Rules())
    assert found.core is not None
    assert np.array_equal(found.core.mask, usual.mask)
    assert (found.mask[usual.mask > 0] == 1).all()
    assert 2 * usual.mask.sum() < found.mask.sum() < (from_window(analyzed, bare.grid) > 0.3).sum()
    assert ndimage.label(found.mask)[1] == 1


@pytest.mark.parametrize("slope", [0.5, 2.0])
def test_the_fit_finds_by_how_much_the_logits_were_wrong(slope: float) -> None:
    certainty = fit([a_patient(seed, slope) for seed in range(20)], 0.5)
    assert certainty.slope == pytest.approx(slope, rel=0.1)


def test_the_range_holds_one_and_is_wider_where_the_border_is_vague() -> None:
    sharp, vague = (a_patient(1, vague=width).probability for width in (0.3, 3.0))
    ranges = []
    for probability in (sharp, vague):
        trust = PLAIN.trust((probability >= 0.5).astype(np.uint8), probability)
        assert trust is not None
        assert trust.low <= 1 <= trust.high
        ranges.append(trust.high / trust.low)
    assert ranges[0] < ranges[1]
    assert spread(sharp) < spread(vague)


def test_the_range_never_grows_beyond_what_was_met() -> None:
    vague = np.full((8, 32, 32), 0.3, np.float32)
    vague[2:4, :10, :10] = 0.6
    trust = PLAIN.trust((vague >= 0.5).astype(np.uint8), vague)
    assert trust is not None
    assert trust.high == pytest.approx(np.exp(2.0))


def test_masks_of_another_threshold_have_no_range(tmp_path: Path, small_weights: Path) -> None:
    network = replace(load_network(small_weights), certainty=PLAIN)
    volume = read_nifti(FRONTAL)
    prepared = prepare(volume, network.preparation)
    assert segment(volume, prepared, network, Rules(0.4)).trust is None
    assert segment(volume, prepared, network, Rules(0.5)).trust is not None


def test_an_empty_mask_counts_as_not_covered_and_not_sure() -> None:
    drawn = np.ones((4, 8, 8), bool)
    missed = Analyzed(0, np.zeros(drawn.shape, np.float32), drawn, drawn)
    checked = compare(missed, PLAIN, 0.5)
    assert (checked.dice, checked.confidence, checked.covered) == (0, 0, False)
    assert rates([checked])["empty_masks"] == 1


def test_an_empty_mask_has_no_range() -> None:
    nothing = np.zeros((4, 4, 4), np.uint8)
    assert PLAIN.trust(nothing, nothing.astype(np.float32)) is None


def test_probabilities_of_one_promise_full_agreement() -> None:
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1:3] = 1
    assert promised_dice(mask, mask.astype(np.float32)) == 1
    assert promised_dice(mask, np.full(mask.shape, 0.5, np.float32)) == pytest.approx(0.5)


def test_the_range_covers_about_as_often_as_it_says() -> None:
    patients = [a_patient(seed, vague=1 + seed % 3) for seed in range(40)]
    found = rates(check(patients, 0.5))
    assert found["patients"] == 40
    assert isinstance(found["covered_95"], list)
    low, high = found["covered_95"]
    assert low <= 0.9 <= high


def test_a_sharp_mask_gets_more_confidence_than_a_vague_one() -> None:
    patients = [a_patient(seed, vague=0.5 if seed % 2 else 6) for seed in range(40)]
    found = rates(check(patients, 0.5))
    assert isinstance(found["rank_correlation"], float)
    assert found["rank_correlation"] > 0.5


def test_how_well_the_confidence_sorts_has_an_interval_that_narrows_with_patients() -> None:
    def widths(count: int) -> list[float]:
        chance = np.random.default_rng(3)
        dice = chance.uniform(0.5, 1, count)
        sure = dice + chance.normal(0, 0.1, count)
        found = rates([Checked(d, s, True, 2.0) for d, s in zip(dice, sure, strict=True)])
        ends = []
        for name in ("rank_correlation", "area_under_curve"):
            interval, value = found[f"{name}_95"], found[name]
            assert isinstance(interval, list)
            assert isinstance(value, float)
            assert interval[0] < value < interval[1] <= 1
            ends.append(interval[1] - interval[0])
        return ends

    for wide, narrow in zip(widths(20), widths(200), strict=True):
        assert narrow < wide / 2
    alike = rates([Checked(0.9, 0.8, True, 2.0)] * 5)
    assert alike["rank_correlation"] is None
    assert alike["rank_correlation_95"] is None


def test_a_report_says_range_and_confidence(tmp_path: Path, small_weights: Path) -> None:
    with safe_open(small_weights, "pt") as stored:
        header = stored.metadata() | {"certainty": json.dumps(asdict(PLAIN))}
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    save_file(tensors, tmp_path / "sure.safetensors", metadata=header)
    model = ModelSettings(weights=str(tmp_path / "sure.safetensors"), least_flair=0)
    (analyzed,) = segment_once([FRONTAL], tmp_path / "out", "P", analysis_rules(model))
    assert analyzed.report is not None, analyzed.reason
    report = analyzed.report.as_json()
    low, high = report["volume_ml_range"]
    assert low <= report["volume_ml"] <= high
    assert 0 <= report["confidence"] <= 1
