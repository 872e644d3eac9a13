"""What a person waits for at the prompt: a command in a fresh process, and the engine's start."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from daemon.bench_daemon import ROOT
from daemon.bench_targets import COLD, SEGMENT
from model.timing import Row

START = "from model.loading import load_network; load_network(device='cpu')"


def shell_rows(scan: Path, folder: Path) -> tuple[Row, ...]:
    """`gliowatch segment` of a scan; import and load of the engine; each with Python's start."""

    def segment() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as target:
            _run("-m", "gliowatch", "segment", str(scan), "-o", target)

    return Row(SEGMENT, segment), Row(COLD, lambda: _run("-c", START))


def _run(*words: str) -> None:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
