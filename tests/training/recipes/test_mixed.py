"""The recipe mixed: its batches, going on after a kill, its folds, and what the command refuses."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.network.network import load_network
from model.network.unet import UNet
from model.weights_config import SEED_SHAPE, STANDARD
from tests.training.cached_heads import BRATS, CUBE, FREE, IN_PLACE, LGG
from tests.training.test_loop import COLUMNS, ROWS, KilledError
from training.augmentation.painted_lesions import LESIONS
from training.cache import HOW
from training.datasets import DatasetError, Split
from training.folds import read_folds
from training.loop import BEST, LATEST, Limits, Progress, Training, load_checkpoint
from training.preparation import arrays_of, save_cache
from training.recipes import mixed
from training.recipes.mixed import MixedBatches, MixedShares, mixed_fold, mixed_method
from training.recipes.standard import StandardPlan
from training.train import Request, Watch
from training.train import train as train_recipe

PLAN = StandardPlan(steps=4, batch=2, check_every=4, width=2, coarse_share=0.5)
WATCH = Watch(lambda total: None, lambda progress: None)


def test_a_mixed_batch_follows_from_seed_and_step_and_free_heads_have_no_tumor() -> None:
    batches = MixedBatches([LGG, BRATS, FREE], [CUBE], MixedShares(scanner=0.5, pictures=0.5))
    images, masks = batches.draw(3, 4, 7, 0.1)
    again, _ = batches.draw(3, 4, 7, 0.1)
    assert torch.equal(images, again)
    assert images.shape == (4, 3, ROWS, COLUMNS)
    assert masks.shape == (4, 1, ROWS, COLUMNS)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    alone = MixedBatches([FREE], [CUBE], MixedShares())
    assert not any(bool(alone.draw(step, 4, 7, 0.1)[1].any()) for step in range(3))


def train(folder: Path, resume: bool = False, kill_at: int = 0) -> None:
    def report(progress: Progress) -> None:
        if progress.step == kill_at:
            raise KilledError

    method = mixed_method(PLAN, MixedShares(), [LGG, FREE], [CUBE], [BRATS, FREE])
    limits = Limits(save_minutes=0.0)
    Training(method, limits, Split(("l", "n"), ("b",)), folder, {}).run(report, resume)


def test_a_killed_run_goes_on_from_the_last_minutes_checkpoint(tmp_path: Path) -> None:
    train(tmp_path / "whole")
    with pytest.raises(KilledError):
        train(tmp_path / "killed", kill_at=3)
    assert load_checkpoint(tmp_path / "killed" / LATEST)["step"] == 3
    train(tmp_path / "killed", resume=True)
    whole, killed = (load_checkpoint(tmp_path / run / LATEST) for run in ("whole", "killed"))
    for name, value in whole["net"].items():
        assert torch.equal(value, killed["net"][name]), name
    assert whole["plan"]["share_notumor"] == MixedShares().notumor


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Made-up heads by the names of the frozen folds."""
    arrays: dict[str, NDArray[np.generic]] = {HOW: np.array(json.dumps(asdict(STANDARD)))}
    heads = {"lgg": LGG, "brats": BRATS, "notumor": FREE}
    for part in read_folds().parts:
        for kind, head in heads.items():
            for name in part[kind]:
                arrays |= arrays_of(replace(head, patient=name))
                arrays |= {f"{name}/kind": np.array(kind), f"{name}/to_mni": IN_PLACE}
    arrays[f"{LESIONS}/patient03/drawn"] = CUBE.drawn
    arrays[f"{LESIONS}/patient03/corner"] = CUBE.corner
    save_cache(arrays, tmp_path / "cache.npz")
    return tmp_path / "cache.npz"


@pytest.fixture
def request_of_fold_1(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    monkeypatch.setattr(mixed, "MIXED_PLAN", PLAN)
    return Request(tmp_path, tmp_path / "run", None, 0.2, False, "mixed", 1, cache=cache)


def test_a_fold_is_trained_from_the_cache_alone(request_of_fold_1: Request) -> None:
    train_recipe(request_of_fold_1, StandardPlan(), Limits(), WATCH)
    split, folder = read_folds().split(1), request_of_fold_1.target
    assert json.loads((folder / "split.json").read_text())["validation"] == list(split.validation)
    saved = load_checkpoint(folder / LATEST)
    assert saved["split_sha256"] == split.digest
    assert saved["origin"]["fold"] == "1"
    assert (folder / "weights.safetensors").exists()
    assert not (folder / "cache.npz").exists()
    train_recipe(replace(request_of_fold_1, resume=True), StandardPlan(), Limits(), WATCH)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"fold": None}, "folds of its own"),
        ({"split_file": Path("split.json")}, "folds of its own"),
    ],
)
def test_what_does_not_go_together_is_refused(
    request_of_fold_1: Request, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DatasetError, match=sentence):
        train_recipe(replace(request_of_fold_1, **change), StandardPlan(), Limits(), WATCH)


def test_a_run_goes_on_from_weights_of_its_own_preparation_alone(
    request_of_fold_1: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_recipe(request_of_fold_1, StandardPlan(), Limits(), WATCH)
    first = request_of_fold_1.target / "weights.safetensors"
    still = replace(PLAN, rate=0.0, steps=1, average=0.0)
    monkeypatch.setattr(mixed, "FURTHER_PLAN", still)
    further = replace(request_of_fold_1, target=tmp_path / "further", start=first)
    train_recipe(further, StandardPlan(), Limits(), WATCH)
    known, gone_on = load_network(first), load_network(further.target / BEST)
    for name, value in known.members[0].tensors.items():
        if name.endswith(("weight", "bias")):
            assert np.array_equal(gone_on.members[0].tensors[name], value), name
    origin = load_checkpoint(further.target / BEST)["origin"]
    assert origin["started_from"] == known.sha256
    torch.save({"model_state_dict": UNet(SEED_SHAPE).state_dict()}, tmp_path / "demo.pth")
    of_the_demo = replace(further, target=tmp_path / "demo", start=tmp_path / "demo.pth")
    with pytest.raises(DatasetError, match="Only weights of the recipes standard and mixed"):
        train_recipe(of_the_demo, StandardPlan(), Limits(), WATCH)


def test_a_cache_that_lacks_scans_is_left_as_it_is(request_of_fold_1: Request) -> None:
    assert request_of_fold_1.cache is not None
    save_cache(arrays_of(LGG), request_of_fold_1.cache)
    before = request_of_fold_1.cache.read_bytes()
    with pytest.raises(DatasetError, match="lacks scans"):
        train_recipe(request_of_fold_1, StandardPlan(), Limits(), WATCH)
    assert request_of_fold_1.cache.read_bytes() == before


def test_fold_0_puts_nobody_aside(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "MIXED_PLAN", PLAN)
    split, method = mixed_fold(cache, 0)
    assert (len(split.train), split.validation) == (134, ())
    assert np.isnan(method.score(method.build()))
