"""Tumor or not: what looks like white-matter disease is told in words, and not marked."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from daemon.commands.segment import segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.report import Report
from daemon.settings import ModelSettings
from model.inference.segmentation import Rules
from model.inference.tumor_check import Evidence, TumorCheck, load_tumor_check
from model.network.network import load_network
from model.weights_config import about_weights
from training.calibration.tumor_check_fit import (
    Head,
    chances_out_of_fold,
    fit,
    head_of,
    heads_of,
    line_at,
    rates,
)
from training.datasets import DatasetError
from training.folds import read_folds
from training.mixed_cache import Source

THRESHOLD = Rules().threshold
LARGE = Evidence(size=-3.5, bright=1.8, share=1.0, others=0.0, sharp=0.95)
SPECK = Evidence(size=-8.0, bright=1.4, share=0.3, others=1.4, sharp=0.55)


def shipped() -> TumorCheck:
    about = about_weights()
    assert about is not None
    check = load_tumor_check(about.sha256, THRESHOLD)
    assert check is not None
    return check


def report_of(scan: Path, target: Path, threshold: float = THRESHOLD) -> Report:
    rules = analysis_rules(ModelSettings(least_flair=0, threshold=threshold))
    (analyzed,) = segment_once([scan], target, "P", rules)
    assert analyzed.report is not None, analyzed.reason
    return analyzed.report


def mask_of(report: Report, target: Path) -> int:
    (path,) = (target / report.scan_id).glob("*_seg.nii.gz")
    return int(np.asanyarray(nib.Nifti1Image.from_filename(path).dataobj).sum())


def test_the_shipped_numbers_belong_to_the_shipped_weights_alone() -> None:
    check = shipped()
    assert 0 < check.line < 1
    assert load_tumor_check("0" * 64, THRESHOLD) is None
    assert load_tumor_check(check.weights_sha256, THRESHOLD + 0.1) is None


def test_a_large_bright_sharp_lesion_is_tumor_and_several_vague_specks_are_none() -> None:
    check = shipped()
    assert check.chance(LARGE) > 0.9
    assert check.chance(SPECK) < 0.1
    assert check.has_tumor((SPECK, LARGE))
    assert not check.has_tumor((SPECK, SPECK))


def test_evidence_beyond_all_that_was_met_counts_as_the_farthest() -> None:
    check = shipped()
    huge = Evidence(size=1e9, bright=1e9, share=1e9, others=-1e9, sharp=1e9)
    assert 0.9 < check.chance(huge) <= 1


def test_white_matter_disease_is_no_tumor_and_says_what_was_bright(
    shared_data: Path, tmp_path: Path
) -> None:
    scan = shared_data / "notumor" / "nichart_sample1" / "nichart_sample1_flair.nii.gz"
    report = report_of(scan, tmp_path / "o")
    assert report.finding == "no_tumor"
    assert (report.volume_ml, report.lesions, report.confidence) == (0, (), None)
    (note,) = (each for each in report.quality if each.code == "white_matter_lesions")
    assert "of the white matter, not like a tumor" in note.message
    assert mask_of(report, tmp_path / "o") == 0


def test_at_another_threshold_nothing_is_known_and_what_is_marked_is_tumor(
    shared_data: Path, tmp_path: Path
) -> None:
    scan = shared_data / "notumor" / "nichart_sample1" / "nichart_sample1_flair.nii.gz"
    report = report_of(scan, tmp_path / "o", threshold=0.45)
    assert report.finding == "tumor"
    assert mask_of(report, tmp_path / "o") > 0


def a_head(name: str, *evidence: Evidence, has_tumor: bool) -> Head:
    return Head(name, has_tumor, evidence, (1.0 if has_tumor else 0.0,) * len(evidence))


def heads() -> list[Head]:
    """All scans of the folds: those with tumor have a large lesion, most others some specks."""
    made, chance = [], np.random.default_rng(3)
    for number, name in enumerate(read_folds().split(0).train):
        has_tumor = name.startswith(("TCGA", "brats"))
        base = np.array(list(vars(LARGE if has_tumor else SPECK).values()))
        evidence = Evidence(*(base + chance.normal(0, 0.3, base.size)).tolist())
        empty = not has_tumor and number % 4 == 0
        made.append(a_head(name, *([] if empty else [evidence]), has_tumor=has_tumor))
    return made


def test_the_fit_tells_them_apart_out_of_fold() -> None:
    all_heads = heads()
    chances = chances_out_of_fold(all_heads, "w", 0.5)
    line = line_at(all_heads, chances)
    found = rates(all_heads, chances, line)
    assert found["sensitivity"].startswith("111 of 111 (97")
    assert found["called_tumor_without"].startswith("0 of 23 (0")
    everything = rates(all_heads, chances, 0.0)
    assert everything["lesions_made_up"].split()[0] == everything["lesions_made_up"].split()[2]


def test_a_tumor_that_was_not_marked_is_missed() -> None:
    all_heads = [a_head("TCGA_CS_4942_19970222", has_tumor=True)]
    assert rates(all_heads, {all_heads[0].name: ()}, 0.0)["sensitivity"].startswith("0 of 1")


def test_lesions_of_one_kind_alone_cannot_be_told_apart() -> None:
    with pytest.raises(DatasetError, match="that are tumor and some that are none"):
        fit([a_head("x", LARGE, has_tumor=True)], "w", 0.5)


def test_a_drawn_tumor_is_touched_by_its_lesion(shared_data: Path) -> None:
    folder = shared_data / "lgg" / "TCGA_CS_4942_19970222"
    flair, drawn = (folder / f"{folder.name}_{part}.nii.gz" for part in ("flair", "seg"))
    head = head_of(Source(folder.name, "lgg", flair, drawn), load_network(), Rules())
    assert head.has_tumor
    assert len(head.evidence) == len(head.touching) > 0
    assert head.touching[0] > 0.5


def test_a_cache_of_other_weights_is_refused(tmp_path: Path, small_weights: Path) -> None:
    cache = tmp_path / "cache.json"
    cache.write_text('{"weights_sha256": "other", "names": ["size"], "heads": []}')
    with pytest.raises(DatasetError, match="other weights"):
        heads_of(tmp_path, load_network(small_weights), Rules(), cache, print)
