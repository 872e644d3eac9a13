"""A daemon as a process group of its own: started, watched, signalled, killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.faults.hospital import Hospital

ROOT = Path(__file__).parent.parent.parent
Plan = tuple[Mapping[str, object], ...]  # of tests.faults.killed_run
LOOK_SECONDS = 0.2
PATIENCE = 400.0  # seconds, until a row gives up waiting
ENDS_WITHIN = 10.0  # seconds after SIGTERM, as docs/run.md promises


class Daemon:
    """`gliowatch run` over a hospital; the end of the `with` kills what still lives of it.

    plan: faults inside its own processes, by the wrapper tests.faults.killed_run.
    """

    def __init__(
        self,
        hospital: "Hospital",
        once: bool,
        plan: Plan = (),
        prefix: tuple[str, ...] = (),
        settings: str = "settings.toml",
    ) -> None:
        self._hospital = hospital
        self._once = once
        self._plan = plan
        self._prefix = prefix
        self._settings = settings
        self._ended = threading.Event()
        self._log = hospital.folder / "log.jsonl"
        self.worker_memory = 0

    def __enter__(self) -> Self:
        module = "tests.faults.killed_run" if self._plan else "gliowatch"
        command = [*self._prefix, sys.executable, "-m", module, "run"]
        command += ["--once"] if self._once else []
        own = {"PYTHONPATH": str(ROOT), "FAULT_PLAN": json.dumps(self._plan)}
        if any("gate" in fault for fault in self._plan or ()):  # a worker has to reach the gate
            own["GLIOWATCH_DAEMON__CONFINE_WORKERS"] = "false"
        self._begin = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--settings", self._settings],
                env=os.environ | own,
                cwd=self._hospital.folder,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self._watcher = threading.Thread(target=self._watch_memory, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_group()
        self._ended.set()
        self._watcher.join()

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """The exit code, or None if it has not ended within so many seconds."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> float:
        """SIGTERM, and how long the end took; a late end or another code than 0 is a problem.

        Late is later than promised for a machine at rest, times the work for each of its cores.
        """
        began = time.monotonic()
        seconds = ENDS_WITHIN * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        self.process.send_signal(signal.SIGTERM)
        code = self.wait(seconds)
        self._hospital.check(code is not None, f"no end within {seconds:.0f} s of SIGTERM")
        if code is not None:
            self._hospital.check(code == 0, f"exit code {code} after SIGTERM: {self.said()}")
        return time.monotonic() - began

    def kill(self) -> None:
        """kill -9 of the daemon alone: its worker and viewer must end by themselves."""
        self.process.kill()
        self.process.wait()

    def kill_group(self) -> None:
        """kill -9 of the daemon, its worker and its viewer at once."""
        with contextlib.suppress(ProcessLookupError):  # the whole group has ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def events(self) -> list[dict[str, object]]:
        """What this daemon has logged so far."""
        with self._log.open("rb") as log:
            log.seek(self._begin)
            lines = log.read().splitlines()
        return [json.loads(line) for line in lines if line.startswith(b"{") and line[-1:] == b"}"]

    def has_logged(self, event: str) -> bool:
        """Whether this daemon has logged such an event."""
        return any(each["event"] == event for each in self.events())

    def said(self) -> str:
        """The last line on its standard error, such as the sentence of a refusal."""
        with self._log.open("rb") as log:
            log.seek(self._begin)
            lines = log.read().decode("utf-8", "replace").splitlines()
        return lines[-1] if lines else ""

    def workers(self) -> list[int]:
        """The spawned processes below the daemon: with `once`, its worker alone."""
        return list(_spawned(self.process.pid))

    def analyzing(self) -> list[int]:
        """Its workers that have loaded the network's runtime, which the viewer never does."""
        return [pid for pid in self.workers() if b"libopenvino" in _read(f"/proc/{pid}/maps")]

    def open_files(self) -> int:
        """How many file descriptors the daemon holds."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self) -> int:
        """The daemon's resident memory now, in bytes."""
        return memory(self.process.pid, "VmRSS")

    def _watch_memory(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            highest = memory(self.process.pid, "VmHWM")
            self._hospital.memory = max(self._hospital.memory, highest)
            if self._once:
                found = [memory(pid, "VmHWM") for pid in self.workers()]
                self.worker_memory = max([self.worker_memory, *found])


def memory(pid: int, line: str) -> int:
    """A line of /proc/<pid>/status in bytes; 0 once the process has gone."""
    try:
        for each in Path(f"/proc/{pid}/status").read_text().splitlines():
            if each.startswith(f"{line}:"):
                return int(each.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _spawned(parent: int) -> Iterator[int]:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = Path(f"/proc/{name}/stat").read_text()
            command = Path(f"/proc/{name}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat.rpartition(")")[2].split()[1] == str(parent) and b"spawn_main" in command:
            yield int(name)
