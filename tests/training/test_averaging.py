"""The mean of two networks: between both, of one shape, and it says what it was made of."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from model.network.weights_file import read_safetensors
from training.averaging import average
from training.datasets import DatasetError

HEADER = {"origin": '{"git": "a"}', "plan": '{"steps": 3}', "certainty": "kept"}


def written(path: Path, value: float, shape: tuple[int, ...] = (2, 3)) -> Path:
    save_file({"w": np.full(shape, value, np.float16)}, path, metadata=HEADER)
    return path


def test_it_lies_between_both_and_names_them(tmp_path: Path) -> None:
    one, other = written(tmp_path / "1", 1.0), written(tmp_path / "2", 3.0)
    digest = average(one, other, 0.25, tmp_path / "mean")
    header, tensors = read_safetensors(tmp_path / "mean")
    assert np.array_equal(tensors["w"], np.full((2, 3), 1.5))
    assert header["certainty"] == "kept"
    origin = json.loads(header["origin"])
    assert len(set(origin["mean_of"])) == 2
    assert (origin["share_of_second"], origin["second_plan"]) == (0.25, {"steps": 3})
    assert len(digest) == 64


def test_other_shapes_are_refused(tmp_path: Path) -> None:
    one, other = written(tmp_path / "1", 1.0), written(tmp_path / "2", 3.0, (3, 2))
    with pytest.raises(DatasetError, match="one shape"):
        average(one, other, 0.5, tmp_path / "mean")
