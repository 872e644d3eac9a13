"""The lines of "As a service, under /opt" and of "Upgrade", run as root, and the service that they
leave.

They run in a mount namespace of their own, where what they write to /opt, /etc and /var/lib goes to
memory. pip is offline there: packages that gliowatch needs are those of this environment.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.daemon.pipeline.test_crash_recovery import wait_for
from tests.daemon.test_systemd import Supervisor
from tests.docs.test_commands import ANYWHERE
from tests.programs import program, refuse_copy
from tools.release.__main__ import make

DOCUMENT, UPGRADE = ROOT / "docs" / "install.md", ROOT / "docs" / "upgrade.md"
PROGRAMS = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"  # not what only root can run
PASSWORD = "a long enough password\n"
ASIDE = """
set -eu
mount -t tmpfs none "$ASIDE"
for place in /opt /etc /var/lib; do
    mkdir -p "$ASIDE/upper$place" "$ASIDE/work$place"
    layers="lowerdir=$place,upperdir=$ASIDE/upper$place,workdir=$ASIDE/work$place"
    mount -t overlay none -o "$layers" $place
done
mount -t tmpfs none /mnt
mkdir /opt/packages
mount --bind "$PACKAGES" /opt/packages
cd "$RELEASE"
"""
INSTALLED = "/opt/gliowatch/.venv/bin/pip install "
OURS = "echo /opt/packages > $(echo /opt/gliowatch/.venv/lib/python3.*/site-packages)/needed.pth"
BEFORE = """
once="/opt/gliowatch/.venv/bin/gliowatch run --once --settings /etc/gliowatch/settings.toml"
(cd / && runuser -u gliowatch -- env -u NOTIFY_SOCKET $once)
install -d -o gliowatch -g gliowatch /mnt/usb
"""
START = """
value() { sed -n "s/^$1=//p" /etc/systemd/system/gliowatch.service; }
cd "$(value WorkingDirectory)"
user="--reuid $(value User) --regid $(value Group) --init-groups --no-new-privs"
eval "exec setpriv $user $(value ExecStart)"
"""


def refuse_other_python() -> None:
    """Skip the test where the system's Python cannot use the packages that are here."""
    asked = "import ensurepip, sys; print(*sys.version_info[:2])"
    command = [program("env"), f"PATH={PROGRAMS}", "python3", "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stdout.split() != [str(part) for part in sys.version_info[:2]]:
        pytest.skip(f"the system has no such Python as this one, with venv: {done.stderr}")


def lines_of_document() -> list[str]:
    """Both blocks, without `systemctl`, which needs a system that systemd started."""
    section = DOCUMENT.read_text().partition("## As a service, under /opt")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).splitlines()
    assert lines[-1] == "systemctl enable --now gliowatch"
    return lines[:-1]


def lines_of_upgrade() -> list[str]:
    """The first block, likewise; here they put the same version in its own place."""
    block = UPGRADE.read_text().partition("```sh\n")[2].partition("```")[0].splitlines()
    assert len(block) == 5, "as the page says"
    lines = [line for line in block if not line.startswith("systemctl ")]
    assert len(lines) == 3
    return lines


def script() -> str:
    """What root runs: the document's lines, our packages, and what the unit says to start."""
    written = [*lines_of_document(), BEFORE, *lines_of_upgrade()]
    lines = [f"{line}\n{OURS}" if line.startswith(INSTALLED) else line for line in written]
    return "\n".join((ASIDE, *lines, START))


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release with the unit beside it, as the document wants it."""
    refuse_copy()
    make(tmp_path / "dist")
    shutil.copy(ROOT / "deploy" / "gliowatch.service", tmp_path / "dist")
    return tmp_path / "dist"


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """On an abstract socket: another user cannot enter a folder of pytest."""
    listening = Supervisor(f"\0gliowatch-install-{os.getpid()}".encode())
    yield listening
    listening.close()


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.timeout(900)
def test_the_service_runs_after_the_lines_of_the_document(
    release: Path, supervisor: Supervisor, tmp_path: Path
) -> None:
    refuse_other_python()
    (tmp_path / "aside").mkdir()
    given = {
        "ASIDE": str(tmp_path / "aside"),
        "RELEASE": str(release),
        "PACKAGES": sysconfig.get_path("purelib"),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "NOTIFY_SOCKET": f"@gliowatch-install-{os.getpid()}",
        **ANYWHERE,
        "PATH": PROGRAMS,
    }
    log = tmp_path / "log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [program("unshare"), "--mount", "sh", "-c", script()],
            env=os.environ | given,
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
            text=True,
            umask=0o022,  # root's own; other tests have changed that of this process
        )
    try:
        assert process.stdin is not None
        process.stdin.write(PASSWORD)
        process.stdin.close()
        wait_for(lambda: "READY=1" in supervisor.messages or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        facts = Path(f"/proc/{process.pid}/status").read_text()
        assert not re.search(r"^Uid:.*\b0\b", facts, re.MULTILINE)
        seen = Path(f"/proc/{process.pid}/root/var/lib/gliowatch")
        assert {"inbox", "outbox", "index.sqlite", "records.sqlite"} <= {
            x.name for x in seen.iterdir()
        }
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    said = log.read_text()
    assert process.returncode == 0, said
    assert "whl: OK\n" in said
    assert "nothing contradicts another setting or this machine." in said
    assert "Inbox, index and outbox agree." in said
    assert "Traceback" not in said
    assert supervisor.messages[-1] == "STOPPING=1"
