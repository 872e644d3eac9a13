"""A hospital in a temporary folder: its settings, what was dropped, and the daemons over it."""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.daemons import PATIENCE, ROOT, Daemon, Plan
from tests.faults.scans import png

SHIPPED = ROOT / "model" / "weights" / "flair_unet.safetensors"
WARM = png(99_999_999)
OWN = (  # what daemon and node themselves keep in an inbox
    *(b".gliowatch", b".gliowatch.lock"),
    *(b"associations.json", b"associations.tmp", b"lock"),
)


@dataclass
class Hospital:
    """Folders and settings, and what the harness knows of all that was dropped.

    dropped: how often each SHA-256 was dropped and must be found again; replaced: contents that
    somebody overwrote or deleted, which may or may not have been taken before. waits: how many
    files must still lie in the inbox at the end. memory: the daemon's highest, in bytes.
    """

    folder: Path
    weights: Path
    extra: str = ""  # further lines of the [daemon] table
    dropped: Counter[str] = field(default_factory=Counter)
    replaced: Counter[str] = field(default_factory=Counter)
    waits: int = 0
    faults: int = 0
    last_fault: float = field(default_factory=time.monotonic)
    memory: int = 0
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.inbox.mkdir()
        self.write_settings(self.settings)

    @property
    def settings(self) -> Path:
        return self.folder / "settings.toml"

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def index(self) -> Path:
        return self.folder / "index.sqlite"

    def write_settings(self, file: Path, index: str = "index.sqlite") -> None:
        """A short rest, a tiny network, one thread, any free port."""
        file.write_text(
            f'[daemon]\nindex = "{index}"\nrest_seconds = 0.3\nclose_seconds = 0.3\n'
            f"reconcile_seconds = 1.0\nreserve_gb = 0\n{self.extra}\n"
            f'[model]\nweights = "{self.weights}"\nleast_flair = 0\nthreads = 1\n'
            "[viewer]\nport = 0\n"
        )

    def drop(self, path: str | bytes, content: bytes) -> bytes:
        """Write a file below the inbox and remember its content; the file's whole path."""
        target = self.place(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            stream.write(content)
        self.expect(content)
        return target

    def place(self, path: str | bytes) -> bytes:
        """A path below the inbox."""
        return os.path.join(os.fsencode(self.inbox), os.fsencode(path))

    def expect(self, content: bytes) -> None:
        """This content was dropped once more, and must be found again."""
        self.dropped[sha256(content)] += 1

    def replace(self, content: bytes) -> None:
        """This content was overwritten or deleted by its owner: it need not be found."""
        self.dropped[sha256(content)] -= 1
        self.replaced[sha256(content)] += 1

    def append(self, path: bytes, more: bytes) -> None:
        """Somebody writes on at the end of a dropped file, so that its content is another."""
        with open(path, "rb+") as stream:
            content = stream.read()
            self.replace(content)
            stream.write(more)
        self.expect(content + more)

    def fault(self, number: int = 1) -> None:
        """One more fault was injected, just now."""
        self.faults += number
        self.last_fault = time.monotonic()

    def check(self, holds: object, problem: str) -> None:
        """Note a problem that the account alone would not see."""
        if not holds:
            self.problems.append(problem)

    def run(self, plan: Plan = (), prefix: tuple[str, ...] = ()) -> Daemon:
        """`gliowatch run` until it is stopped, with a viewer; to be used in a `with`."""
        return Daemon(self, once=False, plan=plan, prefix=prefix)

    def once(self, plan: Plan = (), prefix: tuple[str, ...] = ()) -> Daemon:
        """`gliowatch run --once`; to be used in a `with`."""
        return Daemon(self, once=True, plan=plan, prefix=prefix)

    def drain(self, prefix: tuple[str, ...] = (), seconds: float = PATIENCE) -> None:
        """Let a daemon work until nothing is left to do, for so long."""
        with self.once(prefix=prefix) as daemon:
            code = daemon.wait(seconds)
            self.check(code in (0, 1), f"the last run ended with {code}: {daemon.said()}")

    def waiting(self) -> list[bytes]:
        """Paths of the regular files in the inbox, without those that were set aside."""
        root = os.fsencode(self.inbox)
        aside = (b".rejected", b".duplicates")
        found = []
        for folder, folders, names in os.walk(root):
            if folder == root:
                folders[:] = [name for name in folders if name not in aside]
            paths = (os.path.join(folder, name) for name in names if name not in OWN)
            found += [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
        return found

    def is_drained(self) -> bool:
        """Nothing is in the inbox any more but what must wait."""
        return len(self.waiting()) <= self.waits

    def warm_up(self) -> None:
        """Drop one scan and wait for its result, so that a worker stands ready."""
        self.drop("warm/up.png", WARM)
        self.check(until(lambda: list(self.outbox.glob("warm/*"))), "the first scan has no result")
        until(lambda: not os.path.exists(self.place("warm/up.png")))

    def published(self) -> list[Path]:
        """Every folder of a result that shows in the outbox."""
        return [path for path in self.outbox.glob("[!.]*/*") if path.is_dir()]


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Wait until it holds; False if it did not within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
