"""What many tests need: the samples, a small network, settings of a fresh hospital, a daemon."""

import asyncio
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema
import pytest
import torch
from safetensors.torch import save_file

import gliowatch as front_door
from daemon.pipeline.worker_processes import Slot
from daemon.service import run_daemon
from daemon.settings import Allowance, Settings, load_settings
from model.network.unet import UNet
from model.weights_config import UNetShape
from tests.warm_process import run_warm

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples" / "inbox"
FRONTAL = SAMPLES / "TCGA-FG-6692" / "TCGA-FG-6692_FLAIR_defaced.nii.gz"
SHARED = ROOT.parent / "shared" / "data"
REPORT_SCHEMA = json.loads((ROOT / "daemon" / "report.schema.json").read_text())


@pytest.fixture
def shared_data() -> Path:
    """The real scans beside the repository; the test is skipped where they are not."""
    if not SHARED.is_dir():
        pytest.skip("the shared scans are not on this machine")
    return SHARED


@pytest.fixture(autouse=True)
def _reports_follow_the_schema(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever report a test leaves behind, by whichever process, is of the promised form."""
    asked = "tmp_path" in request.fixturenames
    folder: Path | None = request.getfixturevalue("tmp_path") if asked else None
    yield
    for place, _, names in os.walk(folder) if folder else ():
        for name in names:
            if name.endswith("_report.json"):
                check_report(Path(place) / name)


def check_report(path: Path) -> None:
    """Check a report against the schema; what a test made up or damaged claims no schema."""
    text = path.read_text("utf-8", "replace")
    if '"schema": "gliowatch/report/1"' in text and text.endswith("}\n"):
        jsonschema.validate(json.loads(text), REPORT_SCHEMA)


def save_small_weights(path: Path) -> None:
    """Write the weights file of a tiny network of the same form as the real one."""
    shape = UNetShape(width=2, levels=2)
    torch.manual_seed(1)
    net = UNet(shape)
    tensors = {k: v for k, v in net.state_dict().items() if torch.is_floating_point(v)}
    save_file(tensors, path, metadata={"name": "small", "shape": json.dumps(shape.as_dict())})


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network of the same form, for tests of everything but accuracy."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_small_weights(path)
    return path


@pytest.fixture
def hospital(tmp_path: Path, small_weights: Path) -> Settings:
    """Settings with folders of their own, a short rest, and the small network."""
    return hospital_in(tmp_path, small_weights)


def hospital_in(folder: Path, weights: Path) -> Settings:
    """The same in any folder that is there."""
    (folder / "settings.toml").write_text(
        "[daemon]\nrest_seconds = 0.3\nclose_seconds = 0.3\nreconcile_seconds = 1.0\n"
        f'[model]\nweights = "{weights}"\nleast_flair = 0\n'
        "[viewer]\nport = 0\n"
    )
    settings = load_settings(folder / "settings.toml")
    settings.daemon.inbox.mkdir()
    return settings


@pytest.fixture(scope="session")
def analyzed_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hospital whose samples are analyzed, made once for all processes; see `copy_hospital`."""
    from tests.browser.chromium import analyze_samples

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "judged.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first process makes it, the others wait
        if not (shared / "judged").exists():
            analyze_samples(shared / "judging")
            (shared / "judging").rename(shared / "judged")
    return shared / "judged"


@asynccontextmanager
async def running_daemon(settings: Settings) -> AsyncIterator[None]:
    """The daemon in this process, with its worker in another, until the context ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_daemon(settings, False, stop))
    try:
        yield
    finally:
        stop.set()
        await task


@contextmanager
def worker_here() -> Iterator[None]:
    """A worker's work is done in this process, which has its libraries loaded already."""

    async def run_here(
        self: Slot, allowance: Allowance, function: Callable[..., Any], *values: Any, **named: Any
    ) -> Any:
        return function(*values, **named)

    with patch.object(Slot, "run", run_here):
        yield


@contextmanager
def local_time(zone: str) -> Iterator[None]:
    """This process's clock is of a zone, as the variable TZ names it."""
    with patch.dict(os.environ, TZ=zone):
        time.tzset()
        yield
    time.tzset()


async def until(condition: Callable[[], object], seconds: float = 240) -> None:
    """Wait until `condition()` is true; fails after so many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited happens in other processes
            await asyncio.sleep(0.05)


def drain(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`gliowatch run --once` as its own process over the settings in `folder`."""
    words = ["run", "--once", "--settings", str(folder / "settings.toml")]
    if not environment:
        return run_warm(words, folder, seconds=400)
    return subprocess.run(
        [sys.executable, "-m", "gliowatch", *words],
        env=os.environ | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def gliowatch(settings: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
    """Another command of the front door over the same settings, in this process."""
    said, wrong = io.StringIO(), io.StringIO()
    file = str(settings.daemon.inbox.parent / "settings.toml")
    with (
        patch.object(sys, "argv", ["gliowatch", *words, "--settings", file]),
        redirect_stdout(said),
        redirect_stderr(wrong),
    ):
        try:
            front_door.main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(words, code, said.getvalue(), wrong.getvalue())


@pytest.fixture
def start_daemon() -> Iterator[Callable[[Path], "subprocess.Popen[bytes]"]]:
    """Start `gliowatch run --once` as a process group that a test may kill."""
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "gliowatch", "run", "--once", "--settings"]
        process = subprocess.Popen(
            [*command, str(folder / "settings.toml")],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def deep_folder(top: Path) -> Iterator[Path]:
    """A folder 1,500 folders below `top`; Python's own functions could not remove it again."""
    deep = top
    deep.mkdir()
    for _ in range(1500):
        deep = deep / "d"
        deep.mkdir()
    try:
        yield deep
    finally:
        subprocess.run(["rm", "-rf", str(top)], check=True)


def reports(settings: Settings) -> list[dict[str, Any]]:
    """All reports in the outbox."""
    found = settings.daemon.outbox.glob("[!.]*/*/*_report.json")
    return [json.loads(path.read_text("utf-8")) for path in sorted(found)]


def left_in_inbox(settings: Settings) -> list[str]:
    """Paths of the files that lie in the inbox, those set aside left out."""
    inbox = settings.daemon.inbox
    files = [path.relative_to(inbox) for path in inbox.rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if not path.parts[0].startswith("."))


def reasons(settings: Settings) -> dict[str, str]:
    """The reason of each rejected file, by its name."""
    notes = (settings.daemon.inbox / ".rejected").rglob("*.reason.txt")
    return {
        path.name.removesuffix(".reason.txt"): path.read_text("utf-8").strip() for path in notes
    }
