"""The house itself: imports run one way, rooms are ours, and the wheel holds all that is needed."""

import importlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, SAMPLES

ROOMS = ("daemon", "viewer", "model", "training")
BREAKS = {
    "model imports daemon": ("model/volume.py", "import daemon.drops"),
    "daemon imports viewer": ("daemon/drops.py", "import viewer.routes"),
    "training imports daemon": ("training/metrics.py", "import daemon.drops"),
    "viewer imports torch": ("viewer/templating.py", "import torch"),
    "the worker imports torch": ("daemon/pipeline/worker_tasks.py", "import torch"),
    "outputs import settings": ("daemon/outputs/scan_folder.py", "import daemon.settings"),
    "intake imports pipeline": ("daemon/intake/ingest.py", "import daemon.pipeline.outbox"),
    "a room imports tools": ("daemon/supervisor.py", "import tools.bench.timing"),
    "the pipeline imports the node": (
        "daemon/pipeline/outbox.py",
        "import daemon.dicom_node.staging",
    ),
    "processing imports sqlite3": ("daemon/pipeline/scan_pipeline.py", "import sqlite3"),
}


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_this_repositorys_own(room: str) -> None:
    file = importlib.import_module(room).__file__
    assert file is not None
    assert Path(file) == ROOT / room / "__init__.py"


@pytest.mark.parametrize("broken", BREAKS)
def test_the_layer_contracts_fail_when_broken(tmp_path: Path, broken: str) -> None:
    for room in (*ROOMS, "tools"):
        ignore = shutil.ignore_patterns("__pycache__", "*.safetensors", "static")
        shutil.copytree(ROOT / room, tmp_path / room, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert _lint_imports(tmp_path) == 0
    name, line = BREAKS[broken]
    target = tmp_path / name
    target.write_text(f"{line}\n{target.read_text()}")
    assert _lint_imports(tmp_path) == 1


def _lint_imports(folder: Path) -> int:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def test_the_wheel_ships_weights_pages_and_the_front_door(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "gliowatch.py",
        "model/weights/flair_unet.safetensors",
        "model/weights/flair_gate.safetensors",
        "model/measurement/lobes.npz",
        "training/tissues.npz",
        "viewer/templates/worklist.html",
        "viewer/static/gliowatch.css",
        "daemon/report.schema.json",
        "daemon/settings.toml",
        "daemon/outputs/fonts/DroidSansFallback.ttf",
        "daemon/index/migrations/index/0001_drops_files_scans.sql",
        "daemon/index/migrations/records/0001_patients.sql",
        "tools/bench/bench.py",
    } <= names
    assert not [name for name in names if name.startswith(("tools/experiments", "tools/demo"))]
    assert not [name for name in names if name.startswith(("inbox", "outbox", "tests", "samples"))]


def test_an_installed_wheel_analyzes_from_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    picture = next((SAMPLES / "a-picture").iterdir())
    code = (
        "import sys, gliowatch, model; assert 'installed' in model.__file__, model.__file__\n"
        f"sys.argv = ['gliowatch', 'segment', {str(picture)!r}, '-o', 'out']\n"
        "gliowatch.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list((elsewhere / "out").glob("*/*_seg.png"))


@pytest.mark.parametrize("folder", ["viewer/static/vendor", "tests/vendor"])
def test_vendored_files_are_those_that_were_recorded(folder: str) -> None:
    import hashlib

    vendor = ROOT / folder
    lines = [line.split() for line in (vendor / "HASHES.txt").read_text().splitlines()]
    there = {path for path in vendor.rglob("*") if path.is_file()} - {vendor / "HASHES.txt"}
    assert {vendor / name for _, name in lines} == there
    for digest, name in lines:
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest


def test_the_model_card_names_the_shipped_weights() -> None:
    import hashlib

    weights = ROOT / "model" / "weights" / "flair_unet.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest in (ROOT / "MODEL_CARD.md").read_text()
    assert weights.stat().st_size < 40_000_000
