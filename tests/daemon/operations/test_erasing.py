"""The steps by which the documents erase a patient: afterwards no file of the site has the name."""

import asyncio
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from daemon.index.database import open_index, open_records
from daemon.index.people.patients import patients_by_id
from daemon.index.scans import scans_of_patient
from daemon.records.patients import delete
from daemon.service import run_daemon
from daemon.settings import Settings
from tests.conftest import ROOT, gliowatch, reports
from tests.daemon.operations.test_verify import picture
from tests.phantoms.dicom_series import Series, write_series

PATIENT, NAME, BROKEN = "QUORB77", "Wexlefile", "Zibbeldy"
PAGE = ROOT / "docs" / "data-protection.md"
ROW = re.compile(r"^\| ?(.*) \| (.*) \|$", re.MULTILINE)


def write_study(folder: Path) -> None:
    """A series of the marked patient."""

    def named(number: int, image: Dataset) -> None:
        image.PatientID, image.PatientName = PATIENT, f"{NAME}^Ada"

    folder.mkdir(parents=True)
    write_series(folder, series=Series(change=named))


def drop_all(inbox: Path) -> None:
    """A study, a file that cannot be read, and somebody else's picture."""
    write_study(inbox / PATIENT / "study")
    (inbox / PATIENT / f"{BROKEN}.nii.gz").write_bytes(b"no scan at all")
    picture(inbox / "OTHER" / "head.png", 3)


def places(side: int, scan_id: str) -> list[str]:
    """The patterns of one column of the page's table of folders: 0 the inbox, 1 the outbox."""
    table = PAGE.read_text().partition("| in the inbox | in the outbox |")[2].partition("\n\n")[0]
    codes = [re.findall(r"`([^`]+)/`", row[side]) for row in ROW.findall(table)]
    filled = (code.replace("<patient>", PATIENT) for found in codes for code in found)
    return [each.replace("<scan_id>", scan_id) for each in filled if each != ".extra"]


def holders(folder: Path, word: str) -> set[str]:
    """The files below that bear a word in their name or hold it, whatever its case."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    small = word.casefold()
    return {
        str(path.relative_to(folder))
        for path in files
        if small in str(path.relative_to(folder)).casefold()
        or small.encode() in path.read_bytes().lower()
    }


def tops(paths: set[str]) -> set[str]:
    return {path.partition("/")[0] for path in paths}


async def deleted_by_a_person(settings: Settings) -> list[str]:
    """As the page of the patient does, and as if 30 days had gone by; the patient's scans."""
    async with (
        open_index(settings.daemon.index) as index,
        open_records(settings.daemon.records) as records,
    ):
        patient = (await patients_by_id(records, [PATIENT]))[PATIENT]
        assert NAME in patient.name
        scans = await scans_of_patient(index, PATIENT)
        await delete(index, records, patient, "ada")
        async with records.transaction():
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            await records.change("UPDATE deleted_patients SET erase_at = ?", (moment,))
    return [scan.scan_id for scan in scans]


def remove_as_told(settings: Settings, scan_ids: list[str]) -> None:
    for scan_id in scan_ids:
        for base, side in ((settings.daemon.inbox, 0), (settings.daemon.outbox, 1)):
            for pattern in places(side, scan_id):
                for folder in base.glob(pattern):
                    shutil.rmtree(folder)
    extra = settings.daemon.outbox / ".extra"
    for found in {path.parts[0] for path in map(Path, holders(extra, NAME))}:
        shutil.rmtree(extra / found)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_after_the_steps_of_the_page_no_file_has_the_name(hospital: Settings) -> None:
    site = hospital.daemon.inbox.parent
    drop_all(hospital.daemon.inbox)
    await run_daemon(hospital, True, asyncio.Event())
    assert tops(holders(site, NAME)) == {"outbox", "records.sqlite"}
    assert tops(holders(site, BROKEN)) == {"inbox", "index.sqlite"}
    scan_ids = await deleted_by_a_person(hospital)
    assert scan_ids
    remove_as_told(hospital, scan_ids)
    rebuilt = await asyncio.to_thread(gliowatch, hospital, "verify", "--rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout
    old = re.search(r"is kept as (\S+)\.\n", rebuilt.stdout)
    assert old is not None
    for path in site.glob(f"{old[1]}*"):
        path.unlink()
    code = await run_daemon(hospital, True, asyncio.Event())  # it erases what was entered
    assert code == 0
    assert holders(site, NAME) == set()
    assert holders(site, BROKEN) == set()
    stays = holders(site, PATIENT)  # the ID, as the page says
    assert stays == {"index.sqlite", "records.sqlite"}
    assert [report["patient_id"] for report in reports(hospital)] == ["OTHER"]
    verified = await asyncio.to_thread(gliowatch, hospital, "verify")
    assert verified.returncode == 0, verified.stdout
