"""The numbers for heads without skull: where the line lies, out of fold, and into the file."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model.geometry import dice
from model.network.network import load_network
from tests.model.inference.test_confidence import a_patient
from training.calibration.stripped_heads import CUTS, Tried, figures_of, line_of, out_of_fold, write

TOO_LOW = 2.0  # logits that the network stays below the truth


def too_low(seed: int) -> Tried:
    """A patient of whom a network marks too little."""
    honest = a_patient(seed)
    logit = np.log(honest.probability / (1 - honest.probability)) - TOO_LOW
    patient = replace(honest, probability=(1 / (1 + np.exp(-logit))).astype(np.float32))
    levels = [1 / (1 + np.exp(-cut)) for cut in CUTS]
    return Tried(
        patient, tuple(dice(patient.probability >= level, patient.drawn) for level in levels)
    )


def test_the_line_goes_where_masks_fit_and_no_further() -> None:
    patients = [too_low(seed) for seed in range(20)]
    assert -TOO_LOW - 0.5 <= line_of(patients) <= -TOO_LOW + 0.5
    right = [replace(each, dices=tuple(sorted(each.dices, reverse=True))) for each in patients]
    assert line_of(right) == 0


def test_masks_out_of_fold_are_better_and_the_file_says_how(
    tmp_path: Path, small_weights: Path
) -> None:
    patients = [too_low(seed) for seed in range(20)]
    checked = out_of_fold(patients)
    figures = figures_of(patients, checked)
    gained = [each.dice - patient.dices[0] for each, patient in zip(checked, patients, strict=True)]
    assert np.mean(gained) > 0.05
    assert figures["patients"] == len(patients)
    fitted = write(small_weights, patients, tmp_path / "w.safetensors")
    assert fitted["offset"] > 0
    before, network = load_network(small_weights), load_network(tmp_path / "w.safetensors")
    assert network.certainty_stripped is not None
    assert network.certainty_stripped.offset == fitted["offset"]
    assert network.certainty == before.certainty
    assert network.sha256 != before.sha256
    for name, tensor in before.members[0].tensors.items():
        assert np.array_equal(tensor, network.members[0].tensors[name]), name
