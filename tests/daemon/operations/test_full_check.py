"""Every published file has its hash: `verify` tells a changed, missing or added byte."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.index.database import Database, open_index
from daemon.index.queue import switch
from daemon.index.result_files import ResultFiles, result_files
from daemon.operations import full_check
from daemon.operations.full_check import DIFFER, NightlyCheck
from daemon.operations.rebuild import rebuild
from daemon.outputs.manifest import compare_files
from daemon.settings import Settings
from model.reading.read import read
from model.volume import Kind, Scan
from tests.conftest import SAMPLES, gliowatch
from tests.daemon.pipeline.published import Given, publish

PICTURE = next((SAMPLES / "a-picture").iterdir())


@pytest.fixture
def results(hospital: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of three results of three patients."""
    monkeypatch.setattr("daemon.operations.verify.SETTLE_SECONDS", 0.0)
    mask = np.zeros(read(Scan(Kind.IMAGE, (PICTURE,))).voxels.shape, np.uint8)
    mask[20:40, 20:40] = 1
    given = [Given(patient, n, PICTURE, Kind.IMAGE, mask) for n, patient in enumerate("ABC")]
    asyncio.run(publish(hospital.daemon.inbox.parent, given))
    return [hospital.daemon.outbox / each.patient / each.scan_id for each in given]


def differences(hospital: Settings, *words: str) -> list[tuple[str, str]]:
    """Code and place of each; what lies in the outbox alone has no drop here."""
    done = gliowatch(hospital, "verify", "--json", *words)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == bool(found["differences"])
    return [(each["code"], each["place"]) for each in found["differences"]]


def test_the_manifest_names_every_other_file_with_its_hash(results: list[Path]) -> None:
    for folder in results:
        name = f"{folder.name}_manifest.json"
        manifest = json.loads((folder / name).read_text())
        told = {each["name"]: (each["size"], each["sha256"]) for each in manifest["files"]}
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != name]
        assert told == {
            str(path.relative_to(folder)): (
                path.stat().st_size,
                sha256(path.read_bytes()).hexdigest(),
            )
            for path in files
        }
        assert (manifest["scan_id"], manifest["revision"]) == (folder.name, 1)


def keep_time(change: Callable[[Path], object]) -> Callable[[Path], object]:
    """The same, and then the file has its old time again."""

    def changed(path: Path) -> None:
        before = path.stat()
        change(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return changed


def edit(path: Path) -> None:
    """The same size: of a JSON file, it is valid after it as well."""
    path.write_bytes(path.read_bytes()[:-1] + b" ")


CHANGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a mask with junk at its end": (
        "_seg.png",
        lambda path: path.write_bytes(path.read_bytes() + b"junk"),
        "changed_file",
    ),
    "an emptied PDF": ("_report.pdf", lambda path: path.write_bytes(b""), "changed_file"),
    "an edited report": ("_report.json", edit, "changed_file"),
    "a deleted picture": ("_overlay.png", Path.unlink, "missing_file"),
    "a manifest of somebody else": ("_manifest.json", edit, "changed_file"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_each_change_is_told_by_its_name(
    hospital: Settings, results: list[Path], what: str
) -> None:
    ending, change, code = CHANGES[what]
    folder = results[1]
    assert differences(hospital) == []
    change(folder / f"{folder.name}{ending}")
    assert (code, f"B/{folder.name}/{folder.name}{ending}") in differences(hospital)


def test_an_added_file_is_told_wherever_it_lies(hospital: Settings, results: list[Path]) -> None:
    (results[0] / "source" / "more.nii").write_bytes(b"x")
    (results[0] / ".hidden").write_bytes(b"x")
    place = f"A/{results[0].name}"
    assert differences(hospital) == [
        ("added_file", f"{place}/.hidden"),
        ("added_file", f"{place}/source/more.nii"),
    ]


def test_an_edit_that_keeps_size_and_time_is_told_by_a_whole_look(
    hospital: Settings, results: list[Path]
) -> None:
    name = f"{results[2].name}_seg.png"
    keep_time(edit)(results[2] / name)
    assert differences(hospital) == []
    assert differences(hospital, "--full") == [("changed_file", f"C/{results[2].name}/{name}")]


def test_another_time_alone_is_no_difference(hospital: Settings, results: list[Path]) -> None:
    for path in results[0].rglob("*"):
        os.utime(path, (1, 1))
    assert differences(hospital) == []


async def kept(hospital: Settings) -> list[ResultFiles]:
    async with open_index(hospital.daemon.index) as index:
        return await result_files(index)


def make_older(hospital: Settings, folder: Path) -> None:
    """As a version before manifests has left it."""
    (folder / f"{folder.name}_manifest.json").unlink()

    async def forget() -> None:
        async with open_index(hospital.daemon.index) as index, index.transaction():
            await index.change(
                "DELETE FROM result_files WHERE folder = ?", (f"A/{folder.name}".encode(),)
            )

    asyncio.run(forget())


def test_an_older_result_is_hashed_at_the_first_whole_look_and_never_red_for_it(
    hospital: Settings, results: list[Path]
) -> None:
    make_older(hospital, results[0])
    before = sorted(path.name for path in results[0].rglob("*"))
    assert differences(hospital) == []
    done = gliowatch(hospital, "verify", "--full")
    assert done.returncode == 0, done.stdout
    assert "Results from before hashes were kept, hashed now: 1." in done.stdout
    assert sorted(path.name for path in results[0].rglob("*")) == before
    assert [each.is_late for each in asyncio.run(kept(hospital))].count(True) == 1
    edit(results[0] / f"{results[0].name}_seg.png")
    assert [code for code, _ in differences(hospital)] == ["changed_file"]


def test_a_whole_look_that_was_cut_off_goes_on_where_it_ended(
    hospital: Settings, results: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    really = compare_files

    def noted(folder: Path, known: Any, whole: bool) -> Any:
        if len(read) == 2:
            read.append(folder)
            raise RuntimeError
        read.append(folder)
        return really(folder, known, whole)

    monkeypatch.setattr(full_check, "compare_files", noted)
    with pytest.raises(RuntimeError):
        gliowatch(hospital, "verify", "--full")
    assert differences(hospital, "--full") == []
    assert sorted(read[:2] + read[3:]) == results
    assert differences(hospital, "--full") == []  # a whole look of its own
    assert sorted(read[4:]) == results


async def test_a_share_is_read_each_night_and_what_differs_is_counted(
    hospital: Settings, results: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    keep_time(edit)(results[2] / f"{results[2].name}_seg.png")
    daemon = hospital.daemon.model_copy(update={"check_share": 0.5})

    async def night(index: Database) -> tuple[int, int]:
        found = await NightlyCheck(daemon, index).check_share()
        return found, await switch(index, DIFFER)

    async with open_index(daemon.index) as index:
        assert await night(index) == (0, 0)
        assert await night(index) == (1, 1)  # those that were read longest ago
    assert "result_differs" in caplog.messages


async def test_an_index_made_again_knows_the_hashes(
    hospital: Settings, results: list[Path]
) -> None:
    before = {each.folder: each.files for each in await kept(hospital)}
    await rebuild(hospital.daemon)
    assert {each.folder: each.files for each in await kept(hospital)} == before


def test_names_with_a_leading_dot_are_counted(hospital: Settings, results: list[Path]) -> None:
    inbox = hospital.daemon.inbox
    (inbox / "P" / ".x").mkdir(parents=True)
    (inbox / "P" / ".x" / "a.nii").write_bytes(b"x")
    (inbox / ".loose.nii").write_bytes(b"x")
    (inbox / "..%2f").mkdir()
    (inbox / "..%2f" / "b.nii").write_bytes(b"x")
    (inbox / ".rejected").mkdir()
    shutil.copy(PICTURE, inbox / ".gliowatch")
    found = json.loads(gliowatch(hospital, "verify", "--json").stdout)
    assert set(found["ignored"]) == {"P/.x", ".loose.nii", "..%2f"}
