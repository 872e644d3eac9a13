"""What NAS, systems and copying programs leave in an inbox, a folder, a zip and an upload."""

import json
import os
import shutil
import zipfile
from pathlib import Path

from daemon.index import set_aside
from daemon.index.database import open_index, open_records
from daemon.intake.file_stability import Stability
from daemon.intake.inbox_reconciler import Reconciler
from daemon.intake.inbox_scan import NameRules, keep_mark
from daemon.intake.uploads import stage_upload
from daemon.settings import Settings
from tests.conftest import SAMPLES, drain, gliowatch, left_in_inbox, reports

CASE = "cases/90-synology-eadir"
PICTURE = next((SAMPLES / "a-picture").iterdir())


def test_thumbnails_of_a_nas_are_no_scans(hospital: Settings, shared_data: Path) -> None:
    inbox = hospital.daemon.inbox
    shutil.copytree(shared_data / CASE, inbox, dirs_exist_ok=True)
    foreign = [path for path in left_in_inbox(hospital) if "@eaDir" in path]
    assert len(foreign) == 3
    done = drain(inbox.parent)
    assert done.returncode == 0, done.stderr
    assert sorted(str(each["patient_id"]) for each in reports(hospital)) == ["P-SYNO", "P-SYNOJPG"]
    assert left_in_inbox(hospital) == foreign
    told = gliowatch(hospital, "verify", "--json")
    account = json.loads(told.stdout)
    assert (told.returncode, account["files"]["ignored_names"]) == (0, 2)
    assert account["ignored"] == ["P-SYNO/@eaDir", "P-SYNOJPG/@eaDir"]
    assert "P-SYNO/@eaDir\n" in gliowatch(hospital, "verify").stdout


def test_a_zip_from_a_mac_or_a_nas_is_its_scan_alone(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    (inbox / "P").mkdir()
    with zipfile.ZipFile(inbox / "P" / "a.zip", "w") as archive:
        archive.write(PICTURE, "study/a.jpg")
        archive.write(PICTURE, "study/@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg")
        archive.write(PICTURE, "__MACOSX/study/._a.jpg")
        archive.writestr("study/desktop.ini", "x")
    assert drain(inbox.parent).returncode == 0
    assert len(reports(hospital)) == 1


def test_a_zip_with_a_transfer_that_had_not_finished_is_refused(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    (inbox / "P").mkdir()
    with zipfile.ZipFile(inbox / "P" / "a.zip", "w") as archive:
        archive.write(PICTURE, "a.jpg")
        archive.writestr("b.nii.gz.filepart", "half")
    assert drain(inbox.parent).returncode == 1
    (reason,) = (inbox / ".rejected").rglob("*.reason.txt")
    assert "whose transfer had not finished" in reason.read_text()


def test_segment_of_a_folder_leaves_out_and_refuses_the_same(
    hospital: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(SAMPLES / "from-the-pacs" / "study", folder)
    (folder / "@eaDir").mkdir()
    shutil.copy(PICTURE, folder / "@eaDir" / "thumb.jpg")
    (folder / "._1").write_bytes(b"x")
    words = ("segment", str(folder), "-o", str(tmp_path / "out"), "--json")
    done = gliowatch(hospital, *words)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert report["input"]["files"] == len(list((SAMPLES / "from-the-pacs" / "study").iterdir()))
    (folder / "IM7.part").write_bytes(b"half")
    (entry,) = json.loads(gliowatch(hospital, *words).stdout)
    assert entry == {"scan": str(folder), "reason": "IM7.part is still being copied."}


def test_an_upload_leaves_out_the_same(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    held = stage_upload(inbox, NameRules((), ()))
    for path in ("s/a.nii.gz", "s/@eaDir/a.nii.gz", "s/._a.nii.gz", "__MACOSX/b.nii", "Thumbs.db"):
        stream, target = held.open(path)
        held.write(stream, b"x")
        held.keep(stream, target)
    assert held.count == 1
    assert len(held.listing().drops) == 1
    place = held.send("P")
    assert [path.name for path in (inbox / place).rglob("*") if path.is_file()] == ["a.nii.gz"]
    assert not list((inbox / ".uploading").rglob("*.nii*"))


async def test_a_stalled_transfer_is_told_and_never_moved(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    (inbox / "P").mkdir()
    moving, left = inbox / "P" / "IM2.filepart", inbox / "Q.zip.crdownload"
    for path in (inbox / "P" / "IM1", moving, left):
        path.write_bytes(b"half")
    now = 0.0
    async with (
        open_index(hospital.daemon.index) as index,
        open_records(hospital.daemon.records) as records,
    ):
        await keep_mark(inbox, index)
        looks = Reconciler(inbox, NameRules((), ()), Stability(0), index, records)
        looks._temporary = Stability(3600, clock=lambda: now)
        await looks.look()
        assert await set_aside.stalled(index) == {}
        now = 3601
        moving.write_bytes(b"half and more")
        await looks.look()
        assert list(await set_aside.stalled(index)) == [b"Q.zip.crdownload"]
        assert looks.unfinished == {b"P"}
        again = Reconciler(inbox, NameRules((), ()), Stability(0), index, records)
        await again.look()  # after a restart it is known
        assert await set_aside.stalled(index) == {b"Q.zip.crdownload": left.stat().st_mtime_ns}
        os.rename(left, inbox / "Q.zip")
        await again.look()
        assert await set_aside.stalled(index) == {}
    assert moving.exists()
