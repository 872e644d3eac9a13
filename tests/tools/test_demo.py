"""`make demo`: in any folder, never over somebody's files, and nothing goes on after its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT

# Stands for make: starts the demo as its child, tells its number, and waits.
MAKE = (
    "import subprocess, sys;"
    " child = subprocess.Popen([sys.executable, '-m', 'tools.demo'], stdout=subprocess.PIPE);"
    " [print(line.decode(), end='', flush=True) for line in child.stdout]"
)


@contextmanager
def demo_in(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKE],
        cwd=ROOT,
        env=os.environ | {"DEMO": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def at_work_in(folder: Path) -> list[int]:
    """The processes whose command or environment names the folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            about = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in about and int(place.name) != os.getpid():
            found.append(int(place.name))
    return found


def test_after_kill_9_of_what_started_the_demo_nothing_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "a demo"
    with demo_in(folder) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "/enter?token=" in line:
                break
        assert len(at_work_in(folder)) >= 4  # make, demo, daemon, viewer or worker
        os.kill(process.pid, signal.SIGKILL)
        end = time.monotonic() + 30
        while (left := at_work_in(folder)) and time.monotonic() < end:
            time.sleep(0.2)
        assert left == []
    assert list(folder.glob("outbox/*/*/*_report.json"))


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "precious").write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        env=os.environ | {"DEMO": str(tmp_path / "work")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "is there and was not made by a demo" in done.stdout
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["precious"]
