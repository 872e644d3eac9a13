"""What the other machines did since the daemon's start, for people: one small file, replaced.

Pages and metrics read it; nothing depends on it. It holds no patient data: of a scan the number of
its drop alone.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from daemon.settings import DaemonSettings


@dataclass(frozen=True)
class MachineSeen:
    """One machine. running: drops that are on it; seconds: that all its scans took there.

    sent, received: bytes of all its scans; rests: whether it gets nothing for a while, having
    failed again and again; refusal: why it may not analyze, '' if it may.
    """

    name: str
    is_there: bool
    places: int
    running: tuple[int, ...]
    scans: int
    seconds: float
    failures: int
    sent: int
    received: int
    rests: bool
    refusal: str


def account_file(daemon: DaemonSettings) -> Path:
    """Beside the index."""
    return daemon.index.with_name("machines.json")


def write_account(file: Path, machines: tuple[MachineSeen, ...]) -> None:
    """Replace it. Raises OSError."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(json.dumps([asdict(each) for each in machines]))
    os.replace(new, file)


def read_account(file: Path) -> tuple[MachineSeen, ...]:
    """The machines; none where there is no such file, or none that can be read."""
    try:
        found = json.loads(file.read_text())
        return tuple(MachineSeen(**{**each, "running": tuple(each["running"])}) for each in found)
    except (OSError, ValueError, TypeError, KeyError):
        return ()
