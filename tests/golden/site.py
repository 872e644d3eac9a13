"""A hospital in a folder: scans are dropped, analyzed and looked at, by commands and HTTP alone."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "a long word that only this test knows"
STARTED_WITHIN = 60.0  # seconds
ENVIRONMENT = {
    "TZ": "UTC",
    "GLIOWATCH_DAEMON__REST_SECONDS": "0.3",
    "GLIOWATCH_DAEMON__SLOTS": "1",
    "GLIOWATCH_MODEL__THREADS": "1",
    "GLIOWATCH_VIEWER__PORT": "0",
}
PATIENT = re.compile(r"/patients/([\w-]{16})(?=[\"/?])")


@dataclass
class Hospital:
    """A folder with settings.toml and an inbox.

    swaps: what its outputs hold that no other has, and what to write for it.
    environment: settings of its own.
    """

    folder: Path
    swaps: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "inbox").mkdir(parents=True)
        shutil.copy(ROOT / "settings.toml", self.folder)
        self.swaps[str(self.folder)] = "FOLDER"

    @property
    def settings(self) -> tuple[str, str]:
        """The option that names its settings."""
        return "--settings", str(self.folder / "settings.toml")

    def drop(self, source: Path, patient: str) -> None:
        """Copy a file or a folder into the inbox, as that patient's."""
        target = self.folder / "inbox" / patient / source.name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)

    def command(self, *words: str, typed: str = "") -> str:
        """What `gliowatch WORDS` says, and how it ends."""
        done = subprocess.run(
            [sys.executable, "-m", "gliowatch", *words],
            cwd=self.folder,
            env=_environment() | self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        return f"{done.stdout}\nended with {done.returncode}\n{_plain_log(done.stderr)}"

    @contextmanager
    def viewer(self) -> Iterator["Reader"]:
        """`gliowatch run`, and an administrator who has logged in."""
        self.command("users", "add", "golden", "--role", "admin", *self.settings, typed=PASSWORD)
        process = subprocess.Popen(
            [sys.executable, "-m", "gliowatch", "run", *self.settings],
            cwd=self.folder,
            env=_environment() | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            yield Reader(said.removeprefix("The pages are at ").rstrip("/"), self.swaps)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _environment() -> dict[str, str]:
    """Of the commands; no setting of whoever runs the test counts."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("GLIOWATCH_")}
    return kept | ENVIRONMENT


def _plain_log(log: str) -> str:
    """Log lines without their moments and process numbers, sorted: processes run side by side."""
    lines = [re.sub(r'"time": "[^"]*", |, "pid": \d+', "", line) for line in log.splitlines()]
    return "\n".join(sorted(lines))


class Reader:
    """A browser that has logged in. url: of the viewer, without a slash at its end."""

    def __init__(self, url: str, swaps: dict[str, str]) -> None:
        self._url, self._swaps = url, swaps
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._wait()
        self.send("/login", {"name": "golden", "password": PASSWORD, "next": "/"})
        (self.csrf,) = set(
            re.findall(r'name="csrf" value="([^"]+)"', self.get("/account")[1].decode())
        )
        swaps[self.csrf] = "TOKEN"
        self.learn(self.get("/patients")[1].decode())

    def get(self, path: str) -> tuple[str, bytes]:
        """Status and headers of an answer as text, and its body."""
        return self.send(path, None)

    def send(self, path: str, form: dict[str, str] | None) -> tuple[str, bytes]:
        """The same of a form that is sent, redirects followed."""
        data = None if form is None else urlencode(form).encode()
        try:
            answer = self._opener.open(self._url + path, data, timeout=60)
        except urllib.error.HTTPError as error:
            return _head(error), error.read()
        with answer:
            return _head(answer), answer.read()

    def learn(self, page: str) -> None:
        """Number the random keys of patients in the order in which they are shown."""
        for key in PATIENT.findall(page):
            known = sum(name.startswith("PATIENT-") for name in self._swaps.values())
            self._swaps.setdefault(key, f"PATIENT-{known + 1}")

    def _wait(self) -> None:
        end = time.monotonic() + STARTED_WITHIN
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(self._url + "/healthz", timeout=5).close()
            except OSError:  # not yet
                time.sleep(0.1)
            else:
                return
        raise TimeoutError("the viewer did not start")


def _head(answer: HTTPResponse | urllib.error.HTTPError) -> str:
    """Status and headers, without those that tell moments or lengths of what varies."""
    varying = {"date", "content-length", "etag", "last-modified", "set-cookie"}
    pairs = sorted(pair for pair in answer.headers.items() if pair[0].lower() not in varying)
    return "\n".join((str(answer.status), *(f"{name}: {value}" for name, value in pairs)))
