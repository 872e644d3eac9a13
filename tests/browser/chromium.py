"""A real viewer and a real Chromium: what the tests of pages in a browser share.

`served(folder)` starts `gliowatch run`; `Browsing` opens pages, each watched for console errors,
for requests that leave the server and, at its end, for faults of accessibility (axe-core).
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from daemon.index.database import open_records
from daemon.permissions import Role
from daemon.records.accounts import link_for
from daemon.settings import load_settings
from tests.conftest import ROOT
from tests.programs import program

AXE = ROOT / "tests" / "vendor" / "axe" / "axe.min.js"
GRAVE = ("serious", "critical")
SOFTWARE_WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
STARTED_WITHIN = 240.0  # seconds

SETTLED = """() => Promise.all(document.getAnimations()
  .filter((each) => Number.isFinite(each.effect.getComputedTiming().endTime))
  .map((each) => each.finished.catch(() => null))).then(() => null)"""


@dataclass(frozen=True)
class Site:
    """A running gliowatch. folder: holds settings.toml, inbox and outbox."""

    folder: Path
    url: str
    process: "subprocess.Popen[bytes]"

    def link(self, who: str) -> str:
        """The secret of a link that lets in once, as this person, an administrator."""

        async def make() -> str:
            records = load_settings(self.folder / "settings.toml").daemon.records
            async with open_records(records) as opened:
                return await link_for(opened, who, Role.ADMIN, 60)

        with ThreadPoolExecutor(1) as aside:  # Playwright has a running loop in this thread
            return aside.submit(asyncio.run, make()).result()

    def enter(self, page: Page, path: str = "/", who: str = "N. Urse") -> None:
        """Come to `path` by a link, and by the button that it shows."""
        page.goto(f"{self.url}/enter?token={self.link(who)}&next={path}")
        with page.expect_navigation():
            page.get_by_role("button", name="Log in").click()


@contextmanager
def served(folder: Path, log: Path = Path(os.devnull), /, **environment: str) -> Iterator[Site]:
    """`gliowatch run` over the settings in `folder`, on a free port, until the context ends.

    log: where its processes log to.
    """
    port = _free_port()
    words = [sys.executable, "-m", "gliowatch", "run", "--settings", str(folder / "settings.toml")]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=os.environ | {"GLIOWATCH_VIEWER__PORT": str(port)} | environment,
            stdout=subprocess.DEVNULL,
            stderr=stream,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz")
        yield Site(folder, f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(timeout=120)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless, with WebGL2 in software."""
    executable = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", *SOFTWARE_WEBGL]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Browsing:
    """One person's browser on a site, logged in; wrongs: what a page did that none may do."""

    browser: Browser
    site: Site
    wrongs: list[str] = field(default_factory=list)

    @contextmanager
    def page(
        self, path: str = "/", scheme: str = "light", who: str = "N. Urse", **context: object
    ) -> Iterator[Page]:
        """A page of a new session of `who` at `path`; at its end it must have done no wrong.

        context: further options of `Browser.new_context`. expected: see `expect`.
        """
        options = {"viewport": {"width": 1440, "height": 900}, "color_scheme": scheme} | context
        opened = self.browser.new_context(**options)  # type: ignore[arg-type]
        page = opened.new_page()
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.wrongs.append(f"script: {error}"))
        page.on("request", self._note_request)
        try:
            self.site.enter(page, path, who)
            yield page
            self.check(page)
        finally:
            opened.close()

    def check(self, page: Page) -> None:
        """Fail if the page has logged an error, asked elsewhere, or is hard to use for some."""
        page.evaluate(SETTLED)  # a colour half-way between two is nobody's choice
        page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        faults = [
            f"axe {each['id']} ({each['impact']}): {node['html'][:200]}"
            for each in found
            if each["impact"] in GRAVE
            for node in each["nodes"][:3]
        ]
        wrongs, self.wrongs = [*self.wrongs, *faults], []
        assert wrongs == [], "\n".join(wrongs)

    def expect(self, words: str) -> None:
        """Take back the wrongs that a test provoked: those with `words` in them, at least one."""
        left = [wrong for wrong in self.wrongs if words not in wrong]
        assert len(left) < len(self.wrongs), f"nothing said {words!r}: {self.wrongs}"
        self.wrongs = left

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.wrongs.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        inside = f"{address.scheme}://{address.netloc}" == self.site.url
        if not inside and address.scheme not in ("data", "blob"):
            self.wrongs.append(f"request to elsewhere: {request.url}")


def analyze_samples(folder: Path) -> None:
    """Make `folder` a hospital whose samples are all analyzed, with the shipped network."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "settings.toml", folder)
    shutil.copytree(ROOT / "samples" / "inbox", folder / "inbox")
    words = [sys.executable, "-m", "gliowatch", "run", "--once", "--settings"]
    subprocess.run(
        [*words, str(folder / "settings.toml")],
        cwd=folder,
        env=os.environ | {"GLIOWATCH_DAEMON__REST_SECONDS": "0.3"},
        check=True,
        capture_output=True,
        timeout=400,
    )


def copy_hospital(source: Path, target: Path) -> Path:
    """A analyzed hospital of a test's own; the published files, which never change, are linked."""
    shutil.copytree(source, target, copy_function=_link_or_copy)
    return target


def _link_or_copy(source: str, target: str) -> None:
    if "/outbox/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str) -> None:
    end = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:  # not yet, or not ok yet
            time.sleep(0.1)
    raise TimeoutError("gliowatch did not start")
