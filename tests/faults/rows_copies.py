"""Rows 3, 4, 5 and 7: how files arrive, change under the daemon, and come twice."""

import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.faults import scans
from tests.faults.account import Outcome, settle
from tests.faults.daemons import Plan
from tests.faults.hospital import SHIPPED, Hospital, until

REST_SECONDS = 0.3  # of the hospital's settings


def slow_copies(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 3: copies at 1 kB/s with pauses longer than the rest time, and slices that come late."""
    hospital = Hospital(folder, weights)
    slices = scans.dicom(3)
    half = len(slices) // 2
    with hospital.run() as daemon:
        hospital.warm_up()
        writers = _begin_slow_copies(hospital)
        for number, content in enumerate(slices[:half]):
            hospital.drop(f"D/IM{number}", content)
        until(lambda: list(hospital.outbox.glob("D/*")))
        for number, content in enumerate(slices[half:], start=half):
            hospital.drop(f"D/IM{number}", content)
        for writer in writers:
            writer.join()
        hospital.fault(len(writers) + 1)
        until(hospital.is_drained)
        daemon.stop()
    revisions = list(hospital.outbox.glob("D/*-r2"))
    hospital.check(len(revisions) == 1, "late slices made no revision")
    return settle(hospital, "slow copies, late slices", _whole_and_rejected(hospital))


def paused_copies(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 3b: a copy that paused for longer than the rest time is analyzed once it is whole."""
    hospital = Hospital(folder, weights)
    with hospital.run() as daemon:
        hospital.warm_up()
        for writer in _begin_slow_copies(hospital):
            writer.join()
            hospital.fault()
        until(hospital.is_drained)
        time.sleep(3)
        daemon.stop()
    told = _whole_and_rejected(hospital)
    hospital.check(told.endswith(" 0 rejected"), f"of copies that are whole now: {told}")
    return settle(hospital, "a copy that paused is judged in the end", told)


def _begin_slow_copies(hospital: Hospital) -> list[threading.Thread]:
    copies = {f"P{n}/scan{end}": data for n in range(4) for end, data in [scans.either(n)]}
    copies["Z/scan.zip"], copies["N/scan.nii"] = scans.archive(8), scans.nifti(9, packed=False)
    writers = [
        threading.Thread(target=_copy_slowly, args=(hospital, path, content))
        for path, content in copies.items()
    ]
    for writer in writers:
        writer.start()
    return writers


def _whole_and_rejected(hospital: Hospital) -> str:
    whole = {path.parent.parent.name for path in hospital.outbox.glob("*/*/source/scan*")}
    cut = list(hospital.inbox.glob(".rejected/*/scan*.reason.txt"))
    return f"slow copies: {len(whole)} published, {len(cut)} rejected"


def _copy_slowly(hospital: Hospital, path: str, content: bytes) -> None:
    """1 kB/s in pieces of 100 bytes; one pause of three rest times in the middle."""
    target = hospital.place(path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    hospital.expect(content)
    with open(target, "wb", buffering=0) as stream:
        for start in range(0, len(content), 100):
            stream.write(content[start : start + 100])
            time.sleep(0.1)
            if start <= len(content) // 2 < start + 100:
                time.sleep(3 * REST_SECONDS)


def renames_in(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 4: files, folders and trees renamed into the inbox; mkdir -p and write at once."""
    hospital = Hospital(folder, weights)
    outside = folder / "outside"
    rounds = max(2, round(25 * scale))
    with hospital.run() as daemon:
        until(lambda: daemon.has_logged("started"))
        for number in range(rounds):
            contents = [scans.png(10 * number + each) for each in range(4)]
            for place, content in zip(("a.png", "f/b.png", "t/u/v/c.png"), contents, strict=False):
                target = outside / str(number) / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                hospital.expect(content)
            here, patient = outside / str(number), hospital.inbox / f"P{number}"
            patient.mkdir()
            (here / "a.png").rename(patient / "a.png")
            (here / "f").rename(hospital.inbox / f"F{number}")
            (here / "t").rename(patient / "t")
            hospital.drop(f"M{number}/x/y/z/d.png", contents[3])
            hospital.fault(4)
        until(hospital.is_drained)
        daemon.stop()
    results = len(hospital.published())
    hospital.check(results == 4 * rounds, f"{results} of {4 * rounds} were published")
    return settle(hospital, "renamed in; mkdir -p and write")


def changes_meanwhile(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 5: overwritten, replaced, rewritten, appended to, deleted at each step of the work."""
    hospital = Hospital(folder, weights)
    steps = (
        "daemon.pipeline.worker_tasks:receive",
        "daemon.pipeline.worker_tasks:analyze_into",
        "daemon.intake.cleanup:leave",
    )
    cases = [(step, change) for step in steps for change in CHANGES]
    chosen = cases if scale > 0.2 else random.Random(5).sample(cases, 3)
    for number, (step, change) in enumerate(chosen):
        _change_at(hospital, step, change, number)
    hospital.drain()
    for path in hospital.inbox.glob(".rejected/*/a.png.reason.txt"):
        hospital.check(False, f"rejected: {path.read_text()}")
    return settle(hospital, "overwrite, delete, append during processing")


def changes_with_real_weights(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 5c: the same with the weights that are shipped."""
    outcome = changes_meanwhile(folder, SHIPPED, scale)
    return replace(outcome, title=f"{outcome.title}, real weights")


def _change_at(
    hospital: Hospital, step: str, change: "Callable[[Hospital, bytes, int], None]", number: int
) -> None:
    """Stop before a step, change the file, go on."""
    gate = hospital.folder / f"gate{number}"
    content = scans.png(1000 + number)
    path = hospital.drop(f"P{number}/a.png", content)
    plan: Plan = ({"at": step, "do": "pause", "nth": 1, "gate": str(gate)},)
    with hospital.once(plan) as daemon:
        reached = until(gate.with_suffix(".reached").exists)
        hospital.check(reached, f"{step} was not reached")
        change(hospital, path, 2000 + number)
        hospital.fault()
        gate.with_suffix(".open").touch()
        code = daemon.wait()
    hospital.check(code == 0, f"{step}, {change.__name__}: code {code}, {daemon.said()}")


def _overwrite(hospital: Hospital, path: bytes, number: int) -> None:
    _forget(hospital, path)
    with open(path, "wb") as stream:
        stream.write(scans.png(number))
    hospital.expect(scans.png(number))


def _append(hospital: Hospital, path: bytes, number: int) -> None:
    hospital.append(path, b"more" * 10)


def _delete(hospital: Hospital, path: bytes, number: int) -> None:
    _forget(hospital, path)
    os.unlink(path)


def _rename(hospital: Hospital, path: bytes, number: int) -> None:
    """Another file is renamed over it, as many copiers do."""
    _forget(hospital, path)
    other = hospital.folder / "other"
    other.write_bytes(scans.png(number))
    other.rename(os.fsdecode(path))
    hospital.expect(scans.png(number))


def _rewrite(hospital: Hospital, path: bytes, number: int) -> None:
    """Other bytes of the same length under the same time, as rsync --inplace -t leaves them."""
    _forget(hospital, path)
    before = os.stat(path)
    other = scans.png(number)[: before.st_size].ljust(before.st_size, b"\0")
    with open(path, "rb+") as stream:
        stream.write(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    hospital.expect(other)


CHANGES = (_overwrite, _append, _delete, _rename, _rewrite)


def _forget(hospital: Hospital, path: bytes) -> None:
    with open(path, "rb") as stream:
        hospital.replace(stream.read())


def duplicates(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 7: the same bytes again, under other names, and under other patients."""
    hospital = Hospital(folder, weights)
    many = max(2, round(20 * scale))
    for number in range(many):
        ending, content = scans.either(number + 2)
        for path in (f"P{number}/a", f"P{number}/b", f"P{number}/deep/a", f"Q{number}/a"):
            hospital.drop(f"{path}{ending}", content)
    slices = scans.dicom(1)
    for number, content in enumerate([*slices, *slices]):
        hospital.drop(f"D/{number:02d}", content)
    hospital.drain()
    again, content = scans.either(2)
    hospital.drop(f"P0/later{again}", content)
    for number, each in enumerate(slices):
        hospital.drop(f"D/later/{number}", each)
    hospital.fault(3 * many + len(slices))
    hospital.drain()
    results, expected = len(hospital.published()), 2 * many + 1
    hospital.check(results == expected, f"{results} results, {expected} expected")
    return settle(hospital, "duplicates")


def replaced_while_leaving(folder: Path, weights: Path, scale: float) -> Outcome:
    """Row 5b: a new file is renamed over the old one just before the old name is taken away."""
    hospital = Hospital(folder, weights)
    gate = folder / "gate"
    path = hospital.drop("P/a.png", scans.png(1))
    plan = {"at": "daemon.safe_files:rename_new", "do": "pause", "nth": 1, "value": ".leaving-"}
    with hospital.once(({**plan, "where": "daemon", "gate": str(gate)},)) as daemon:
        hospital.check(until(gate.with_suffix(".reached").exists), "nothing left")
        new = folder / "new"
        new.write_bytes(scans.png(2))
        shutil.move(new, os.fsdecode(path))
        hospital.expect(scans.png(2))
        hospital.fault()
        gate.with_suffix(".open").touch()
        daemon.wait()
    hospital.drain()
    return settle(hospital, "a new file in the moment of leaving")


ROWS: dict[str, Callable[[Path, Path, float], Outcome]] = {
    "3": slow_copies,
    "3b": paused_copies,
    "4": renames_in,
    "5": changes_meanwhile,
    "5b": replaced_while_leaving,
    "5c": changes_with_real_weights,
    "7": duplicates,
}
