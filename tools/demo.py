"""`make demo`: drop the samples into a fresh inbox, run gliowatch, print the link to a result.

Run from the repository's folder; everything happens in its folder `demo/`, or in the one that the
variable DEMO names. It ends with the program that started it, and gliowatch ends with it.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from daemon.index.database import open_records
from daemon.intake.inbox_scan import NameRules, scan_inbox
from daemon.outputs.catalogue import text
from daemon.outputs.wording import finding_sentence
from daemon.permissions import Role
from daemon.records.accounts import link_for
from daemon.report import Report, read_report
from daemon.settings import load_settings
from daemon.supervisor import AddressTaken, usable_port

DEMO = Path(os.environ.get("DEMO") or "demo").expanduser().resolve()
MARK = ".gliowatch-demo"  # in a folder that a demo made, and the next one may take away
SAMPLES = Path("samples") / "inbox"
SETTINGS = Path("settings.toml")
HOST, PORT = "127.0.0.1", 8737
WAIT_SECONDS = 120
LINK_SECONDS = 3600.0
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def main() -> int:
    """Run until Ctrl-C or SIGTERM; the exit code of `gliowatch run`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else gliowatch would go on alone
    end_with(os.getppid())
    if not _may_be_replaced(DEMO):
        print(f"DEMO: {DEMO} is there and was not made by a demo: name another folder.")
        return 2
    _fill(DEMO)
    port, token = _port(), asyncio.run(_link())
    began = time.monotonic()
    run = _start(port)
    try:
        report = _first_report(run)
        if report is None:
            print("gliowatch ended before a result was there; its log stands above.")
            return 1
        seconds = time.monotonic() - began
        link = f"http://{HOST}:{port}/enter?token={token}&next=/scans/{report.scan_id}"
        _tell(report, seconds, link)
        return run.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        run.terminate()
        run.wait()


def end_with(parent: int) -> None:
    """Be sent SIGTERM when this parent ends, even by kill -9. For a process that just began."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it has ended already
        os.kill(os.getpid(), signal.SIGTERM)


def _may_be_replaced(folder: Path) -> bool:
    """Whether nothing but an earlier demo would go; `demo/` of the repository always is one."""
    is_ours = folder == Path("demo").resolve() or (folder / MARK).exists()
    return is_ours or not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _fill(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    shutil.copytree(SAMPLES, folder / "inbox")
    shutil.copy(SETTINGS, folder)


async def _link() -> str:
    """The secret of a link that lets in once, as an account that only the demo has."""
    records = load_settings(DEMO / SETTINGS.name).daemon.records
    async with open_records(records) as opened:
        return await link_for(opened, "demo", Role.ADMIN, LINK_SECONDS)


def _start(port: int) -> "subprocess.Popen[bytes]":
    environment = os.environ | {
        "GLIOWATCH_DAEMON__REST_SECONDS": "1",
        "GLIOWATCH_VIEWER__PORT": str(port),
    }
    command = [sys.executable, "-m", "gliowatch", "run", "--settings", str(DEMO / "settings.toml")]
    print(f"Dropped {_count()} scans into {DEMO / 'inbox'}; starting gliowatch ...", flush=True)
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=partial(end_with, os.getpid()),
    )


def _first_report(run: "subprocess.Popen[bytes]") -> Report | None:
    """The first report in the outbox, or None if gliowatch ends or takes too long."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end and run.poll() is None:
        for path in DEMO.glob("outbox/[!.]*/*/*_report.json"):
            return read_report(path.read_bytes())
        time.sleep(0.1)
    return None


def _tell(report: Report, seconds: float, link: str) -> None:
    said = f"{finding_sentence(report)} {text('report.research_use')}"
    print(f"\nFirst result after {seconds:.1f} s. {said}")
    print(f"Results: {DEMO / 'outbox'}")
    print("Open this link in a browser and press Log in. It lets in once; Ctrl-C ends the demo:")
    print(f"\n    {link}\n", flush=True)


def _count() -> int:
    return len(scan_inbox(SAMPLES, NameRules((), ())).drops)


def _port() -> int:
    """The usual port, or a free one where that is taken."""
    try:
        return usable_port(HOST, PORT)
    except AddressTaken:
        return usable_port(HOST, 0)


if __name__ == "__main__":
    raise SystemExit(main())
