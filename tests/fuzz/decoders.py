"""Row 21: damaged pictures of every transfer syntax, for an hour, through a real daemon.

Beside each drop, more files are unpacked in a confined worker like the daemon's, without the rest
of an analysis.

`python -m tests.fuzz.decoders [--minutes 60] [--seed 1]` runs it alone and prints what
became of each packing; exits 1 if the daemon ended, grew, or left a drop without an end.
"""

import argparse
import random
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.conftest import save_small_weights
from tests.faults.account import Outcome, settle
from tests.faults.daemons import Daemon, memory
from tests.faults.hospital import Hospital, until
from tests.fuzz.decoding import Decoding, decoding
from tests.fuzz.packed import damaged, seeds

MINUTES = 60.0  # of the full count
MOST_GROWTH = 30 << 20  # bytes, of daemon and worker, from a quarter of the time to its end
LEAST_MINUTES = 10.0  # below, a process that loads its libraries grows more than it leaks
MOST_WAITING = 24  # files in the inbox; more are dropped once fewer are left
PATIENCE = 1200.0  # seconds; other work on the machine may slow it down
BESIDE = 10  # files that are only unpacked, for each drop
WHOLE = 0.05  # of the studies are not damaged: the worker must go on to analyze
QUIET = "retry_seconds = 1.0\nattempts = 2\nslots = 1"


@dataclass
class Tally:
    """What was dropped, by packing, and what became of it.

    ended: drops by packing and state; retries: attempts after a first one; failed: attempts that
    cost a worker its life; unpacked: how files ended that were only unpacked; sizes: resident
    bytes of the daemon, its worker, and the one that only unpacks, at times.
    """

    files: Counter[str] = field(default_factory=Counter)
    studies: int = 0
    ended: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    retries: int = 0
    failed: int = 0
    unpacked: Counter[str] = field(default_factory=Counter)
    sizes: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def growth(self) -> dict[str, int]:
        """Bytes that each took more in the last quarter of the time than in the second.

        Of each, the middle one of what was seen counts: a worker that just died holds nothing.
        """
        quarter = max(1, len(self.sizes) // 4)
        early, late = self.sizes[quarter : 2 * quarter] or self.sizes, self.sizes[-quarter:]
        return {
            name: round(
                median(each[place] for each in late) - median(each[place] for each in early)
            )
            for place, name in enumerate(("daemon", "worker", "unpacking worker"))
        }

    def lines(self) -> list[str]:
        """The table."""
        states = sorted({state for each in self.ended.values() for state in each})
        rows = [("packing", "files", *states)]
        for packing, count in sorted(self.files.items()):
            ended = self.ended[packing]
            rows.append((packing, str(count), *(str(ended[state]) for state in states)))
        return [f"| {' | '.join(row)} |" for row in (rows[0], ("---",) * len(rows[0]), *rows[1:])]

    def notes(self) -> str:
        """The figures of the whole."""
        first, last = self.sizes[0], self.sizes[-1]
        return (
            f"{self.files.total()} files in {self.studies} drops, {self.retries} retries,"
            f" {self.failed} workers ended; {self.unpacked.total()} more files only unpacked:"
            f" {', '.join(f'{count} {how}' for how, count in sorted(self.unpacked.items()))};"
            f" daemon {first[0] >> 20} to {last[0] >> 20} MB,"
            f" worker {first[1] >> 20} to {last[1] >> 20} MB,"
            f" unpacking worker {first[2] >> 20} to {last[2] >> 20} MB"
        )


def fuzz(hospital: Hospital, minutes: float, seed: int = 1) -> Tally:
    """Drop damaged studies for so long, then wait until each has an end."""
    chance, tally = random.Random(seed), Tally()
    packed: dict[str, str] = {}
    with hospital.run() as daemon, decoding(hospital.folder / "unpacked") as beside:
        _drop_whole(hospital, packed, tally)

        def has_ended() -> bool:
            return daemon.process.poll() is not None

        until(lambda: has_ended() or hospital.is_drained(), PATIENCE)
        began, looked = time.monotonic(), 0.0
        while time.monotonic() - began < 60 * minutes and not has_ended():
            _drop(hospital, chance, packed, tally)
            _unpack(hospital, chance, beside)
            until(lambda: has_ended() or len(hospital.waiting()) < MOST_WAITING, PATIENCE)
            if time.monotonic() - looked > minutes / 2:  # 120 times
                looked = time.monotonic()
                tally.sizes.append(_sizes(daemon, beside))
        until(lambda: has_ended() or hospital.is_drained(), PATIENCE)
        hospital.check(not has_ended(), f"the daemon ended: {daemon.said()}")
        hospital.check(hospital.is_drained(), f"{len(hospital.waiting())} files have no end")
        tally.sizes.append(_sizes(daemon, beside))
        tally.unpacked = beside.ended
        tally.failed = sum(each["event"] == "attempt_failed" for each in daemon.events())
        if not has_ended():
            daemon.stop()
    _count(hospital, packed, tally)
    return tally


def _sizes(daemon: Daemon, beside: Decoding) -> tuple[int, int, int]:
    workers = [memory(pid, "VmRSS") for pid in daemon.analyzing()]
    return daemon.resident(), max(workers, default=0), beside.resident()


def _unpack(hospital: Hospital, chance: random.Random, beside: Decoding) -> None:
    """One damaged file after the other; each may cost the worker its life, and no more."""
    for _ in range(BESIDE):
        beside.unpack(damaged(chance.choice(chance.choice(seeds()).slices), chance))
    hospital.fault(BESIDE)


def _drop_whole(hospital: Hospital, packed: dict[str, str], tally: Tally) -> None:
    """Each packing once as it is, so that the worker has loaded every library."""
    for seed in seeds():
        _place(hospital, seed.packing, seed.numbered(tally.studies + 1), packed, tally)


def _drop(hospital: Hospital, chance: random.Random, packed: dict[str, str], tally: Tally) -> None:
    """One study, most often a single slice: a decoder sees no slice after the first bad one."""
    seed = chance.choice(seeds())
    slices = seed.numbered(tally.studies + 1)
    if chance.random() < WHOLE:
        return _place(hospital, seed.packing, slices, packed, tally)
    chosen = chance.randrange(len(slices))
    broken = damaged(slices[chosen], chance)
    if chance.random() < 0.7:
        slices = (broken,)
    else:
        slices = (*slices[:chosen], broken, *slices[chosen + 1 :])
    hospital.fault()
    return _place(hospital, seed.packing, slices, packed, tally)


def _place(
    hospital: Hospital,
    packing: str,
    slices: tuple[bytes, ...],
    packed: dict[str, str],
    tally: Tally,
) -> None:
    """Into the inbox as a patient of their own, under a name that waits until all are there."""
    tally.studies += 1
    tally.files[packing] += len(slices)
    patient = f"F{tally.studies}"
    packed[patient] = packing
    for number, content in enumerate(slices):
        hospital.drop(f"{patient}/{number}.dcm", content)


def _count(hospital: Hospital, packed: dict[str, str], tally: Tally) -> None:
    """How each drop ended, as the index tells."""
    with closing(sqlite3.connect(f"file:{hospital.index}?mode=ro", uri=True)) as index:
        for patient, state, attempts in index.execute(
            "SELECT patient_id, state, attempts FROM drops WHERE state <> 'waiting'"
        ):
            if packing := packed.get(str(patient)):
                tally.ended[packing][str(state)] += 1
            tally.retries += max(0, int(attempts) - 1)
        still = index.execute("SELECT count(*) FROM drops WHERE state = 'waiting'").fetchone()[0]
    hospital.check(not still, f"{still} drops wait at the end")


def decoders_fuzzed(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 21: the daemon lives, its memory and the worker's stay flat, every drop ends."""
    return _judged(Hospital(folder, weights, extra=QUIET), MINUTES * scale)[0]


def _judged(hospital: Hospital, minutes: float, seed: int = 1) -> tuple[Outcome, Tally]:
    tally = fuzz(hospital, minutes, seed)
    is_long = minutes >= LEAST_MINUTES
    for name, grown in tally.growth.items() if is_long else ():
        hospital.check(grown < MOST_GROWTH, f"the {name} grew by {grown >> 20} MB")
    title = f"damaged pictures of {len(tally.files)} packings"
    return settle(hospital, title, f"{minutes:.0f} minutes", tally.notes()), tally


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {"21": decoders_fuzzed}


def main() -> int:
    """Run it alone; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.decoders")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=1, help="of the damage")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="fuzz-") as folder:
        weights = Path(folder) / "small.safetensors"
        save_small_weights(weights)
        hospital = Hospital(Path(folder) / "hospital", weights, extra=QUIET)
        outcome, tally = _judged(hospital, options.minutes, options.seed)
    told = [*tally.lines(), "", *outcome.notes, *(outcome.problems or ["nothing was wrong"])]
    sys.stdout.write("\n".join(told) + "\n")
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
