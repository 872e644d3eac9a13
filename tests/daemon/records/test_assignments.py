"""Scans of `unassigned` are given to a patient, once, by the inbox, and a mistake is undone."""

import asyncio
import os
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from daemon.index.people.patients import Patient, find_patient
from daemon.index.people.triage.assignments import assignments
from daemon.index.scans import ScanRow
from daemon.records.patients import CannotBeGiven, finish_placing, give
from daemon.service import run_daemon
from daemon.settings import Settings
from tests.conftest import gliowatch, left_in_inbox, reports, running_daemon, until, worker_here
from tests.model.reading.dicom.test_flair_selection import with_tags
from tests.phantoms.dicom_series import AFFINE, Series, write_series
from tests.phantoms.heads import head, write_nifti
from tests.viewer.test_house import House, house_of, open_house
from viewer.sessions import INDEX, RECORDS


class Crash(Exception):
    """Stands for a kill at this very place."""


def by_patient(settings: Settings) -> dict[str, dict[str, object]]:
    return {str(report["patient_id"]): report for report in reports(settings)}


async def test_given_taken_back_and_given_anew(hospital: Settings) -> None:
    phantom = head()
    polling = hospital.daemon.model_copy(update={"watch": "polling"})
    hospital = hospital.model_copy(update={"daemon": polling})
    write_nifti(hospital.daemon.inbox / "loose.nii.gz", phantom.voxels, phantom.affine)
    async with running_daemon(hospital), house_of(hospital) as house:
        keys = {each: await house.add_patient(each) for each in ("wrong", "right")}
        await until(lambda: by_patient(hospital) and not left_in_inbox(hospital))
        scan_id = str(by_patient(hospital)["unassigned"]["scan_id"])
        assert scan_id in await house.page("/patients/unassigned")

        chosen = {"scan_id": scan_id, "patient_id": "nobody"}
        assert "no patient with this ID" in (await house.post("/patients/unassigned", chosen))[1]
        for _ in range(2):  # the second click doubles nothing
            chosen["patient_id"] = "wrong"
            assert (await house.post("/patients/unassigned", chosen))[0] == 303
        await until(lambda: "wrong" in by_patient(hospital) and not left_in_inbox(hospital))
        target = str(by_patient(hospital)["wrong"]["scan_id"])
        lists = await house.page("/patients/unassigned")
        assert "Every scan is assigned to a patient." in lists
        assert f'href="/scans/{target}"' in lists
        answer = await house.client.get(f"/scans/{scan_id}", allow_redirects=False)
        assert answer.headers["Location"] == f"/scans/{target}"
        pages = [await house.page(path) for path in (f"/scans/{target}", "/")]
        assert not any("filed under another patient" in page for page in pages)
        assert scan_id not in pages[1]

        number = re.search(r'name="assignment" value="(\d+)"', lists)
        assert number is not None
        back = {"assignment": number[1]}
        assert (await house.post("/patients/unassigned/back", back))[0] == 303
        assert "by mistake" in await house.page(f"/scans/{target}", 410)
        for path in ("/", f"/patients/{keys['wrong']}"):
            assert target not in await house.page(path), path
        assert scan_id in await house.page("/patients/unassigned")

        chosen["patient_id"] = "right"
        assert (await house.post("/patients/unassigned", chosen))[0] == 303
        await until(lambda: "right" in by_patient(hospital) and not left_in_inbox(hospital))
        assert "/scans/" in await house.page(f"/patients/{keys['right']}")
        told = [str(report["quality"]) for report in reports(hospital)]
        assert len(told) == 3
        assert not any("filed_twice" in each for each in told)

        wrong = f"/patients/{keys['wrong']}"  # deleted; then the same scan is really dropped there
        assert (await house.post(f"{wrong}/delete", {"typed_id": "wrong"}))[0] == 303
        assert "was deleted" in await house.page(wrong, 410)
        (hospital.daemon.inbox / "wrong" / "mine.nii.gz").write_bytes(
            next(hospital.daemon.outbox.glob(f"wrong/{target}/source/*.gz")).read_bytes()
        )
        await until(lambda: any((hospital.daemon.inbox / ".duplicates").rglob("mine.nii.gz")))
        for path in (wrong, f"/scans/{target}", "/"):
            assert target in await house.page(path), path
    assert (await asyncio.to_thread(gliowatch, hospital, "verify")).returncode == 0


async def unassigned(house: House, scan_id: str, name: str = "a.nii.gz") -> ScanRow:
    """A published scan without a patient, with its file."""
    scan = await house.add_scan("unassigned", scan_id)
    source = house.settings.daemon.outbox / os.fsdecode(scan.folder) / "source"
    source.mkdir()
    (source / name).write_bytes(b"the dropped bytes")
    return scan


async def known(house: House, patient_id: str) -> Patient:
    patient = await find_patient(house.app[RECORDS], await house.add_patient(patient_id))
    assert patient is not None
    return patient


async def test_a_kill_while_it_is_copied_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path) as house:
        index, records, daemon = house.app[INDEX], house.app[RECORDS], house.settings.daemon
        scan, patient = await unassigned(house, "scan1"), await known(house, "P1")

        def fail(*_: object) -> None:
            raise Crash

        with monkeypatch.context() as patched:
            patched.setattr("daemon.safe_files.sync_tree", fail)
            with pytest.raises(Crash):
                await give(index, records, daemon, scan, patient, "N. Urse")
        assert left_in_inbox(house.settings) == ["P1/.given-1/a.nii.gz"]  # hidden from the daemon
        await finish_placing(index, records, daemon, timedelta(minutes=10))  # may be at work yet
        assert left_in_inbox(house.settings) == ["P1/.given-1/a.nii.gz"]
        for _ in range(2):
            await finish_placing(index, records, daemon, timedelta(0))
            assert left_in_inbox(house.settings) == ["P1/given-scan1/a.nii.gz"]
        assert house.in_inbox()[0].read_bytes() == b"the dropped bytes"
        assert await give(index, records, daemon, scan, patient, "N. Urse") is None
        assert len(await assignments(records)) == 1


async def test_what_cannot_be_given(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        index, daemon, patient = house.app[INDEX], house.settings.daemon, await known(house, "P1")
        gone, theirs = [await house.add_scan(*each) for each in (("unassigned", "x"), ("P1", "y"))]
        with pytest.raises(CannotBeGiven, match="no longer in the outbox"):
            await give(index, house.app[RECORDS], daemon, gone, patient, "N. Urse")
        with pytest.raises(CannotBeGiven, match="already belongs to a patient"):
            await give(index, house.app[RECORDS], daemon, theirs, patient, "N. Urse")
        assert house.in_inbox() == []
        assert await assignments(house.app[RECORDS]) == []


def pack_two(archive: Path) -> None:
    """A zip with a study of two patients each, and a text that names none."""
    with zipfile.ZipFile(archive, "w") as packed, TemporaryDirectory() as scratch:
        for number in (1, 2):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            stored = np.random.default_rng(number).integers(0, 999, (64, 60, 6)).astype(np.uint16)
            whose = with_tags(StudyInstanceUID=f"1.2.9.{number}", PatientID=f"real-{number}")
            series = Series(name="FLAIR", uid=f"1.2.9.{number}.1", change=whose)
            for path in write_series(folder, stored, AFFINE, series):
                packed.write(path, f"{number}/{path.name}")


@pytest.mark.long
async def test_one_scan_of_an_archive_is_given_without_the_others(hospital: Settings) -> None:
    async def drain() -> None:
        with worker_here():
            assert await run_daemon(hospital, True, asyncio.Event()) == 0

    (hospital.daemon.inbox / "unassigned").mkdir()
    pack_two(hospital.daemon.inbox / "unassigned" / "both.zip")
    await drain()
    found = {each["input"]["study"]["uid"]: each["scan_id"] for each in reports(hospital)}
    assert set(found) == {"1.2.9.1", "1.2.9.2"}
    async with house_of(hospital) as house:
        await house.add_patient("P")
        chosen = {"scan_id": found["1.2.9.2"], "patient_id": "P"}
        assert (await house.post("/patients/unassigned", chosen))[0] == 303
        (given,) = await assignments(house.app[RECORDS])
    for _ in range(2):
        await drain()  # taken out, then analyzed
    assert left_in_inbox(hospital) == []
    (place,) = hospital.daemon.outbox.glob("P/*")
    assert place.name == given.target
    assert by_patient(hospital)["P"]["input"]["study"]["uid"] == "1.2.9.2"  # type: ignore[index]
    kept = [path for path in (place / "source").rglob("*") if path.is_file()]
    assert len(kept) == 6
    assert not any(b"real-1" in path.read_bytes() for path in kept)
    async with house_of(hospital) as house:
        page = await house.page("/patients/unassigned")
        assert found["1.2.9.1"] in page
    assert (await asyncio.to_thread(gliowatch, hospital, "verify")).returncode == 0
