"""Five folds, weights in one file, evaluation out of fold, fine-tuning, the input check."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from model.errors import WeightsError
from model.inference.preprocessing import prepare
from model.network.network import Network, load_network
from model.network.unet import UNet
from model.network.weights_file import Member
from model.reading.nifti import read_nifti
from model.weights_config import (
    SEED,
    SEED_SHAPE,
    STANDARD,
    UNetShape,
)
from tests.training.test_loop import write_case
from training.datasets import FOLDS, DatasetError, find_cases, folds_of, split_by_fold
from training.loop import BEST, Limits, load_checkpoint, save_checkpoint
from training.recipes.standard import StandardPlan, coarser, standard_method
from training.recipes.synthetic_contrasts import draw_slice, flair_contrast, other_contrast
from training.release import _ship
from training.train import Request, Watch, train

PLAN = StandardPlan(steps=4, batch=2, check_every=4, width=2)
WATCH = Watch(lambda total: None, lambda progress: None)
PATIENTS = tuple("abcde")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(PATIENTS):
        write_case(folder, name, seed)
    return folder


def seeing_bright(level: float) -> UNet:
    """A network, set by hand, that gives tumor what is brighter than `level` (0 to 1)."""
    net = UNet(UNetShape(width=PLAN.width, levels=2)).eval()
    tensors = {k: v * (v.dim() != 4) for k, v in net.state_dict().items()}
    tensors["encoder.0.0.weight"][0, 1, 1, 1] = 1  # the slice itself, between its neighbours
    for name in ("encoder.0.3", "decoder.0.0", "decoder.0.3"):  # in the decoder the skip is first
        tensors[f"{name}.weight"][0, 0, 1, 1] = 1
    tensors["head.weight"][0, 0] = 40
    tensors["head.bias"][0] = -40 * level
    net.load_state_dict(tensors)
    return net


def learned(member: Member) -> list[str]:
    """Names of what steps change; the statistics of normalisation follow what is seen."""
    return [name for name in member.tensors if "running" not in name and "num_" not in name]


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The checkpoints of five folds, whose networks look for different brightness."""
    folder = tmp_path_factory.mktemp("runs")
    for fold in range(1, FOLDS + 1):
        net = seeing_bright(0.3 + 0.05 * fold)
        (folder / str(fold)).mkdir()
        content = {
            "model_state_dict": net.state_dict(),
            "shape": net.shape.as_dict(),
            "preparation": asdict(STANDARD),
            "plan": {"recipe": "standard", "seed": PLAN.seed},
            "split_sha256": split_by_fold(PATIENTS, fold, PLAN.seed).digest,
            "origin": {"git": "test"},
            "step": 1,
            "validation_dice": 0.5,
        }
        save_checkpoint(content, folder / str(fold) / BEST)
    return [folder / str(fold) for fold in range(1, FOLDS + 1)]


@pytest.fixture(scope="module")
def shipped(data: Path, runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights file that the command makes of five runs."""
    folder = tmp_path_factory.mktemp("shipped")
    split = folder / "split.json"
    split.write_text(json.dumps({"development": PATIENTS}))
    command = [sys.executable, "-m", "training.release", "--data", data, "--split", split]
    command += ["-o", folder / "five.safetensors", "--json", folder / "figures.json", *runs]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "five.safetensors"


def test_each_patient_is_left_out_once_and_fold_0_leaves_out_none() -> None:
    patients = tuple(f"p{n}" for n in range(85))
    folds = [split_by_fold(patients, fold, 7) for fold in range(1, FOLDS + 1)]
    assert sorted(name for fold in folds for name in fold.validation) == sorted(patients)
    for fold in folds:
        assert not set(fold.train) & set(fold.validation)
        assert len(fold.validation) == 17
    everybody = split_by_fold(patients, 0, 7)
    assert set(everybody.train) == set(patients)
    assert everybody.validation == ()
    with pytest.raises(DatasetError, match="fewer than 5"):
        split_by_fold(("a", "b"), 1, 7)


def test_a_fold_is_trained_without_its_patients(data: Path, tmp_path: Path) -> None:
    request = Request(data, tmp_path / "run", None, 0.2, False, fold=2)
    train(request, PLAN, Limits(), WATCH)
    aside = split_by_fold(PATIENTS, 2, PLAN.seed)
    assert json.loads((tmp_path / "run" / "split.json").read_text()) == {
        "train": list(aside.train),
        "validation": list(aside.validation),
        "test": [],
    }
    assert load_checkpoint(tmp_path / "run" / BEST)["split_sha256"] == aside.digest
    assert load_network(tmp_path / "run" / "weights.safetensors").members[0].shape.stem == PLAN.stem


def test_five_runs_become_one_file_with_its_certainty(shipped: Path, runs: list[Path]) -> None:
    network = load_network(shipped)
    assert len(network.members) == len(network.engines) == len(network.splits) == FOLDS
    assert network.fast < FOLDS
    assert network.certainty is not None
    kept = load_checkpoint(runs[3] / BEST)["model_state_dict"]
    for name, value in network.members[3].tensors.items():
        assert np.array_equal(value, kept[name].half().float().numpy()), name
    figures = json.loads((shipped.parent / "figures.json").read_text())
    assert figures["patients"] == len(PATIENTS)
    assert 0 <= figures["covered"] <= 1


def test_another_run_may_analyze_with_what_the_folds_measured(
    data: Path, runs: list[Path], tmp_path: Path
) -> None:
    saved = [load_checkpoint(run / BEST) for run in runs]
    wider = UNet(UNetShape(width=3, levels=3))
    analyze = saved[0] | {"model_state_dict": wider.state_dict(), "shape": wider.shape.as_dict()}
    _ship(find_cases(data), {"development": PATIENTS}, saved, analyze, tmp_path / "w.safetensors")
    network = load_network(tmp_path / "w.safetensors")
    assert [member.shape.width for member in network.members] == [3]
    assert network.certainty is not None
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_best_asks_all_members_and_fast_the_first_ones(shipped: Path, data: Path) -> None:
    network = replace(load_network(shipped), certainty=None)
    prepared = prepare(read_nifti(data / "a" / "a_flair.nii.gz"), network.preparation)

    def mean_of(count: int, best: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        alone = [network.member(n).probabilities(prepared, best) for n in range(count)]
        return np.asarray(np.mean(alone, axis=0), np.float32)

    fast = network.probabilities(prepared, best=False)
    assert np.allclose(fast, mean_of(network.fast, False), atol=1e-6)
    assert np.allclose(network.probabilities(prepared, best=True), mean_of(FOLDS, True), atol=1e-6)
    assert not np.allclose(fast, mean_of(1, False), atol=1e-3)


def test_out_of_fold_each_patient_has_the_network_that_left_it_out(shipped: Path) -> None:
    network = load_network(shipped)
    members = folds_of(PATIENTS, 7, network.splits)
    for name, number in members.items():
        assert name in split_by_fold(PATIENTS, number + 1, 7).validation
    with pytest.raises(DatasetError, match="five folds"):
        folds_of((*PATIENTS, "f"), 7, network.splits)
    with pytest.raises(DatasetError, match="five folds"):
        folds_of(PATIENTS, 7, ())


@pytest.mark.long
def test_the_command_evaluates_out_of_fold(shipped: Path, small_weights: Path, data: Path) -> None:
    command = [sys.executable, "-m", "gliowatch", "evaluate", "--data", str(data)]
    command += ["--weights", str(shipped), "--out-of-fold"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "5 patients" in done.stdout, done.stderr
    command[command.index(str(shipped))] = str(small_weights)
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "five folds" in refused.stderr


def test_fine_tuning_starts_from_the_given_weights(
    shipped: Path, data: Path, tmp_path: Path
) -> None:
    still = replace(PLAN, rate=0.0, steps=1, average=0.0)
    request = Request(data, tmp_path / "run", None, 0.2, False, start=shipped)
    train(request, still, Limits(), WATCH)
    tuned = load_network(tmp_path / "run" / "weights.safetensors").members[0]
    first = load_network(shipped).members[0]
    for name in learned(first):
        assert np.array_equal(tuned.tensors[name], first.tensors[name]), name
    saved = load_checkpoint(tmp_path / "run" / BEST)
    assert saved["origin"]["started_from"] == load_network(shipped).sha256


def test_another_round_goes_on_and_is_checked_on_nobody_it_knows(
    shipped: Path, data: Path, tmp_path: Path
) -> None:
    first = Request(data, tmp_path / "first", None, 0.2, False, fold=1)
    train(first, PLAN, Limits(), WATCH)
    second = replace(first, target=tmp_path / "second", again=tmp_path / "first")
    still = replace(PLAN, rate=0.0, steps=1, average=0.0)
    train(second, still, Limits(), WATCH)
    ended, begun = (load_network(tmp_path / name / BEST).members[0] for name in ("first", "second"))
    for name in learned(ended):
        assert np.array_equal(begun.tensors[name], ended.tensors[name]), name
    train(replace(second, target=tmp_path / "all", fold=0), still, Limits(), WATCH)
    for wrong, said in (
        (replace(second, target=tmp_path / "a", fold=2), "learned from"),
        (replace(second, target=tmp_path / "b", start=shipped), "not from both"),
        (replace(second, target=tmp_path / "c", again=tmp_path), "no run"),
    ):
        with pytest.raises(DatasetError, match=said):
            train(wrong, PLAN, Limits(), WATCH)
    (tmp_path / "first" / "split.json").write_text('{"train": [], "validation": []}')
    with pytest.raises(DatasetError, match="not the one"):
        train(replace(second, target=tmp_path / "d"), PLAN, Limits(), WATCH)


def test_what_cannot_be_fine_tuned_or_resumed_is_refused(
    shipped: Path, data: Path, tmp_path: Path
) -> None:
    torch.save({"model_state_dict": UNet(SEED_SHAPE).state_dict()}, tmp_path / "demo.pth")
    for wrong in (
        Request(data, tmp_path / "a", None, 0.2, False, start=tmp_path / "demo.pth"),
        Request(data, tmp_path / "b", None, 0.2, False, start=shipped, recipe="seed"),
    ):
        with pytest.raises(DatasetError, match="standard and mixed can be trained further"):
            train(wrong, PLAN, Limits(), WATCH)
    run = Request(data, tmp_path / "run", None, 0.2, False, fold=1)
    train(run, PLAN, Limits(), WATCH)
    kept = (tmp_path / "run" / "split.json").read_bytes()
    with pytest.raises(DatasetError, match="another split"):
        train(replace(run, resume=True, fold=2), PLAN, Limits(), WATCH)
    assert (tmp_path / "run" / "split.json").read_bytes() == kept
    with pytest.raises(DatasetError, match="other settings"):
        train(replace(run, resume=True), replace(PLAN, rate=1e-3), Limits(), WATCH)


def test_a_run_that_puts_nobody_aside_still_gives_weights(
    shipped: Path, data: Path, tmp_path: Path
) -> None:
    request = Request(data, tmp_path / "run", None, 0.2, False, start=shipped, fold=0)
    train(request, PLAN, Limits(), WATCH)
    assert load_network(tmp_path / "run" / "weights.safetensors").fast == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x80\x04]."])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_hostile_weights_are_refused_in_a_sentence(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        load_network(tmp_path / name)


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    torch.save({"model_state_dict": Hostile()}, tmp_path / "best_model.pth")
    with pytest.raises(WeightsError, match="damaged"):
        load_network(tmp_path / "best_model.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "header", [{"members": "0"}, {"fast": "0"}, {"fast": "9"}, {"shapes": "[]"}]
)
def test_a_header_that_makes_no_sense_is_refused(
    header: dict[str, str], shipped: Path, tmp_path: Path
) -> None:
    with safe_open(shipped, "pt") as stored:
        about = stored.metadata() | header
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    save_file(tensors, tmp_path / "odd.safetensors", metadata=about)
    with pytest.raises(WeightsError, match="damaged"):
        load_network(tmp_path / "odd.safetensors")


def test_a_checkpoint_loads_as_weights_and_one_without_a_word_as_the_demos(
    runs: list[Path], tmp_path: Path
) -> None:
    ours = load_network(runs[0] / BEST)
    assert (ours.preparation, ours.members[0].shape.width) == (STANDARD, PLAN.width)
    torch.save({"model_state_dict": UNet(SEED_SHAPE).state_dict()}, tmp_path / "best_model.pth")
    demos: Network = load_network(tmp_path / "best_model.pth")
    assert demos.preparation == SEED
    assert demos.members[0].shape == SEED_SHAPE == UNetShape(inputs=1, width=64, levels=4)


def test_the_stem_folds_pixels_and_gives_them_back() -> None:
    net = UNet(UNetShape(width=2, levels=4, stem=2))
    images, masks = coarser(torch.rand(2, 3, 160, 144), torch.ones(2, 1, 160, 144), 16)
    assert images.shape == (2, 3, 80, 80)
    assert masks[..., 4:76].min() == 1
    assert masks[..., :4].max() == 0
    assert net(images).shape == (2, 1, 80, 80)


def test_levels_that_do_not_fit_are_refused_in_a_sentence() -> None:
    with pytest.raises(DatasetError, match="do not fit"):
        standard_method(replace(PLAN, levels=5, stem=2), [], [])


def test_drawn_slices_have_the_contrast_that_was_asked_for() -> None:
    chance = np.random.default_rng(3)
    for _ in range(20):
        flair, other = flair_contrast(chance), other_contrast(chance)
        assert flair.fluid < 0.6 * flair.white <= flair.grey
        assert (
            other.fluid > 0.75 * other.white
            or other.grey < 0.9 * other.white
            or other.grey > 2 * other.white  # blood flow
            or other.bone > 1.5  # CT
        )
        assert draw_slice(flair, chance).shape == (STANDARD.rows, STANDARD.columns)
