"""`gliowatch bench`: rows in turn, the work of a network counted, ratios held against targets."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from model.network.network import load_network
from model.network.unet import UNet
from model.reading.read import read, scan_at
from model.weights_config import SEED_SHAPE, UNetShape
from tests.conftest import SAMPLES
from tools.bench import bench, training_step
from tools.bench.bench import common_rows, print_bench, training_rows
from tools.bench.scan_stages import MODEL, PDF, WHOLE
from tools.bench.targets import (
    COMMON,
    LOADER,
    OURS_COMMON,
    PLAIN_STEP,
    STEP,
    ratios_of,
    training_ratios,
)
from tools.bench.timing import FEWEST, Row, gflop_of_slice, interleaved

PICTURE = next((SAMPLES / "a-picture").iterdir())


def test_rows_run_in_turn_and_the_first_round_does_not_count() -> None:
    ran: list[str] = []
    rows = [Row("a", lambda: ran.append("a")), Row("b", lambda: ran.append("b"), times=1e9)]
    told: list[None] = []
    found = interleaved(rows, 5, 60, lambda: told.append(None))
    assert "".join(ran) == "ab" * 6
    assert len(told) == 12
    assert [(each.name, each.rounds) for each in found] == [("a", 5), ("b", 5)]
    assert all(each.low <= each.median <= each.high for each in found)
    assert found[1].median > found[0].median  # of a part, told for the whole
    assert interleaved(rows, 50, 0, lambda: None)[0].rounds == FEWEST


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [(UNetShape(), 160, 144), (UNetShape(width=8, levels=4, stem=2), 64, 96), (SEED_SHAPE, 32, 32)],
)
def test_the_work_is_that_of_all_convolutions(shape: UNetShape, rows: int, columns: int) -> None:
    total = 0.0

    def count(layer: nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d)
        total += 2 * layer.weight[0].numel() * output.numel()

    net = UNet(shape).eval()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        net(torch.zeros(1, shape.inputs, rows, columns))
    assert gflop_of_slice(shape, rows, columns) == pytest.approx(total / 1e9)


def test_ratios_say_what_was_reached_and_what_is_wanted() -> None:
    seconds = {MODEL: 1.0, WHOLE: 9.0, PDF: 0.2, COMMON: 9.0, OURS_COMMON: 1.3}
    found = {each["what"]: each for each in ratios_of(seconds, 0.25, 85.0, 100.0, 155)}
    assert {what: each["met"] for what, each in found.items()} == {
        "model stage, share of the GEMM peak": False,
        "outside the model, seconds": True,
        "report.pdf, seconds": True,
        "the same network, times as fast as the common way": False,
        "as shipped, times as fast as the common way": True,
    }
    assert found["outside the model, seconds"]["at_most"] == 0.3
    few = {each["what"]: each for each in ratios_of(seconds, 0.25, 95.0, 100.0, 20)}
    assert few["outside the model, seconds"]["at_most"] == 0.2
    assert not few[f"{WHOLE}, seconds"]["met"]
    steps = {f"small{STEP}": 1.0, f"small{PLAIN_STEP}": 0.9, f"small{LOADER}": 0.2}
    assert [(each["value"], each["met"]) for each in training_ratios(steps)] == [
        (1.125, True),
        (0.2, False),
    ]


def test_the_names_of_rows_are_those_that_ratios_look_for() -> None:
    assert (training_step.OURS, training_step.COMMON) == (OURS_COMMON, COMMON)
    named = tuple(
        f", {each}" for each in (training_step.OUR_STEP, training_step.PLAIN, training_step.LOADER)
    )
    assert named == (STEP, PLAIN_STEP, LOADER)


def test_a_scan_is_timed_from_its_file_to_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr("tools.bench.timing.SIDE", 256)
    monkeypatch.setattr(training_step, "SIZES", {"small": (2, 2, 2)})
    said: list[str] = []
    bench.bench_visibly(PICTURE, common_rows, training_rows, 0, True, said.append)
    content = json.loads("\n".join(said))
    (scan,) = content["scans"]
    seconds = {row["name"]: row["median"] for row in scan["rows"]}
    assert {MODEL, WHOLE, COMMON, OURS_COMMON, "GEMM", "read", "mask", "report.json"} <= set(
        seconds
    )
    assert min(seconds.values()) > 0
    assert seconds[WHOLE] > seconds[MODEL]
    assert scan["judged_slices"] == 1
    assert len(content["training"]["rows"]) == 3
    assert PICTURE.name not in said[0]
    assert not list(tmp_path.iterdir())


def test_without_torch_the_table_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_weights: Path
) -> None:
    monkeypatch.setattr("tools.bench.bench.find_spec", lambda name: None)
    assert common_rows(read(scan_at(PICTURE)), load_network(small_weights), tmp_path) == ()
    row = {"name": MODEL, "median": 0.5, "low": 0.4, "high": 0.6, "rounds": 7}
    ratios = ratios_of({MODEL: 0.5, WHOLE: 1.0}, 0.5, 10.0, 100.0, 20)
    scan = {"scan": "x", "slices": 20, "judged_slices": 18, "gemm_gflop_per_s": 100.0}
    said: list[str] = []
    scans = [scan | {"rows": [row], "ratios": ratios}]
    print_bench({"machine": {"threads": 2, "load": 1.5}, "scans": scans}, said.append)
    assert said[1].startswith("Other programs were running")
    assert "500.0" in said[5]
    assert "400.0 to 600.0" in said[5]
    assert said[6].endswith("0.2, at least 0.9 wanted: MISSED")
    assert said[-1].startswith("The common way was not measured")
