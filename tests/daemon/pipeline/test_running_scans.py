"""Two scans at a time, and `gliowatch bench --batch` through the real daemon."""

import asyncio
import json
import shutil
import time
from pathlib import Path

import pytest

from daemon.pipeline.running_scans import KeyedLocks
from daemon.settings import Settings
from model.errors import GliowatchError
from model.inference.input_check import load_input_check
from model.network.network import load_network
from tests.conftest import SAMPLES, reports, running_daemon, until
from tools.bench.daemon_batch import BenchDaemon, BenchStalled, bench_batch
from tools.bench.scan_stages import bench_scan
from tools.bench.speed_page import BEGIN, END, NoPlaceForFigures, lines_of, main
from tools.bench.targets import COLD, MEGABYTES, SEGMENT, WARM, batch_ratios, waiting_ratios

PICTURE = next((SAMPLES / "a-picture").iterdir())


async def test_of_one_scan_under_two_patients_the_second_says_so(hospital: Settings) -> None:
    """Both are begun at once; the second is analyzed when the first is entered."""
    assert hospital.daemon.slots == 2
    for patient in ("P", "Q"):
        shutil.copytree(SAMPLES / "a-picture", hospital.daemon.inbox / patient)
    async with running_daemon(hospital):
        await until(lambda: len(reports(hospital)) == 2)
    assert sum("filed_twice" in str(each["quality"]) for each in reports(hospital)) == 1


async def test_turns_are_taken_by_key_and_locks_go_with_who_holds_them() -> None:
    turns, ended = KeyedLocks(), []

    async def work(key: str, name: str, seconds: float) -> None:
        async with turns.of(key):
            await asyncio.sleep(seconds)
            ended.append(name)

    began = time.monotonic()
    await asyncio.gather(work("a", "1", 0.3), work("a", "2", 0.0), work("b", "3", 0.1))
    assert ended == ["3", "1", "2"]
    assert time.monotonic() - began < 5
    assert not turns._locks


@pytest.mark.long
def test_a_batch_goes_through_the_real_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_weights: Path
) -> None:
    monkeypatch.setenv("GLIOWATCH_MODEL__WEIGHTS", str(small_weights))
    monkeypatch.setattr("tools.bench.daemon_batch.ONE_BY_ONE", 2)
    taken = bench_scan(
        PICTURE, tmp_path / "files", load_network(small_weights), load_input_check(0.0)
    )
    taken.write_files()
    told: list[int] = []
    found = bench_batch(taken, 4, tmp_path, told.append)
    assert told[-1] == 4
    assert found["scans_per_hour"] == pytest.approx(3600 * 4 / found["seconds"], rel=0.1)
    assert set(found["processor_seconds"]) == set(MEGABYTES)
    assert found["processor_seconds"]["workers"] > found["model_seconds"] > 0
    met = {each["what"]: each.get("met") for each in found["ratios"]}
    assert met["memory of the workers, MB"]
    assert "P00003" in {path.name for path in (tmp_path / "daemon" / "outbox").iterdir()}


def test_a_daemon_that_cannot_begin_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIOWATCH_MODEL__WEIGHTS", str(tmp_path / "none"))
    with BenchDaemon(tmp_path / "daemon") as daemon, pytest.raises(BenchStalled):
        daemon.wait_for(1, 0.05)


def test_a_batch_is_held_against_the_model_alone() -> None:
    held = dict.fromkeys(MEGABYTES, 100_000_000)
    found = {
        each["what"]: each["value"] for each in batch_ratios(2.0, (0.8, 1.5), 2.0, 3.5, 2, held)
    }
    assert found["batch, scans per hour against the model alone"] == 0.8
    assert found["the model's share of processor seconds, likewise"] == 1.0
    assert found["the same with PDF, DICOM objects and atlas registration"] == 0.4
    assert found["memory of the viewer, MB"] == 100
    waited = waiting_ratios({WARM: 2.5, SEGMENT: 4.0, COLD: 1.5}, 30)
    assert [each["met"] for each in waited] == [False, True, False]


def test_the_page_of_speed_is_written_between_its_marks(tmp_path: Path) -> None:
    row = {"name": "model", "median": 0.5, "low": 0.4, "high": 0.6, "rounds": 7}
    ratios = [
        {"what": "fast", "value": 0.5, "at_least": 0.9, "met": False},
        {"what": "small", "value": 1.0, "at_most": 2.0, "met": True},
        {"what": "told", "value": 0.1},
    ]
    content = {
        "machine": {"threads": 2, "load": 1.1},
        "scans": [{"slices": 30, "rows": [row], "ratios": ratios}],
    }
    lines = lines_of(content)
    assert "Other programs were running" in lines[0]
    assert "| 30 slices: fast | 0.5 | at least 0.9 | **missed** |" in lines
    assert "| 30 slices: small | 1.0 | at most 2.0 | met |" in lines
    assert "| 30 slices: told | 0.1 |  |  |" in lines
    assert "| 30 slices: model | 500.0 | 400.0 to 600.0 | 7 |" in lines
    figures, page = tmp_path / "speed.json", tmp_path / "speed.md"
    figures.write_text(json.dumps(content))
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    main(figures, page)
    main(figures, page)
    assert page.read_text() == "\n".join(["before", BEGIN, *lines, END, "after", ""])
    assert page.with_suffix(".png").stat().st_size > 1000
    page.write_text("nothing")
    with pytest.raises(NoPlaceForFigures) as refused:
        main(figures, page)
    assert isinstance(refused.value, GliowatchError)
