"""A PACS export of several studies: each is one scan, and no file is lost or doubled."""

import errno
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless, generate_uid

from daemon.drops import Drop, DropKind
from daemon.index import ledger, queue
from daemon.index.database import Database, open_index, open_records
from daemon.intake.file_stability import Stability
from daemon.intake.inbox_reconciler import Reconciler
from daemon.intake.inbox_scan import NameRules, keep_mark, scan_inbox
from daemon.intake.study_split import part_by_study
from daemon.settings import Settings
from model.reading.dicom.study import read_dicom
from tests.conftest import drain, left_in_inbox, reasons, reports
from tests.phantoms.dicom_series import Change, Series, write_series

BIG = np.random.default_rng(5).integers(0, 999, (64, 60, 6)).astype(np.uint16)


def tagged(**values: Any) -> Change:
    def change(number: int, image: Dataset) -> None:
        for name, value in values.items():
            setattr(image, name, value)

    return change


def export(folder: Path, study: str, name: str, series: str, shift: int = 0) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    what = tagged(StudyInstanceUID=study, FrameOfReferenceUID="1.9", PatientID="P")
    written = Series(name=name, uid=series, prefix="", change=what)
    return write_series(folder, BIG + np.uint16(shift), series=written)


@asynccontextmanager
async def reconciler(
    hospital: Settings, wait: tuple[str, ...]
) -> AsyncIterator[tuple[Reconciler, Database]]:
    """A reconcile whose drops rest at once; `wait`: endings of temporary names."""
    daemon = hospital.daemon
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        await keep_mark(daemon.inbox, index)
        yield (
            Reconciler(daemon.inbox, NameRules((), wait), Stability(0), index, records),
            index,
        )


@pytest.mark.long
def test_two_studies_of_two_series_each_become_two_scans(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    for number, study in enumerate(("1.2.1", "1.2.2")):
        export(patient / f"e{number}" / "a", study, "FLAIR", f"{study}.1", number)
        export(patient / f"e{number}" / "deep" / "b", study, "t1 mprage", f"{study}.2")
    (patient / "DICOMDIR").write_bytes(b"no study")
    (patient / "e1" / "README.txt").write_text("Dear doctor")
    before = {path.relative_to(patient) for path in patient.rglob("*") if path.is_file()}
    done = drain(hospital.daemon.inbox.parent)
    assert done.returncode == 0, done.stderr
    found = reports(hospital)
    assert len(found) == 2
    for report in found:
        given = report["input"]
        assert [each["chosen"] for each in given["series"]] == [True, False]
    kept = [path for path in hospital.daemon.outbox.glob("P/*/source") for path in path.rglob("*")]
    assert len([path for path in kept if path.is_file()]) == len(before) == 26
    assert left_in_inbox(hospital) == []


def test_a_broken_study_does_not_harm_the_other(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "good", "1.2.1", "FLAIR", "1.2.1.1")
    broken = export(patient / "broken", "1.2.2", "FLAIR", "1.2.2.1", 1)
    broken[2].write_bytes(broken[2].read_bytes()[:400])  # no longer says of which study it is
    assert drain(hospital.daemon.inbox.parent).returncode == 1
    assert len(reports(hospital)) == 1
    aside = (hospital.daemon.inbox / ".rejected" / "P").rglob("*.reason.txt")
    assert [path.parent.name for path in aside] == ["broken"] * 6
    assert all("cut off" in reason for reason in reasons(hospital).values())
    assert left_in_inbox(hospital) == []


@pytest.mark.long
def test_the_same_study_again_is_a_duplicate(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    for _ in range(2):
        export(patient / "x", "1.2.1", "FLAIR", "1.2.1.1")
        export(patient / "y", "1.2.2", "FLAIR", "1.2.2.1", 1)
        saved = hospital.daemon.inbox.parent / "copy"
        if not saved.exists():
            shutil.copytree(patient, saved)
        shutil.rmtree(patient)
        shutil.copytree(saved, patient)
        assert drain(hospital.daemon.inbox.parent).returncode == 0
    assert len(reports(hospital)) == 2
    assert len(list((hospital.daemon.inbox / ".duplicates").rglob("0*"))) == 12


async def test_late_files_of_a_waiting_study_join_it(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    first = export(patient / "a", "1.2.1", "FLAIR", "1.2.1.1")
    export(patient / "b", "1.2.2", "FLAIR", "1.2.2.1", 1)
    late = [(path, path.read_bytes()) for path in first[3:]]
    for path, _ in late:
        path.unlink()
    async with reconciler(hospital, ()) as (inbox, index):
        await inbox.look()
        await inbox.look()
        whole = await queue.claim_next(index)
        assert whole is not None
        await ledger.split(
            index,
            whole.drop_id,
            part_by_study(hospital.daemon.inbox, whole.drop, hospital.daemon.outbox),
        )
        await inbox.look()
        assert [len(q.drop.files) for q in await ledger.open_drops(index)] == [3, 6]
        for path, content in late:
            path.write_bytes(content)
        await inbox.look()
        assert [len(q.drop.files) for q in await ledger.open_drops(index)] == [12]
        await inbox.look()
        again = await queue.claim_next(index)
        assert again is not None
        parts = part_by_study(hospital.daemon.inbox, again.drop, hospital.daemon.outbox)
        await ledger.split(index, again.drop_id, parts)
        assert [len(q.drop.files) for q in await ledger.open_drops(index)] == [6, 6]


async def test_a_part_that_waits_already_gives_way_to_a_new_split(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "a", "1.2.1", "FLAIR", "1.2.1.1")
    export(patient / "b", "1.2.2", "FLAIR", "1.2.2.1", 1)
    (drop,) = scan_inbox(hospital.daemon.inbox, NameRules((), ())).drops.values()
    parts = part_by_study(hospital.daemon.inbox, drop, hospital.daemon.outbox)
    async with open_index(hospital.daemon.index) as index:
        await ledger.add_drops(index, parts[:1])
        drop_id = (await ledger.add_drops(index, [drop]))[0]
        await ledger.mark_rested(index, [drop_id])
        assert await queue.claim_next(index)
        await ledger.split(index, drop_id, parts)
        found = await ledger.open_drops(index)
        assert [queued.drop.unit for queued in found] == [part.unit for part in parts]


async def test_a_temporary_name_holds_back_its_patients_dicom_but_not_for_ever(
    hospital: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "a", "1.2.1", "FLAIR", "1.2.1.1")
    export(patient / "URGENT" / "a", "1.2.2", "FLAIR", "1.2.2.1", 1)
    async with reconciler(hospital, (".part",)) as (inbox, index):
        await inbox.look()
        await inbox.look()
        (patient / "old").mkdir()
        (patient / "old" / "x.part").write_bytes(b"x")
        await inbox.look()  # it had rested, but something is still being copied
        assert inbox.unfinished == {b"P"}
        claimed = await queue.claim_next(index)
        assert claimed is not None
        assert claimed.drop.unit == b"P/URGENT"
        assert await queue.claim_next(index) is None
        monkeypatch.setattr(inbox, "_temporary", Stability(0))
        await inbox.look()
        await inbox.look()
        assert inbox.unfinished == set()
        await ledger.put_back(index, claimed, rested=False, count_attempt=False)
        assert await queue.claim_next(index) is not None


async def test_what_lies_in_a_folder_that_cannot_be_read_now_is_not_gone(
    hospital: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(hospital.daemon.inbox / "P" / "a", "1.2.1", "FLAIR", "1.2.1.1")
    listed = os.scandir

    def refused(path: bytes) -> Any:
        if path.endswith(b"/P"):
            raise OSError(errno.EIO, "no")
        return listed(path)

    async with reconciler(hospital, ()) as (inbox, index):
        await inbox.look()
        (waiting,) = await ledger.open_drops(index)
        monkeypatch.setattr(os, "scandir", refused)
        assert await inbox.look()
        assert [each.drop_id for each in await ledger.open_drops(index)] == [waiting.drop_id]
        monkeypatch.undo()
        await inbox.look()
        assert [each.drop_id for each in await ledger.open_drops(index)] == [waiting.drop_id]


def test_a_path_too_long_to_be_repeated_is_kept_by_number(hospital: Settings) -> None:
    folder = hospital.daemon.inbox / "P" / "/".join(["d" * 200] * 6)
    export(folder, "1.2.1", "FLAIR", "1.2.1.1")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    (source,) = hospital.daemon.outbox.glob("P/*/source")
    assert sorted(path.name for path in source.iterdir()) == [f"{n}-{n:04d}" for n in range(6)]


def test_studies_are_told_by_their_headers_alone(tmp_path: Path) -> None:
    export(tmp_path / "P" / "mixed", "1.2.1", "FLAIR", "1.2.1.1")
    export(tmp_path / "P" / "other", "1.2.2", "FLAIR", "1.2.2.1", 1)
    for number, path in enumerate(sorted((tmp_path / "P" / "other").iterdir())):
        path.rename(tmp_path / "P" / "mixed" / f"z{number}")
    (tmp_path / "P" / "text").write_text("no study")
    (drop,) = scan_inbox(tmp_path, NameRules((), ())).drops.values()
    parts = part_by_study(tmp_path, drop, tmp_path)
    assert [len(part.files) for part in parts] == [7, 6]  # the text goes with one of them
    assert {part.place for part in parts} == {b"P"}
    assert len({part.unit for part in parts}) == 2
    assert sorted(file for part in parts for file in part.files) == sorted(drop.files)
    assert drop.kind is DropKind.DICOM
    assert part_by_study(tmp_path, parts[0], tmp_path) == (parts[0],)
    assert isinstance(parts[0], Drop)


def test_a_reexport_with_other_bytes_is_a_duplicate(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    export(patient / "x", "1.2.1", "FLAIR", "1.2.1.1")
    saved = hospital.daemon.inbox.parent / "again"
    saved.mkdir()
    for path in (patient / "x").iterdir():
        image = pydicom.dcmread(path)
        image.StationName = "another archive"
        image.compress(RLELossless, generate_instance_uid=False)
        image.save_as(saved / f"other-{path.name}")
    (saved / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + b"an index of its own")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    shutil.copytree(saved, patient / "y")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    assert len(reports(hospital)) == 1
    assert len(list((hospital.daemon.inbox / ".duplicates").rglob("other-*"))) == 6


@pytest.mark.long
def test_five_thousand_files_of_one_series_are_one_volume(tmp_path: Path) -> None:
    many = np.random.default_rng(1).integers(0, 999, (14, 10, 5000)).astype(np.uint16)
    (tmp_path / "P").mkdir()
    write_series(tmp_path / "P", many)
    (drop,) = scan_inbox(tmp_path, NameRules((), ())).drops.values()
    assert part_by_study(tmp_path, drop, tmp_path) == (drop,)
    volume = read_dicom(tuple(sorted((tmp_path / "P").iterdir())))
    assert np.array_equal(volume.voxels, many)


def renumbered(folder: Path, day: str = "20240229", name: str = "FLAIR") -> tuple[Path, ...]:
    """A series of which an anonymizer gave each file a StudyInstanceUID of its own."""
    folder.mkdir(parents=True, exist_ok=True)

    def change(number: int, image: Dataset) -> None:
        image.StudyInstanceUID = f"1.2.{len(name)}.{day}.{number + 1}"
        image.PatientID, image.StudyDate = "P", day

    series = Series(name=name, uid=f"1.9.{day}.{len(name)}", prefix=name[:2], change=change)
    return write_series(folder, BIG + np.uint16(len(name)), series=series)


def test_a_study_numbered_anew_slice_by_slice_is_one_scan(hospital: Settings) -> None:
    patient = hospital.daemon.inbox / "P"
    renumbered(patient / "a")
    renumbered(patient / "a", name="t1 mprage")
    renumbered(patient / "later", day="20240311")
    done = drain(hospital.daemon.inbox.parent)
    assert done.returncode == 0, done.stderr
    scans = {report["scan_id"]: report for report in reports(hospital)}  # the newest revisions
    found = list(scans.values())
    shapes = [report["input"]["shape"] for report in found]
    assert shapes == [[64, 60, 6], [64, 60, 6]]
    series = [report["input"]["series"] for report in found]
    assert sorted(len(each) for each in series) == [1, 2]
    assert left_in_inbox(hospital) == []


@pytest.mark.long
def test_an_archive_of_studies_numbered_slice_by_slice_is_told_by_its_pictures(
    hospital: Settings,
) -> None:
    outside = hospital.daemon.inbox.parent / "outside"
    renumbered(outside / "a")
    export(outside / "b", "1.2.1", "FLAIR", "1.2.1.1", 7)
    (hospital.daemon.inbox / "P").mkdir()
    shutil.make_archive(str(hospital.daemon.inbox / "P" / "both"), "zip", outside)
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    found = reports(hospital)
    assert [report["input"]["shape"] for report in found] == [[64, 60, 6]] * 2
    uids = {report["input"]["study"]["uid"] for report in found}
    assert uids == {"1.2.1", "1.2.5.20240229.1"}


def test_a_study_sent_again_under_another_number_is_the_same_study(tmp_path: Path) -> None:
    first = export(tmp_path / "P" / "a", "1.2.1", "FLAIR", "1.2.1.1")
    for file in first:
        image = pydicom.dcmread(file)
        image.StudyInstanceUID, image.SOPInstanceUID = "1.2.2", generate_uid()
        image.save_as(file.with_name(f"again-{file.name}"))
    (drop,) = scan_inbox(tmp_path, NameRules((), ())).drops.values()
    assert part_by_study(tmp_path, drop, tmp_path) == (drop,)
    assert len(read_dicom(tuple(sorted((tmp_path / "P" / "a").iterdir()))).series) == 1
