"""The image's files, made by the script of deploy/container, started as the Containerfile says.

No container engine is needed: the files are the root of a process of its own, mounted read-only,
as another user, as process 1. mmdebstrap asks Debian's mirror.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import FRONTAL, ROOT
from tests.daemon.pipeline.test_crash_recovery import wait_for
from tests.programs import program
from tools.release.distributions import build

CONTAINER = ROOT / "deploy" / "container"
MIRROR = "http://deb.debian.org/debian"
USER = 10001
VOLUMES = ("inbox", "outbox", "data")
MOUNTED = """
set -eu
mount --bind "$FILES" "$FILES"
mount -o remount,bind,ro "$FILES"
mount -t proc proc "$FILES/proc"
mount --rbind /dev "$FILES/dev"
mount -t tmpfs tmpfs "$FILES/tmp"
for volume in inbox outbox data; do mount --bind "$VOLUMES/$volume" "$FILES/$volume"; done
exec chroot --userspec="$AS" --groups= "$FILES" env -i "$@"
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's files; the test is skipped where they cannot be made."""
    if not os.environ.get("GLIOWATCH_CONTAINER"):
        pytest.skip("it takes eight minutes and a mirror: GLIOWATCH_CONTAINER=1")
    if os.geteuid() != 0:
        pytest.skip("only root may mount and change the root")
    for name in ("mmdebstrap", "unshare", "chroot"):
        program(name)
    try:
        urllib.request.urlopen(f"{MIRROR}/dists/bookworm/InRelease", timeout=30).close()
    except (urllib.error.URLError, TimeoutError) as error:
        pytest.skip(f"Debian's mirror cannot be reached: {error}")
    folder = tmp_path_factory.mktemp("image")
    wheel = build(ROOT, folder / "dist", 1_700_000_000)
    script = [str(CONTAINER / "build.sh"), str(wheel.path), str(folder)]
    asked = {"PYTHON": sys.executable, "MIRROR": MIRROR, "UNPINNED": "1"}
    done = subprocess.run(script, env=os.environ | asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "files").mkdir()
    subprocess.run(["tar", "-xf", folder / "rootfs.tar", "-C", folder / "files"], check=True)
    (folder / "rootfs.tar").unlink()
    return folder / "files"


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """Empty folders of the image's user."""
    for name in VOLUMES:
        (tmp_path / name).mkdir()
        shutil.chown(tmp_path / name, USER, USER)
    return tmp_path


def told(word: str) -> str:
    """What follows a word of the Containerfile, up to the line's end."""
    [rest] = re.findall(rf"^{word} (.*)$", joined(), re.MULTILINE)
    return str(rest)


def joined() -> str:
    return (CONTAINER / "Containerfile").read_text().replace("\\\n", "")


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_from_the_script_to_a_report(files: Path, volumes: Path) -> None:
    port = free_port()
    quick = [f"GLIOWATCH_VIEWER__PORT={port}", "GLIOWATCH_DAEMON__REST_SECONDS=0.3"]
    command = json.loads(told("ENTRYPOINT")) + json.loads(told("CMD"))
    variables = {"FILES": str(files), "VOLUMES": str(volumes), "AS": told("USER")}
    alone = [program("unshare"), "--mount", "--pid", "--fork", "--kill-child"]
    (volumes / "log").touch()
    with (volumes / "log").open("w") as log:
        process = subprocess.Popen(
            [*alone, "sh", "-c", MOUNTED, "sh", *told("ENV").split(), *quick, *command],
            env=os.environ | variables,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: is_healthy(files, port) or process.poll() is not None)
        assert process.poll() is None, (volumes / "log").read_text()
        first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        facts = Path(f"/proc/{first}/status").read_text()
        assert re.search(rf"^Uid:\s+{USER}\s+{USER}\s+{USER}", facts, re.MULTILINE)
        assert re.search(r"^NSpid:\s+\d+\s+1$", facts, re.MULTILINE)
        (volumes / "inbox" / "P").mkdir()
        shutil.copy(FRONTAL, volumes / "inbox" / "P")
        for path in (volumes / "inbox" / "P", *(volumes / "inbox" / "P").iterdir()):
            shutil.chown(path, USER, USER)
        wait_for(lambda: list(volumes.glob("outbox/P/*/*_report.json")))
        [report] = volumes.glob("outbox/P/*/*_report.json")
        assert json.loads(report.read_text())["finding"] == "tumor"
        os.kill(first, signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in (volumes / "log").read_text()
    assert (volumes / "data" / "records.sqlite").exists()
    assert not is_healthy(files, port)


def is_healthy(files: Path, port: int) -> bool:
    """What the image's health check says, asked as its user."""
    check = json.loads(told("HEALTHCHECK").partition(" CMD ")[2])
    assert ":8737/" in check[-1]
    check[-1] = check[-1].replace(":8737/", f":{port}/")
    inside = ["chroot", f"--userspec={told('USER')}", str(files), "env", "-i"]
    asked = [*inside, *told("ENV").split(), *check]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0
