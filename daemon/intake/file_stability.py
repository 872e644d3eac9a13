"""How long files have lain unchanged, and which of them have been filed under their patient.

Counted by the monotonic clock, since files may carry any time and the machine's clock may jump.
"""

import time
from collections.abc import Callable, Iterable

from daemon.drops import Drop, DropKind, DroppedFile
from daemon.intake.inbox_scan import RECEIVED

Identity = tuple[int, int, int]  # of a file, whatever its name: size, time and inode


def identity_of(file: DroppedFile) -> Identity:
    """What stays the same when a file is only moved."""
    return file.size, file.mtime_ns, file.inode


class Stability:
    """Remembers since when each drop's files have been as they are now.

    seconds: how long a file rests; study_seconds: how long the DICOM files of a patient do, whose
    senders pause between series. A study that the DICOM node filed has waited for its pauses
    before, so it rests like any other file. A file that was only moved has rested before.
    """

    def __init__(
        self,
        seconds: float,
        study_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._study_seconds = max(seconds, study_seconds or 0.0)
        self._clock = clock
        self._seen: dict[bytes, tuple[tuple[DroppedFile, ...], float]] = {}
        self._since: dict[Identity, float] = {}

    def has_rested(
        self, unit: bytes, files: tuple[DroppedFile, ...], kind: DropKind = DropKind.NIFTI
    ) -> bool:
        """Note what the drop looks like now; True once it has looked so for long enough."""
        moment = self._clock()
        known = self._seen.get(unit)
        if known is None or known[0] != files:
            self._seen[unit] = (files, self._moment_of(files, known[0] if known else (), moment))
        return moment - self._seen[unit][1] >= self._rest_of(kind, files)

    def _moment_of(
        self, files: tuple[DroppedFile, ...], before: tuple[DroppedFile, ...], now: float
    ) -> float:
        """Since when all of them have been so: now, if one has just come, changed, or gone."""
        identities = [identity_of(file) for file in files]
        moments = [self._since.setdefault(each, now) for each in identities]
        gone = {identity_of(file) for file in before}.difference(identities)
        seen = {file.path: file for file in before}
        rewritten = any(seen.get(file.path, file) != file for file in files)
        return now if gone or rewritten else max(moments, default=now)

    def closes_at(self, drop: Drop) -> float:
        """When a drop that was asked about has rested, by the clock, if nothing changes."""
        return self.began_at(drop) + self._rest_of(drop.kind, drop.files)

    def began_at(self, drop: Drop) -> float:
        """Since when a drop that was asked about has been as it is."""
        return self._seen[drop.unit][1]

    def _rest_of(self, kind: DropKind, files: tuple[DroppedFile, ...]) -> float:
        may_pause = kind is DropKind.DICOM and not all(_was_received(file) for file in files)
        return self._study_seconds if may_pause else self._seconds

    def disturb(self, unit: bytes) -> None:
        """Start to count anew: something beside the drop is still being copied."""
        files, _ = self._seen.pop(unit, ((), 0.0))
        for file in files:
            self._since.pop(identity_of(file), None)

    def keep_only(self, units: set[bytes]) -> None:
        """Forget drops that are no longer in the inbox, so that memory follows the inbox."""
        for unit in self._seen.keys() - units:
            del self._seen[unit]
        if len(self._since) <= sum(len(files) for files, _ in self._seen.values()):
            return
        there = {identity_of(file) for files, _ in self._seen.values() for file in files}
        for each in self._since.keys() - there:
            del self._since[each]


def _was_received(file: DroppedFile) -> bool:
    return file.path.partition(b"/")[2].startswith(RECEIVED)


class Filed:
    """The DICOM files that lie under the patient where they belong; forgotten at every start."""

    def __init__(self) -> None:
        self._known: set[Identity] = set()

    def add(self, files: Iterable[DroppedFile]) -> None:
        """These have been filed."""
        self._known |= {identity_of(file) for file in files}

    def holds(self, files: Iterable[DroppedFile]) -> bool:
        """Whether all of them have been."""
        return all(identity_of(file) in self._known for file in files)

    def keep_only(self, files: Iterable[DroppedFile]) -> None:
        """Forget those that are no longer in the inbox."""
        self._known &= {identity_of(file) for file in files}
