"""How scans of every kind end: counted as they are told."""

from pathlib import Path

import pytest

from model.inference.segmentation import Rules
from model.network.network import load_network
from tests.training.test_loop import write_case
from training.datasets import DatasetError
from training.outcomes import Outcome, outcome, scans_of, summary


def test_scans_of_a_set_are_found_with_their_masks(tmp_path: Path) -> None:
    write_case(tmp_path / "brats", "b", 1)
    (tmp_path / "pictures").mkdir()
    for ending in ("flair", "seg"):
        (tmp_path / "pictures" / f"s_1_{ending}.png").touch()
    (tmp_path / "othersequences").mkdir()
    (tmp_path / "othersequences" / "a_t1.nii.gz").touch()
    assert [given.name for given in scans_of(tmp_path, "brats")] == ["b"]
    (picture,) = scans_of(tmp_path, "pictures")
    assert picture.name == "s_1"
    assert picture.mask == tmp_path / "pictures" / "s_1_seg.png"
    assert [given.mask for given in scans_of(tmp_path, "othersequences")] == [None]
    with pytest.raises(DatasetError, match="no scans of notumor"):
        scans_of(tmp_path, "notumor")


def test_a_scan_is_analyzed_as_for_a_report_and_an_unreadable_one_is_told(
    tmp_path: Path, small_weights: Path
) -> None:
    write_case(tmp_path / "brats", "b", 1)
    network = load_network(small_weights)
    (given,) = scans_of(tmp_path, "brats")
    ended = outcome(given, network, None, Rules(0.999999))
    assert (ended.finding, ended.dice, ended.volume_ml) == ("no_tumor", 0.0, 0.0)
    given.scan.write_bytes(b"none")
    assert outcome(given, network, None, Rules()).finding == "unreadable"


def test_endings_are_counted() -> None:
    rows = [
        Outcome("a", "tumor", 2.0, 0.8, 0.9, ()),
        Outcome("b", "tumor", 0.5, 0.4, 0.5, ()),
        Outcome("c", "not_judged", 0.0, 0.0, None, ("not_flair",)),
    ]
    found = summary(rows)
    assert (found["called_tumor"], found["called_tumor_1_ml"], found["not_judged"]) == (2, 1, 1)
    assert found["dice"] == {"mean": 0.4, "median": 0.4, "worst": 0.0, "below_0.5": 2}
