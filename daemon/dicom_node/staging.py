"""Where received objects lie until their study is complete: hidden folders inside the inbox.

`.receiving/arriving/` holds objects whose last byte has not come, `arrived/` those that are safely
on the disk and were answered with success, `studies/<patient>/<study>/` the same, sorted. What the
viewer takes by STOW-RS lies in `posting/<request>/` until the request is whole, and what is fetched
by WADO-RS in `fetching/<study>/`; both come into a folder of `arrived/`. All of it is on the
inbox's file system, so that one rename makes a study appear in the inbox whole.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from daemon.intake.inbox_scan import RECEIVING
from daemon.safe_files import sync_folder

ENDING = ".dcm"
STATE, LOCK = "associations.json", "lock"


@dataclass(frozen=True)
class Staging:
    """The folders of one inbox's node."""

    inbox: Path

    @property
    def root(self) -> Path:
        """The hidden folder that holds the others."""
        return self.inbox / RECEIVING

    @property
    def arriving(self) -> Path:
        """Objects of which bytes are missing still."""
        return self.root / "arriving"

    @property
    def posting(self) -> Path:
        """Requests of STOW-RS that have no answer yet, a folder each; the viewer's alone."""
        return self.root / "posting"

    @property
    def fetching(self) -> Path:
        """A study that is fetched by WADO-RS and is not whole yet; of who fetches priors alone."""
        return self.root / "fetching"

    @property
    def arrived(self) -> Path:
        """Objects that are whole, synced and answered."""
        return self.root / "arrived"

    @property
    def studies(self) -> Path:
        """The same, below their patient and study."""
        return self.root / "studies"

    @property
    def asked(self) -> Path:
        """An empty file for each study that was asked for as a prior, until it is filed."""
        return self.root / "asked"

    @property
    def state(self) -> Path:
        """What `associations` keeps."""
        return self.root / STATE

    @property
    def lock(self) -> Path:
        """Held by the node while it runs."""
        return self.root / LOCK

    def make(self) -> None:
        """Make what is missing. Raises OSError without an inbox: it may be away."""
        beside = (self.posting, self.fetching, self.asked)
        for folder in (self.root, self.arriving, self.arrived, self.studies, *beside):
            folder.mkdir(exist_ok=True)
        sync_folder(self.root)
        sync_folder(self.inbox)

    def remove_halves(self) -> int:
        """At a start: what was cut off goes, since its sender was never told that we have it."""
        halves = files_below(self.arriving)
        for half in halves:
            half.unlink(missing_ok=True)
        for scratch in self.arriving.iterdir():  # of a worker that was killed with its node
            shutil.rmtree(scratch, ignore_errors=True)
        return len(halves)


@dataclass(frozen=True)
class Received:
    """How many objects the node holds: whole ones, which wait, and those still arriving."""

    whole: int
    arriving: int


def count_received(inbox: Path) -> Received:
    """What lies in the node's folders of this inbox; nothing where there is no node."""
    staging = Staging(inbox)
    whole = len(files_below(staging.arrived)) + len(files_below(staging.studies))
    coming = (staging.arriving, staging.posting, staging.fetching)
    halves = sum(len(files_below(folder)) for folder in coming)
    return Received(whole, halves)


def files_below(folder: Path) -> list[Path]:
    """The objects at any depth; none of a folder that is not there. Others' folders do not count.

    A worker's scratch folder lies among the arriving objects; it holds no object.
    """
    found = []
    for place, _, names in os.walk(folder):
        found += [Path(place, name) for name in names if name.endswith(ENDING)]
    return found
