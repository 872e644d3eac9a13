"""How files leave the inbox: done ones go, others move aside, and changed ones always stay."""

import os
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from daemon.drops import Drop, DropKind, DroppedFile, QueuedDrop, State
from daemon.intake import cleanup
from daemon.intake.cleanup import come_back, file_loose, leave
from daemon.intake.inbox_scan import identify


def dropped(inbox: Path, name: str, content: bytes = b"x") -> DroppedFile:
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return identify(name.encode(), path.lstat())


def ended(file: DroppedFile, state: State) -> QueuedDrop:
    drop = Drop(file.path, "P", DropKind.NIFTI, False, (file,))
    return QueuedDrop(1, drop, state, True, 1, "The file is empty.")


def test_a_done_file_goes_and_its_empty_folders_but_not_the_patients(tmp_path: Path) -> None:
    file = dropped(tmp_path, "P/study/series/a.nii")
    leave(tmp_path, ended(file, State.DONE))
    assert list(tmp_path.rglob("*")) == [tmp_path / "P"]


@pytest.mark.parametrize("state", [State.DONE, State.DUPLICATE, State.REJECTED])
def test_a_file_that_changed_meanwhile_stays(tmp_path: Path, state: State) -> None:
    file = dropped(tmp_path, "P/a.nii")
    (tmp_path / "P/a.nii").write_bytes(b"new content")
    leave(tmp_path, ended(file, state))
    assert (tmp_path / "P/a.nii").read_bytes() == b"new content"


def test_a_rejected_file_moves_aside_with_its_reason(tmp_path: Path) -> None:
    file = dropped(tmp_path, "P/s/a.nii")
    leave(tmp_path, ended(file, State.REJECTED))
    assert (tmp_path / ".rejected/P/s/a.nii").read_bytes() == b"x"
    reason = (tmp_path / ".rejected/P/s/a.nii.reason.txt").read_text()
    assert reason == "The file is empty.\n"


def test_names_that_are_taken_are_numbered_and_nothing_is_overwritten(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        leave(tmp_path, ended(dropped(tmp_path, "P/a.nii", content), State.DUPLICATE))
    aside = tmp_path / ".duplicates/P"
    found = {path.name: path.read_bytes() for path in aside.iterdir()}
    assert found == {"a.nii": b"1", "2-a.nii": b"2", "3-a.nii": b"3"}


def test_files_in_very_deep_folders_or_with_long_names_leave_too(tmp_path: Path) -> None:
    room = 4095 - len(f"{tmp_path}/P//a.nii")  # the longest path that Linux allows
    deep = "P/" + ("d" * 99 + "/") * (room // 100 - 1) + "d" * (room % 100 + 100)
    place = tmp_path
    for part in deep.split("/"):
        place = place / part
        place.mkdir()
    (place / "a.nii").write_bytes(b"x")
    file = identify(f"{deep}/a.nii".encode(), (place / "a.nii").lstat())
    leave(tmp_path, ended(file, State.REJECTED))
    assert (tmp_path / ".rejected/P/a.nii").exists()
    long = dropped(tmp_path, "P/" + "n" * 251 + ".nii")
    leave(tmp_path, ended(long, State.REJECTED))
    kept = [path for path in (tmp_path / ".rejected/P").iterdir() if "nn" in path.name]
    assert len(kept) == 2
    assert all(path.name.endswith((".nii", ".nii.reason.txt")) for path in kept)


def test_leaving_twice_does_no_harm(tmp_path: Path) -> None:
    file = dropped(tmp_path, "P/a.nii")
    leave(tmp_path, ended(file, State.DONE))
    assert leave(tmp_path, ended(file, State.DONE)) == {b"P/a.nii": None}


def test_a_folder_named_like_a_file_that_was_set_aside_goes_beside_it(tmp_path: Path) -> None:
    first = dropped(tmp_path, "P/x")
    assert leave(tmp_path, ended(first, State.REJECTED)) == {b"P/x": b".rejected/P/x"}
    second = dropped(tmp_path, "P/x/y")
    assert leave(tmp_path, ended(second, State.REJECTED)) == {b"P/x/y": b".rejected/P/y"}


def test_where_a_file_lies_is_found_again_after_a_crash(tmp_path: Path) -> None:
    dropped(tmp_path, ".duplicates/P/a.nii")
    file = dropped(tmp_path, "P/a.nii")
    there = {b"P/a.nii": b".duplicates/P/2-a.nii"}
    assert leave(tmp_path, ended(file, State.DUPLICATE)) == there
    assert leave(tmp_path, ended(file, State.DUPLICATE)) == there
    come_back(tmp_path, b"P/a.nii", b".duplicates/P/2-a.nii")
    assert identify(b"P/a.nii", (tmp_path / "P/a.nii").lstat()).looks == file.looks


def test_a_loose_rejected_file_is_filed_as_unassigned(tmp_path: Path) -> None:
    leave(tmp_path, ended(dropped(tmp_path, "a.nii"), State.REJECTED))
    assert (tmp_path / ".rejected/unassigned/a.nii").exists()


def test_a_loose_file_never_lands_on_another(tmp_path: Path) -> None:
    dropped(tmp_path, "P/IM1", b"old")
    file_loose(tmp_path, dropped(tmp_path, "IM1", b"new"), "P")
    assert (tmp_path / "P/IM1").read_bytes() == b"old"
    assert (tmp_path / "P/2-IM1").read_bytes() == b"new"


def rewrite_in_place(path: Path, content: bytes) -> None:
    """As `rsync --inplace -t` does: the same inode and size, and the old time put back."""
    before = path.stat()
    time.sleep(0.02)  # the system's clock for files goes in steps of up to 10 ms
    with path.open("r+b") as stream:
        stream.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("state", [State.DONE, State.DUPLICATE, State.REJECTED])
def test_a_file_rewritten_in_place_with_its_old_time_stays(tmp_path: Path, state: State) -> None:
    file = dropped(tmp_path, "P/a.nii", b"old")
    rewrite_in_place(tmp_path / "P/a.nii", b"new")
    queued = replace(ended(file, state), hashes={file.path: sha256(b"old").hexdigest()})
    leave(tmp_path, queued)
    assert (tmp_path / "P/a.nii").read_bytes() == b"new"


def test_a_file_whose_owner_alone_changed_goes_since_its_bytes_are_those_kept(
    tmp_path: Path,
) -> None:
    file = dropped(tmp_path, "P/a.nii", b"old")
    time.sleep(0.02)
    (tmp_path / "P/a.nii").chmod(0o600)
    queued = replace(ended(file, State.DONE), hashes={file.path: sha256(b"old").hexdigest()})
    leave(tmp_path, queued)
    assert not (tmp_path / "P/a.nii").exists()


def test_a_file_rewritten_in_place_after_a_crash_gets_its_name_back(tmp_path: Path) -> None:
    file = dropped(tmp_path, "P/a.nii", b"old")
    (tmp_path / "P/a.nii").rename(tmp_path / "P/.leaving-a.nii")
    rewrite_in_place(tmp_path / "P/.leaving-a.nii", b"new")
    queued = replace(ended(file, State.DONE), hashes={file.path: sha256(b"old").hexdigest()})
    leave(tmp_path, queued)
    assert (tmp_path / "P/a.nii").read_bytes() == b"new"


@pytest.fixture(params=["renameat2", "link"])
def _a_pacs_comes_first(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever name is found free, another file has it before the rename."""
    if request.param == "link":
        monkeypatch.setattr("daemon.safe_files._renameat2", None)
    found = cleanup._free

    def taken_at_once(target: bytes) -> bytes:
        free = found(target)
        if os.path.basename(free) == os.path.basename(target):
            Path(os.fsdecode(free)).write_bytes(b"the PACS's")
        return free

    monkeypatch.setattr(cleanup, "_free", taken_at_once)


@pytest.mark.usefixtures("_a_pacs_comes_first")
def test_nothing_is_renamed_onto_a_file_that_appears_meanwhile(tmp_path: Path) -> None:
    loose, aside = dropped(tmp_path, "IM1", b"ours"), dropped(tmp_path, ".rejected/P/a.nii")
    bad = dropped(tmp_path, "P/b.nii", b"bad")
    file_loose(tmp_path, loose, "P")
    come_back(tmp_path, b"P/a.nii", aside.path)
    places = leave(tmp_path, ended(bad, State.REJECTED))
    found = {path.name: path.read_bytes() for path in (tmp_path / "P").iterdir()}
    pacs = b"the PACS's"
    assert found == {"IM1": pacs, "2-IM1": b"ours", "a.nii": pacs, "2-a.nii": b"x"}
    assert places == {b"P/b.nii": b".rejected/P/2-b.nii"}
    aside_now = {path.name for path in (tmp_path / ".rejected/P").iterdir()}
    assert aside_now == {"b.nii", "2-b.nii", "2-b.nii.reason.txt"}
