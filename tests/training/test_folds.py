"""The frozen folds: by person, evenly, and always the same."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from training.datasets import FOLDS, DatasetError
from training.folds import FROZEN, KINDS, LEARNED, as_json, make_folds, person_of, read_folds

FOLDS_FILE = read_folds()
ALL = {kind: [name for part in FOLDS_FILE.parts for name in part[kind]] for kind in KINDS}


def test_every_scan_lies_in_one_fold() -> None:
    assert {kind: len(names) for kind, names in ALL.items()} == {
        "lgg": 85,
        "brats": 26,
        "notumor": 23,
        "othersequences": 18,
    }
    names = [name for kind in KINDS for name in ALL[kind]]
    assert len(set(names)) == len(names)


def test_no_person_is_in_two_folds() -> None:
    homes = Counter(
        (person_of(name), number)
        for number, part in enumerate(FOLDS_FILE.parts)
        for names in part.values()
        for name in names
    )
    persons = Counter(person for person, _ in homes)
    assert set(persons.values()) == {1}


def test_the_frozen_file_is_what_the_rule_makes_in_any_order() -> None:
    shuffled = {kind: random.Random(1).sample(names, len(names)) for kind, names in ALL.items()}
    assert as_json(make_folds(shuffled)) == FROZEN.read_text()


def test_kinds_and_hospitals_are_dealt_evenly() -> None:
    for kind in KINDS:
        sizes = [len(part[kind]) for part in FOLDS_FILE.parts]
        assert max(sizes) - min(sizes) <= 1, kind
    for hospital in ("TCGA_CS", "TCGA_DU", "TCGA_FG", "TCGA_HT"):
        counts = [sum(n.startswith(hospital) for n in p["lgg"]) for p in FOLDS_FILE.parts]
        assert max(counts) - min(counts) <= 1, hospital


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("brats18_tcia10_628_1", "TCGA_DU_A5TR_19970726"),
        ("brats18_tcia10_639_1", "TCGA_DU_A5TW_19980228"),
        ("brats18_tcia13_623_1", "TCGA_HT_7473_19970826"),
        ("brats18_cbica_apr_1", "brats18_cbica_apr_1_t1ce"),
        ("nichart_subj05", "nichart_subj05_t1_t1"),
        ("nichart_subj15", "nichart_subj16"),
        ("cbica_wml_301d00252", "cbica_wml_301d00252_pd"),
        ("openms_long_patient04_study1", "openms_long_p04_s1_t1w_t1"),
        ("isles22_case0001_adc_adc", "isles22_case0001_dwi_dwi"),
    ],
)
def test_scans_of_one_person_are_known_by_their_names(one: str, other: str) -> None:
    assert person_of(one) == person_of(other)


def test_persons_of_alike_names_are_apart() -> None:
    assert person_of("openms_long_patient01_study1") != person_of("openms_cross_patient01")
    assert person_of("nichart_subj05") != person_of("nichart_subj06")
    assert person_of("autorad_ct_head_ct") == "autorad_ct_head_ct"


def test_a_fold_is_put_aside_whole_and_fold_0_puts_nobody_aside() -> None:
    for fold in range(1, FOLDS + 1):
        split = FOLDS_FILE.split(fold)
        assert sorted(split.train + split.validation) == sorted(
            name for kind in LEARNED for name in ALL[kind]
        )
        persons = FOLDS_FILE.persons(fold)
        assert {person_of(name) for name in split.validation} <= persons
        assert not {person_of(name) for name in split.train} & persons
    assert FOLDS_FILE.split(0).validation == ()
    assert not FOLDS_FILE.persons(0)


def test_a_file_that_holds_no_folds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "folds.json"
    path.write_text(json.dumps({"folds": [{"lgg": []}]}))
    with pytest.raises(DatasetError, match="cannot be read"):
        read_folds(path)
