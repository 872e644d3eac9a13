"""The commands as a person types them, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FRONTAL, SAMPLES


def gliowatch(*words: str | Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gliowatch", *map(str, words)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


def test_help_loads_no_heavy_package(tmp_path: Path) -> None:
    code = (
        "import sys, gliowatch\n"
        "sys.argv = ['gliowatch', '--help']\n"
        "try: gliowatch.main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'aiohttp', 'pydantic', 'nibabel'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in ("run", "segment", "measure", "info", "records", "train", "evaluate"):
        assert f"  {name} " in done.stdout


def test_the_daemon_and_the_viewer_load_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, daemon.supervisor, viewer.app\n"
        "assert 'torch' not in sys.modules and 'model.network.network' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [["measure"], ["measure", "gone.nii"], ["nonsense"], ["run", "--settings", "gone.toml"]],
)
def test_a_usage_error_exits_2_with_one_sentence(tmp_path: Path, words: list[str]) -> None:
    done = gliowatch(*words, folder=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("gliowatch: ")


def test_a_misspelt_setting_stops_the_run_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[daemon]\ninbx = 'x'\n")
    done = gliowatch("run", "--once", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"gliowatch: There is no setting named daemon.inbx in {tmp_path / 'settings.toml'}:"
        " did you mean daemon.inbox?\n"
    )


def test_segment_and_measure_agree_and_touch_nothing(tmp_path: Path) -> None:
    before = FRONTAL.stat()
    done = gliowatch("segment", FRONTAL, "-o", "out", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert FRONTAL.stat().st_mtime_ns == before.st_mtime_ns
    folder = tmp_path / "out" / report["scan_id"]
    names = {path.name.removeprefix(report["scan_id"]) for path in folder.iterdir()}
    assert names == {
        "_seg.nii.gz",
        "_overlay.png",
        *(f"_lesion{number}.png" for number in range(1, len(report["lesions"]) + 1)),
        "_planes.png",
        "_montage.png",
        "_report.json",
        "_report.pdf",
        "_manifest.json",
        "source",
    }
    mask = folder / f"{report['scan_id']}_seg.nii.gz"
    measured = json.loads(
        gliowatch("measure", mask, "--scan", FRONTAL, "--json", folder=tmp_path).stdout
    )
    assert measured["volume_ml"] == report["volume_ml"]
    assert measured["volume_voxels"] == report["volume_voxels"]
    assert max(report["lesions"][0]["lobes"].items(), key=lambda lobe: lobe[1])[0] == "frontal"
    assert report["lesions"][0]["side"] == "right"
    for ours, theirs in zip(measured["lesions"], report["lesions"], strict=True):
        assert ours | {"mean_probability": 0} == theirs | {"mean_probability": 0}


def test_segment_goes_on_after_a_bad_file_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "bad.nii").write_text("no scan")
    picture = next((SAMPLES / "a-picture").iterdir())
    done = gliowatch("segment", "bad.nii", picture, "-o", "out", folder=tmp_path)
    assert done.returncode == 1
    assert "bad.nii: The file is not a NIfTI image" in done.stderr
    assert "Research use only" in done.stdout
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_info_tells_versions_weights_and_settings(tmp_path: Path) -> None:
    content = json.loads(gliowatch("info", "--json", folder=tmp_path).stdout)
    assert content["gliowatch"]
    assert len(content["model"]["weights_sha256"]) == 64
    assert content["settings"]["daemon"]["rest_seconds"] == 10


def test_train_makes_weights_that_evaluate_takes(tmp_path: Path) -> None:
    from tests.training.test_loop import write_case

    for seed, name in enumerate("abcd"):
        write_case(tmp_path / "data", name, seed)
    (tmp_path / "settings.toml").write_text(
        "[training]\nsteps = 2\nbatch = 2\nwidth = 2\nvalidation_share = 0.25\n"
    )
    done = gliowatch("train", "--data", "data", "-o", "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"latest_checkpoint.pth", "best_model.pth", "weights.safetensors"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert not set(split["train"]) & set(split["validation"])
    weights = Path("run/weights.safetensors")
    words: list[str | Path] = [
        "evaluate",
        "--data",
        "data",
        "--weights",
        weights,
        "--json",
        "figures.json",
    ]
    words += ["--page", "page.png"]
    assert gliowatch(*words, folder=tmp_path).returncode == 0
    assert json.loads((tmp_path / "figures.json").read_text())["patients"] == 4
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert (tmp_path / "run" / "curve.png").stat().st_size > 5_000
