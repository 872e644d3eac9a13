"""Machines that analyze for a daemon, as processes on this one, and certificates for both sides."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.conftest import ROOT

OTHER_RELEASE = (
    "import daemon.machines.worker as here, gliowatch;"
    " here.release = lambda: {'gliowatch': '0.0.9'};"
    " gliowatch.main()"
)


def make_certificates(folder: Path) -> dict[str, str]:
    """An authority and one certificate for both sides: their paths, as the settings name them."""
    folder.mkdir(parents=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    days = ["-days", "2"]
    for words in (
        [
            "req",
            "-x509",
            *days,
            *curve,
            "-subj",
            "/CN=authority",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ],
        ["req", *curve, "-subj", "/CN=gliowatch", "-keyout", "own.key", "-out", "own.csr"],
        ["x509", "-req", *days, "-in", "own.csr", *signed, "-out", "own.pem"],
    ):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    names = {"tls_ca": "ca.pem", "tls_certificate": "own.pem", "tls_key": "own.key"}
    return {key: str(folder / name) for key, name in names.items()}


def free_address() -> str:
    """tls:// of this machine, at a port that nothing has."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"tls://127.0.0.1:{probe.getsockname()[1]}"


class Station:
    """`gliowatch worker` as a process group of its own, in a folder for its log."""

    def __init__(
        self,
        name: str,
        address: str,
        tls: Mapping[str, str],
        folder: Path,
        plan: Sequence[Mapping[str, object]] = (),
        program: Sequence[str] = (),
    ) -> None:
        """plan: faults, by the wrapper tests.faults.killed_run; program: in the place of both."""
        self._log = folder / f"{name}.log"
        module = "tests.faults.killed_run" if plan else "gliowatch"
        words = [f"--{key.replace('_', '-')}={path}" for key, path in tls.items()]
        self._command = [
            *(sys.executable, *(program or ("-m", module)), "worker", address),
            *("--name", name, *words),
        ]
        self._own = {"PYTHONPATH": str(ROOT), "FAULT_PLAN": json.dumps(plan)}
        self.name = name
        self.start()

    def start(self) -> None:
        """Begin, or begin again."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=os.environ | {"OMP_NUM_THREADS": "1"} | self._own,
                cwd=self._log.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def send(self, number: int) -> None:
        """A signal to the process alone: its slots must end, or wait, by themselves."""
        self.process.send_signal(number)

    def said(self) -> str:
        """All that it printed."""
        return self._log.read_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGCONT, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
        self.process.wait()
