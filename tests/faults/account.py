"""The independent account: where every dropped byte is now, told from the folders alone."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.faults.daemons import ROOT
from tests.faults.hospital import Hospital

MOST_MEMORY = 400 * 1024 * 1024  # bytes, of the daemon itself
REASON = ".reason.txt"


@dataclass
class Outcome:
    """What one row came to. skipped: why it was not run at all; notes: what was measured."""

    title: str
    dropped: int = 0
    faults: int = 0
    lost: int = 0
    twice: int = 0
    stuck: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def is_good(self) -> bool:
        """Nothing lost, published twice, stuck, or else wrong."""
        return not (self.lost or self.twice or self.stuck or self.problems)


def settle(hospital: Hospital, title: str, *notes: str) -> Outcome:
    """The account of a hospital at rest: to be called once the inbox has drained."""
    seconds = time.monotonic() - hospital.last_fault
    found, results = Counter[str](), list(_results(hospital.outbox))
    for result in _newest(results):
        found.update(_hashes(result.folder / "source"))
    for aside in (".rejected", ".duplicates"):
        found.update(_hashes(hospital.inbox / aside))
    waiting = hospital.waiting()
    found.update(_hash(Path(os.fsdecode(path))) for path in waiting)
    lost = sum((+hospital.dropped - found).values())
    known = +hospital.dropped + hospital.replaced
    problems = [*hospital.problems, *_problems(hospital, results)]
    if doubled := sum((found - known).values()):
        problems.append(f"{doubled} files lie in two places, or were never dropped so")
    return Outcome(
        title,
        sum((+hospital.dropped).values()),
        hospital.faults,
        lost,
        _twice(results),
        max(0, len(waiting) - hospital.waits),
        round(seconds, 1),
        problems,
        [*notes, f"daemon {hospital.memory >> 20} MB"],
    )


@dataclass(frozen=True)
class _Result:
    folder: Path
    report: dict[str, Any]

    @property
    def scan(self) -> tuple[str, str]:
        return self.folder.parent.name, str(self.report["scan_id"])


def _results(outbox: Path) -> Iterator[_Result]:
    for folder in outbox.glob("[!.]*/*"):
        reports = list(folder.glob("*_report.json"))
        content = json.loads(reports[0].read_text("utf-8")) if len(reports) == 1 else {}
        yield _Result(folder, {"scan_id": None, "revision": 0, "input": {}} | content)


def _newest(results: list[_Result]) -> list[_Result]:
    newest: dict[tuple[str, str], _Result] = {}
    for result in sorted(results, key=lambda each: int(each.report["revision"])):
        newest[result.scan] = result
    return list(newest.values())


def _twice(results: list[_Result]) -> int:
    """Folders too many of one scan and revision, and scans too many of one patient and content."""
    revisions = Counter((each.report["scan_id"], each.report["revision"]) for each in results)
    contents = Counter(
        (each.folder.parent.name, each.report["input"].get("sha256")) for each in results
    )
    return sum(count - 1 for count in (*revisions.values(), *contents.values()))


def _problems(hospital: Hospital, results: list[_Result]) -> Iterator[str]:
    for result in results:
        if result.report["scan_id"] is None:
            yield "a folder without one whole report shows in the outbox"
    left = hospital.outbox / ".staging"
    if left.is_dir() and any(left.iterdir()):
        yield "something was left in the outbox's staging folder"
    for path in _files(hospital.inbox / ".rejected"):
        reason = Path(f"{path}{REASON}")
        if not path.name.endswith(REASON) and not (reason.is_file() and reason.stat().st_size):
            yield "a rejected file has no reason beside it"
    if hospital.memory > MOST_MEMORY:
        yield f"the daemon took {hospital.memory >> 20} MB"
    yield from _database_problems(hospital, results)
    yield from _verified(hospital)


def _database_problems(hospital: Hospital, results: list[_Result]) -> Iterator[str]:
    for name in ("index.sqlite", "records.sqlite"):
        with closing(sqlite3.connect(hospital.folder / name)) as database:
            if (state := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                yield f"{name} is damaged: {state}"
    with closing(sqlite3.connect(hospital.index)) as index:
        entered = {bytes(row[0]) for row in index.execute("SELECT folder FROM scans")}
        busy = index.execute("SELECT count(*) FROM drops WHERE state = 'running'").fetchone()[0]
    there = {os.fsencode(each.folder.relative_to(hospital.outbox)) for each in results}
    if there - entered:
        yield f"{len(there - entered)} results in the outbox are not in the index"
    if entered - there:
        yield f"{len(entered - there)} results in the index are not in the outbox"
    if busy:
        yield f"{busy} drops are marked as running though no daemon runs"


def _verified(hospital: Hospital) -> Iterator[str]:
    """What `gliowatch verify` finds, where there is such a command."""
    if not has_verify():
        return
    done = gliowatch("verify", "--json", "--settings", str(hospital.settings))
    if done.returncode:
        try:
            differences = json.loads(done.stdout)["differences"]
        except (ValueError, KeyError):
            yield f"verify ended with {done.returncode}: {done.stderr[-200:]}"
            return
        yield f"verify finds {len(differences)} differences, such as {differences[:1]}"


@lru_cache(maxsize=1)
def has_verify() -> bool:
    """Whether `gliowatch verify` exists."""
    return "verify" in gliowatch("--help").stdout


def gliowatch(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    command = [sys.executable, "-m", "gliowatch", *words]
    own = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False)


def _hashes(folder: Path) -> Counter[str]:
    """SHA-256 of every file below a folder, the written reasons left out."""
    return Counter(_hash(path) for path in _files(folder) if not path.name.endswith(REASON))


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (path for name in names if (path := Path(place, name)).is_file())


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
