"""The wheel in an environment of its own, from `gliowatch init` to a report.

Only the wheel is installed there; its dependencies are those of this environment, by a path file.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import FRONTAL, ROOT

QUICK = {"GLIOWATCH_DAEMON__REST_SECONDS": "0.2", "GLIOWATCH_VIEWER__PORT": "0"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; its folder of programs."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    done([*pip, "wheel", *options, "-w", str(folder), str(ROOT)], folder)
    [wheel] = folder.glob("*.whl")
    done([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], folder)
    python = str(folder / "venv" / "bin" / "python")
    done([*pip, "--python", python, "install", "--no-deps", "--no-index", str(wheel)], folder)
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "venv" / "bin"


def done(command: list[str], folder: Path, **environment: str) -> str:
    """What a command that must succeed says, run where nothing of the repository is found."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ended = subprocess.run(
        command, cwd=folder, env=clean | environment, capture_output=True, text=True, timeout=250
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.long
@pytest.mark.timeout(600)
def test_from_init_to_a_report(environment: Path, tmp_path: Path) -> None:
    gliowatch = str(environment / "gliowatch")
    done([gliowatch, "init", "site"], tmp_path)
    site = tmp_path / "site"
    assert (site / "settings.toml").read_bytes() == (ROOT / "settings.toml").read_bytes()
    done([gliowatch, "config", "check"], site, **QUICK)
    (site / "inbox" / "P").mkdir()
    shutil.copy(FRONTAL, site / "inbox" / "P")
    done([gliowatch, "run", "--once"], site, **QUICK)
    [report] = site.glob("outbox/P/*/*_report.json")
    assert json.loads(report.read_text())["finding"] == "tumor"
    done([gliowatch, "verify"], site)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_all_that_is_imported_is_the_wheels_own(environment: Path, tmp_path: Path) -> None:
    names = ("daemon", "viewer", "model", "training", "tools.bench.bench", "gliowatch")
    code = f"import importlib; [print(importlib.import_module(n).__file__) for n in {names}]"
    found = done([str(environment / "python"), "-c", code], tmp_path).split()
    assert len(found) == len(names)
    assert all(Path(file).is_relative_to(environment.parent) for file in found), found
    assert "Example: gliowatch bench" in done(
        [str(environment / "gliowatch"), "bench", "--help"], tmp_path
    )
