"""An index that is lost, damaged or half made again: never taken for a new or a whole one."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from daemon.drops import Drop, DroppedFile, QueuedDrop, State
from daemon.index import ledger
from daemon.index.database import Database, open_index
from daemon.index.queue import claim_next
from daemon.intake.inbox_scan import drop_kind, keep_mark
from daemon.operations import rebuild as rebuilding
from daemon.operations.rebuild import rebuild, unfinished_file
from daemon.pipeline.lost_index import IndexLost, is_lost
from daemon.service import open_service, run_daemon
from daemon.settings import DaemonSettings, Settings
from model.reading.dicom.patient_tags import named_in
from model.reading.read import read
from model.volume import Kind, Scan
from tests.conftest import SAMPLES, drain, gliowatch, reports, until
from tests.daemon.operations.test_verify import picture
from tests.daemon.pipeline.published import Given, publish_folder
from tests.daemon.test_systemd import Supervisor, supervisor
from tests.model.reading.dicom.test_patient_tags import tagged
from tests.phantoms.reports import make_report

__all__ = ["supervisor"]
PICTURE = next((SAMPLES / "a-picture").iterdir())

LISTS = {
    "worklist": "scan_id, patient_id, stage, finding, volume_ml, side, acquired_at, accession,"
    " growth, flags, is_doubtful, corrected_by, judged, revision, decision, looked_up, brief,"
    " folder, content_sha256",
    "worklist_flags": "code, scan_id",
    "patient_scans": "patient_id, scans",
    "totals": "finding, scans, round(read_seconds, 3), round(write_seconds, 3)",
    "scan_figures": "scan_id, scanner, finding, is_flagged, confidence, decision, dice",
    "month_figures": "scanner, figure, value, scans",
    "sqlite_master": "type, name, tbl_name, sql",
}


def lists(index: Path) -> dict[str, set[tuple[object, ...]]]:
    """What the index derives, without numbers that count changes and times of entry."""
    with closing(sqlite3.connect(index)) as database:
        return {
            table: set(database.execute(f"SELECT {columns} FROM {table}"))
            for table, columns in LISTS.items()
        }


def lose(index: Path) -> None:
    for path in index.parent.glob(f"{index.name}*"):
        path.unlink()


@pytest.fixture
def site(hospital: Settings) -> Settings:
    """Results of two patients, one with two revisions, entered as the daemon enters them; a
    duplicate and a rejected file, set aside."""
    asyncio.run(fill(hospital))
    return hospital


async def fill(hospital: Settings) -> None:
    daemon = hospital.daemon
    mask = np.zeros(read(Scan(Kind.IMAGE, (PICTURE,))).voxels.shape, np.uint8)
    mask[20:40, 20:40] = 1
    content = PICTURE.read_bytes()
    first = Given("A", 1, PICTURE, Kind.IMAGE, mask, acquired_at="2024-05-06T07:08:09")
    results = [first, replace(first, revision=2), Given("B", 2, PICTURE, Kind.IMAGE, mask)]
    async with open_index(daemon.index) as index:
        await keep_mark(daemon.inbox, index)
        for number, given in enumerate(results):
            row = publish_folder(daemon.outbox, given)
            claim = await claimed(index, given.patient, b"%d.png" % number)
            hashes = {claim.drop.files[0].path: sha256(content).hexdigest()}
            await ledger.finish(index, claim, row, hashes)
            await ledger.mark_left(index, claim.drop_id, {claim.drop.files[0].path: None})
        for state, name in ((State.DUPLICATE, "again.png"), (State.REJECTED, "bad.nii")):
            claim = await claimed(index, "A", name.encode())
            path = claim.drop.files[0].path
            if state is State.DUPLICATE:
                await ledger.finish_duplicate(index, claim, first.scan_id)
                aside = b".duplicates/" + path
            else:
                await ledger.reject(index, claim, "It is no scan.")
                aside = b".rejected/" + path
            place = daemon.inbox / aside.decode()
            place.parent.mkdir(parents=True)
            place.write_bytes(content)
            if state is State.REJECTED:
                place.with_name("bad.nii.reason.txt").write_text("It is no scan.\n")
            await ledger.mark_left(index, claim.drop_id, {path: aside})


async def claimed(index: Database, patient: str, name: bytes) -> QueuedDrop:
    path = patient.encode() + b"/" + name
    kind = drop_kind(name)
    drop = Drop(path, patient, kind, False, (DroppedFile(path, 1, 1, 1),))
    await ledger.mark_rested(index, await ledger.add_drops(index, [drop]))
    claim = await claim_next(index, "me")
    assert claim is not None
    return claim


def states(settings: Settings) -> dict[str, int]:
    with closing(sqlite3.connect(settings.daemon.index)) as database:
        return dict(database.execute("SELECT state, count(*) FROM drops GROUP BY state"))


ENDED = {"done": 3, "duplicate": 1, "rejected": 1}


@pytest.mark.parametrize("emptied", [False, True])
def test_a_lost_index_is_refused_by_commands_and_made_again_at_the_start(
    site: Settings, emptied: bool, caplog: pytest.LogCaptureFixture
) -> None:
    index = site.daemon.index
    before = lists(index)
    lose(index)
    if emptied:  # as `gliowatch queue list` once did
        asyncio.run(make_empty(index))
    for words in (("queue", "list"), ("verify",), ("export",)):
        refused = gliowatch(site, *words)
        assert refused.returncode == 2
        assert "is missing or empty, but the outbox is full" in refused.stderr
    assert index.exists() is emptied
    asyncio.run(started(site))
    assert "index_lost" in caplog.messages
    assert lists(index) == before
    assert states(site) == ENDED
    checked = gliowatch(site, "verify")
    assert checked.returncode == 0, checked.stdout


async def started(settings: Settings) -> None:
    """As far as the daemon is before its first look."""
    async with open_service(settings, once=False):
        pass


async def make_empty(index: Path) -> None:
    async with open_index(index):
        pass


async def test_a_duplicate_knows_its_scan_again(site: Settings) -> None:
    ask = "SELECT patient_id, scan_id FROM drops WHERE state = 'duplicate'"
    await rebuild(site.daemon)
    with closing(sqlite3.connect(site.daemon.index)) as database:
        assert list(database.execute(ask)) == [("A", f"{1:020x}")]


async def test_a_report_of_before_gets_its_scanner_from_its_files(hospital: Settings) -> None:
    name = f"{7:020x}"
    source = hospital.daemon.outbox / "P" / name / "source"
    source.mkdir(parents=True)
    files = tagged(source, Manufacturer="SIEMENS", ManufacturerModelName="Aera")
    study = {"uid": named_in(files).uids[0], "accession": "", "date": "", "station": "MR7"}
    report = make_report(scan_id=name, patient_id="P", input={"kind": "dicom", "study": study})
    source.with_name(f"{name}_report.json").write_text(report.as_text())
    await rebuild(hospital.daemon)
    async with open_index(hospital.daemon.index) as index:
        (row,) = await index.rows("SELECT scanner FROM scan_figures")
    assert row["scanner"] == "Siemens Aera MR7"


async def test_half_an_index_is_never_taken_for_a_whole_one_and_goes_on(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lists(site.daemon.index)
    read_again: list[bytes] = []
    really = rebuilding._found_in

    def noted(daemon: DaemonSettings, folders: list[bytes]) -> object:
        read_again.extend(folders)
        return really(daemon, folders)

    monkeypatch.setattr(rebuilding, "_found_in", noted)
    with monkeypatch.context() as cut_off:
        cut_off.setattr(rebuilding, "queue_all_stale", None)  # all but the very end is done
        with pytest.raises(TypeError):
            await rebuild(site.daemon)
    assert len(read_again) == 3
    assert not site.daemon.index.exists()
    assert await is_lost(site.daemon)
    await rebuild(site.daemon)
    assert len(read_again) == 3  # nothing was read twice
    assert not unfinished_file(site.daemon.index).exists()
    assert lists(site.daemon.index) == whole
    assert states(site) == ENDED


async def test_the_daemon_notices_that_its_index_is_gone(hospital: Settings) -> None:
    picture(hospital.daemon.inbox / "A" / "a.png", 1)
    stop = asyncio.Event()
    work = asyncio.create_task(run_daemon(hospital, False, stop))
    await until(lambda: reports(hospital))
    lose(hospital.daemon.index)
    with pytest.raises(IndexLost, match="was deleted or replaced while gliowatch ran"):
        await asyncio.wait_for(work, 120)
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    checked = await asyncio.to_thread(gliowatch, hospital, "verify")
    assert checked.returncode == 0, checked.stdout


async def test_systemd_is_asked_for_time_and_told_how_far_it_is(
    site: Settings, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(site.daemon.index)
    monkeypatch.setenv("NOTIFY_SOCKET", str(site.daemon.inbox.parent / "notify"))
    await started(site)
    await until(lambda: len(supervisor.messages) == 2)
    assert supervisor.messages == [
        "EXTEND_TIMEOUT_USEC=60000000",
        "STATUS=Making the index again: 3 of 3 results.",
    ]
