"""What watching costs: `python -m tests.scale.watching [--folders N...] [--seconds S]`.

For each number of empty patients' folders, a real daemon with the shipped settings: the share of a
core while nothing happens, then with a file arriving each second, and the time from the end of a
file's copy to its row in the index.
"""

import argparse
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.scale.site import cpu_seconds, memory_mb

SETTINGS = "[daemon]\nrest_seconds = 100000\n[viewer]\nport = 0\n"


def main() -> None:
    """Measure each number of folders, and print one line of JSON for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale.watching")
    parser.add_argument("--folders", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--seconds", type=float, default=130.0, help="two whole looks and more")
    parser.add_argument("--arrivals", type=int, default=30, help="files, one a second")
    options = parser.parse_args()
    for count in options.folders:
        with TemporaryDirectory(prefix="watching-") as place:
            figures = measure(Path(place), count, options.seconds, options.arrivals)
        print(json.dumps(figures), flush=True)


def measure(place: Path, count: int, seconds: float, arrivals: int) -> dict[str, float]:
    """The figures for so many folders; CPU in percent of a core, times in seconds."""
    inbox = place / "inbox"
    inbox.mkdir()
    for number in range(count):
        (inbox / f"P{number:06d}").mkdir()
    with daemon(place) as pid:
        time.sleep(70)  # the first looks, and until it is sure of the empty folders
        idle = share_of_core(pid, seconds)
        began = cpu_seconds(pid), time.monotonic()
        took = [seen_after(place, f"P{(7919 * n) % count:06d}", n) for n in range(arrivals)]
        busy = (cpu_seconds(pid) - began[0]) / (time.monotonic() - began[1])
        memory = memory_mb(pid)
    return {
        "folders": count,
        "idle % of a core": round(100 * idle, 2),
        "% of a core while files arrive": round(100 * busy, 2),
        "s to see a drop, median": round(median(took), 2),
        "s to see a drop, at most": round(max(took), 2),
        "MB": memory,
    }


@contextmanager
def daemon(place: Path) -> Iterator[int]:
    """`gliowatch run`; the pid of its daemon. The viewer is a process of its own."""
    (place / "settings.toml").write_text(SETTINGS)
    command = [sys.executable, "-m", "gliowatch", "run", "--settings"]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(place / "settings.toml")], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        while b'"started"' not in (place / "log").read_bytes():
            assert process.poll() is None, (place / "log").read_text()
            time.sleep(0.2)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(place / "inbox")


def share_of_core(pid: int, seconds: float) -> float:
    """How much of one core a process takes."""
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / seconds


def seen_after(place: Path, patient: str, number: int) -> float:
    """Drop a file and wait for its row in the index; then for the rest of the second."""
    (place / "inbox" / patient / f"{number}.nii").write_bytes(b"no scan")
    began = time.monotonic()
    name = f"{patient}/{number}.nii".encode()
    with closing(sqlite3.connect(f"file:{place}/index.sqlite?mode=ro", uri=True)) as index:
        while not index.execute("SELECT 1 FROM files WHERE path = ?", (name,)).fetchone():
            assert time.monotonic() - began < 120, "the drop is not seen"
            time.sleep(0.02)
    took = time.monotonic() - began
    time.sleep(max(0.0, 1.0 - took))
    return took


if __name__ == "__main__":
    main()
