"""The engine: it says what the network in torch says, of the same file, and needs no torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from model.errors import WeightsError
from model.inference.input_check import load_input_check
from model.inference.preprocessing import prepare
from model.network.network import load_network
from model.network.openvino_graphs import OpenVINOEngine, unet_graph
from model.network.unet import InputCheckNet, TorchEngine, UNet, fill
from model.network.weights_file import Member, read_safetensors, read_weights
from model.reading.nifti import read_nifti
from model.weights_config import SEED_SHAPE, UNetShape
from tests.conftest import FRONTAL, ROOT, SAMPLES

WEIGHTS = ROOT / "model" / "weights"
MOST = 1e-4  # largest difference of a probability, or of the input check's logits
SHAPES = {"folded": UNetShape(width=8, levels=4, stem=2), "the demo's": SEED_SHAPE}


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    """Slices of a real head between their neighbours, through its tumor."""
    network = load_network()
    prepared = prepare(read_nifti(FRONTAL), network.preparation)
    return network.inputs(prepared, np.arange(10, 19))


def drawn(shape: UNetShape) -> Member:
    """A network of chance that has seen something, so that no normalisation does nothing."""
    torch.manual_seed(3)
    net = UNet(shape).train()
    with torch.no_grad():
        for _ in range(5):
            net(torch.rand(2, shape.inputs, 32, 32))
        net.head.weight *= 50
    return Member(shape, {name: each.numpy() for name, each in net.state_dict().items()})


def test_the_shipped_network_analyzes_as_it_learned(images: NDArray[np.float32]) -> None:
    network = load_network(device="cpu")
    ours, theirs = network.engines[0](images), TorchEngine(network.members[0], "cpu")(images)
    assert ours.shape == theirs.shape == (9, 160, 144)
    assert theirs.max() > 0.9
    assert np.abs(ours - theirs).max() <= MOST


@pytest.mark.parametrize("name", SHAPES)
def test_networks_of_other_shapes_analyze_as_they_learned(name: str) -> None:
    shape = SHAPES[name]
    member = drawn(shape)
    pictures = np.random.default_rng(1).random((3, shape.inputs, 96, 64), np.float32)
    ours = OpenVINOEngine(unet_graph(shape, member.tensors, 96, 64))(pictures)
    theirs = TorchEngine(member, "cpu")(pictures)
    assert np.ptp(theirs) > 0.2
    assert np.abs(ours - theirs).max() <= MOST


def test_the_shipped_input_check_analyzes_as_it_learned(images: NDArray[np.float32]) -> None:
    input_check = load_input_check(0.5)
    net = InputCheckNet(input_check.shape)
    fill(net, read_safetensors(WEIGHTS / "flair_gate.safetensors")[1])
    with torch.inference_mode():
        theirs = net(torch.from_numpy(images[:, :1])).numpy()
    assert np.abs(input_check.engine(images[:, :1]) - theirs).max() <= MOST


def test_networks_that_do_not_belong_together_differ(images: NDArray[np.float32]) -> None:
    member = read_weights(WEIGHTS / "flair_unet.safetensors").members[0]
    analyzed = TorchEngine(member, "cpu")(images)
    for name in ("encoder.0.0.weight", "decoder.3.1.running_mean", "head.bias"):
        changed = member.tensors | {name: member.tensors[name] * np.float32(1.02)}
        other = OpenVINOEngine(unet_graph(member.shape, changed, 160, 144))(images)
        assert np.abs(other - analyzed).max() > MOST, name


def test_neither_threads_nor_company_change_an_answer(images: NDArray[np.float32]) -> None:
    one, two = (load_network(device="cpu", threads=count).engines[0] for count in (1, 2))
    assert np.array_equal(one(images), two(images))
    assert np.array_equal(one(images)[4:5], two(images[4:5]))
    assert two(images[:0]).shape == (0, 160, 144)


@pytest.mark.parametrize("wrong", ["one too many", "one too few", "no number", "wider", "variance"])
def test_weights_of_another_network_are_refused(
    wrong: str, small_weights: Path, tmp_path: Path
) -> None:
    header, tensors = read_safetensors(small_weights)
    name = "encoder.0.1.running_var"
    if wrong == "one too many":
        tensors["encoder.9.0.weight"] = tensors["encoder.0.0.weight"]
    elif wrong == "one too few":
        del tensors[name]
    elif wrong == "wider":
        header["shape"] = header["shape"].replace('"width": 2', '"width": 1')
    else:
        tensors[name] = np.full_like(tensors[name], {"no number": np.nan, "variance": -1}[wrong])
    save_file(tensors, tmp_path / "w.safetensors", metadata=header)
    with pytest.raises(WeightsError, match="belongs to another network"):
        load_network(tmp_path / "w.safetensors")


def without_torch(*words: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    """`gliowatch` where torch cannot be imported, nor OpenVINO's telemetry."""
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'monai', 'matplotlib', 'openvino_telemetry'):\n"
        "            raise ModuleNotFoundError('missing', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import gliowatch; gliowatch.main()"
    )
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_running_needs_no_torch_and_training_says_that_it_does(tmp_path: Path) -> None:
    picture = next((SAMPLES / "a-picture").iterdir())
    done = without_torch("segment", picture, "-o", "out", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert report["finding"] == "tumor"
    assert report["model"]["weights_sha256"] == load_network().sha256
    assert without_torch("info", folder=tmp_path).returncode == 0
    for words in (
        ["segment", picture, "-o", "seen", "--explain"],
        ["train", "--data", tmp_path, "-o", "run"],
        ["evaluate", "--data", tmp_path],
    ):
        refused = without_torch(*words, folder=tmp_path)
        assert refused.returncode == 2, words
        assert refused.stderr == (
            "gliowatch: This needs packages of training: pip install 'gliowatch[train]'.\n"
        )


def test_a_checkpoint_without_torch_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "best_model.pth").write_bytes(b"any")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WeightsError, match="torch, which is not installed"):
        load_network(tmp_path / "best_model.pth", device="cpu")
