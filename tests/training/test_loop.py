"""Training: split by patient, repeatable to the bit after a kill, and readable weights."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from model.geometry import dice
from model.inference.segmentation import Rules
from model.network.network import load_network
from model.weights_config import SEED, STANDARD
from training.cache import CachedPatient, load_cache
from training.datasets import (
    DatasetError,
    Split,
    choose_cases,
    find_cases,
    read_split,
    split_by_patient,
)
from training.evaluate import Evaluator, evaluate, summary
from training.loop import BEST, LATEST, Limits, Progress, Training, export_weights, load_checkpoint
from training.preparation import build_cache, prepare_case
from training.recipes.seed_baseline import seed_method, tumor_slices
from training.recipes.standard import Batches, StandardPlan, standard_method
from training.train import Request, Watch
from training.train import train as train_recipe

PLAN = StandardPlan(steps=6, batch=2, check_every=2, width=2)

ROWS, COLUMNS = STANDARD.rows, STANDARD.columns


class KilledError(Exception):
    """Stands for the end of a process between two steps."""


def a_patient(name: str, seed: int) -> CachedPatient:
    random = np.random.default_rng(seed)
    slices = random.integers(0, 60, (6, ROWS, COLUMNS), np.uint8)
    mask = np.zeros(slices.shape, bool)
    mask[2:4, 60:90, 50:80] = True
    slices[mask] += 120
    return CachedPatient(name, slices, mask, np.ones_like(mask), 1.0, 1)


PATIENTS = {name: a_patient(name, seed) for seed, name in enumerate("abc")}
SPLIT = Split(("a", "b"), ("c",))


def write_case(data: Path, name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    scan = random.integers(0, 60, (64, 64, 6)).astype(np.uint8)
    mask = np.zeros(scan.shape, np.uint8)
    mask[20:30, 30:40, 2:4] = 1
    (data / name).mkdir(parents=True)
    affine = np.diag([-3.0, -3.0, 5.0, 1.0])
    nib.save(nib.Nifti1Image(scan + 120 * mask, affine), data / name / f"{name}_flair.nii.gz")
    nib.save(nib.Nifti1Image(mask, affine), data / name / f"{name}_seg.nii.gz")


def train(folder: Path, plan: StandardPlan = PLAN, resume: bool = False, kill_at: int = 0) -> None:
    def report(progress: Progress) -> None:
        if progress.step == kill_at:
            raise KilledError

    method = standard_method(plan, [PATIENTS["a"], PATIENTS["b"]], [PATIENTS["c"]])
    Training(method, Limits(), SPLIT, folder, {"git": "test"}).run(report, resume)


def test_no_patient_is_on_both_sides_and_the_seed_decides() -> None:
    patients = tuple(f"p{n}" for n in range(85))
    split = split_by_patient(patients, 0.12, 7)
    assert set(split.train) | set(split.validation) == set(patients)
    assert not set(split.train) & set(split.validation)
    assert split == split_by_patient(tuple(reversed(patients)), 0.12, 7)
    assert split.digest != split_by_patient(patients, 0.12, 8).digest


def test_a_killed_run_ends_like_one_that_was_not_killed(tmp_path: Path) -> None:
    train(tmp_path / "whole")
    with pytest.raises(KilledError):
        train(tmp_path / "killed", kill_at=5)
    train(tmp_path / "killed", resume=True)
    whole, killed = (load_checkpoint(tmp_path / run / LATEST) for run in ("whole", "killed"))
    assert whole["step"] == killed["step"] == 6
    for part in ("net", "model_state_dict"):
        for name, value in whole[part].items():
            assert torch.equal(value, killed[part][name]), name


def test_a_checkpoint_of_another_split_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    method = standard_method(PLAN, [PATIENTS["b"]], [PATIENTS["c"]])
    other = Training(method, Limits(), Split(("b",), ("c",)), tmp_path, {})
    with pytest.raises(DatasetError, match="another split"):
        other.run(lambda progress: None, resume=True)


def test_training_lowers_the_loss_and_writes_its_figures(tmp_path: Path) -> None:
    train(tmp_path, StandardPlan(steps=40, batch=4, check_every=10, width=4, rate=1e-2))
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert rows[0] == "step,minutes,loss,validation_dice"
    losses = [float(row.split(",")[2]) for row in rows[1:]]
    assert len(losses) == 4
    assert losses[-1] < losses[0]


def test_a_batch_follows_from_seed_and_step_alone() -> None:
    batches = Batches(list(PATIENTS.values()), 4, 3)
    images, masks = batches.draw(11)
    again, _ = Batches(list(PATIENTS.values()), 4, 3).draw(11)
    other, _ = batches.draw(12)
    assert torch.equal(images, again)
    assert not torch.equal(images, other)
    assert images.shape == (4, 3, ROWS, COLUMNS)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert set(masks.flatten().tolist()) <= {0.0, 1.0}


def test_checkpoint_weights_travel_as_safetensors(tmp_path: Path) -> None:
    train(tmp_path)
    export_weights(tmp_path / BEST, tmp_path / "w.safetensors")
    network = load_network(tmp_path / "w.safetensors")
    kept = load_checkpoint(tmp_path / BEST)["model_state_dict"]
    for name, value in network.members[0].tensors.items():
        assert np.array_equal(value, kept[name].half().float().numpy()), name


def test_the_cache_gives_back_what_was_prepared(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        write_case(tmp_path / "data", name, seed)
    cases = find_cases(tmp_path / "data")
    build_cache(cases, tmp_path / "cache.npz")
    (patient,) = load_cache(tmp_path / "cache.npz", ("b",))
    assert patient.slices.shape == patient.mask.shape == (6, ROWS, COLUMNS)
    assert patient.mask[2:4].any()
    assert not patient.mask[[0, 1, 4, 5]].any()
    assert float(patient.slices[patient.mask].mean()) > 2 * float(patient.slices.mean())


def test_evaluation_compares_on_the_scans_own_grid(tmp_path: Path, small_weights: Path) -> None:
    for seed, name in enumerate("ab"):
        write_case(tmp_path / "data", name, seed)
    network = load_network(small_weights)
    nothing = Evaluator(network, Rules(0.999999, 0.0))
    results = evaluate(find_cases(tmp_path / "data").values(), nothing)
    assert [(r.patient, r.dice, r.drawn_voxels) for r in results] == [
        ("a", 0.0, 200),
        ("b", 0.0, 200),
    ]
    assert summary(results, network.sha256)["dice"]["mean"] == 0.0


def test_dice_of_known_overlaps() -> None:
    a = np.array([1, 1, 0, 0], bool)
    assert dice(a, a) == 1
    assert dice(a, ~a) == 0
    assert dice(a, np.array([1, 0, 0, 0], bool)) == pytest.approx(2 / 3)
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1


def test_wrong_data_and_splits_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No <id>"):
        find_cases(tmp_path)
    write_case(tmp_path, "a", 1)
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"development": ["a", "gone"]}))
    with pytest.raises(DatasetError, match="1 patients"):
        choose_cases(find_cases(tmp_path), split, "development")
    with pytest.raises(DatasetError, match="no list named x"):
        choose_cases(find_cases(tmp_path), split, "x")
    split.write_text("no json")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_split(split)


def test_training_from_a_cache_needs_torch_and_numpy_alone() -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "blocked = 'nibabel scipy PIL pydicom monai rich pydantic typer matplotlib'\n"
        "for name in blocked.split():\n"
        "    sys.modules[name] = None\n"
        "import training.loop, training.cache, training.loop\n"
        "import training.recipes.standard, training.recipes.seed_baseline, training.recipes.mixed\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_seed_recipe_learns_from_tumor_slices_alone_and_resumes(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        write_case(tmp_path / "data", name, seed)
    cases = find_cases(tmp_path / "data")
    patients = [prepare_case(case, SEED) for case in cases.values()]
    slices, masks = tumor_slices(patients)
    assert slices.shape == masks.shape == (4, 96, 96)
    assert slices.reshape(4, -1).min(axis=1).max() < 10
    assert slices.reshape(4, -1).max(axis=1).min() > 230
    method = seed_method(patients, patients, 1, epochs=2)
    assert (method.steps, method.check_every) == (2, 1)
    images, drawn = method.draw(1, 0.5)
    assert images.shape == drawn.shape == (4, 1, 96, 96)
    split = Split(("a",), ("b",))
    Training(method, Limits(), split, tmp_path / "run", {}).run(lambda progress: None, False)
    export_weights(tmp_path / "run" / BEST, tmp_path / "seed.safetensors")
    network = load_network(tmp_path / "seed.safetensors")
    assert network.preparation == SEED
    results = evaluate(cases.values(), Evaluator(network, Rules(0.5, 0.0)))
    assert len(results) == 2


def test_the_seeds_split_has_three_parts_without_a_common_patient() -> None:
    patients = tuple(f"p{n}" for n in range(85))
    split = split_by_patient(patients, 0.15, 7, 0.15)
    assert (len(split.train), len(split.validation), len(split.test)) == (59, 13, 13)
    assert len({*split.train, *split.validation, *split.test}) == 85


def test_a_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    write_case(tmp_path / "data", "a", 1)
    write_case(tmp_path / "data", "b", 2)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LATEST).write_bytes(b"precious")
    request = Request(tmp_path / "data", tmp_path / "run", None, 0.5, resume=False)
    watch = Watch(lambda total: None, lambda progress: None)
    with pytest.raises(DatasetError, match="A run lies in this folder already"):
        train_recipe(request, PLAN, Limits(), watch)
    assert (tmp_path / "run" / LATEST).read_bytes() == b"precious"


def test_brats_names_are_taken_as_downloaded(tmp_path: Path) -> None:
    for name in (
        "BraTS20_Training_001/BraTS20_Training_001_flair.nii",
        "BraTS20_Training_001/BraTS20_Training_001_seg.nii",
        "BraTS20_Training_001/BraTS20_Training_001_t1.nii",
        "BraTS2021_00495/BraTS2021_00495_flair.nii.gz",
        "BraTS2021_00495/BraTS2021_00495_seg.nii.gz",
        "BraTS-GLI-00002-000/BraTS-GLI-00002-000-t2f.nii.gz",
        "BraTS-GLI-00002-000/BraTS-GLI-00002-000-seg.nii.gz",
        "without_mask/without_mask_flair.nii.gz",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    cases = find_cases(tmp_path)
    assert list(cases) == ["BraTS-GLI-00002-000", "BraTS2021_00495", "BraTS20_Training_001"]
    assert cases["BraTS-GLI-00002-000"].flair.name == "BraTS-GLI-00002-000-t2f.nii.gz"
