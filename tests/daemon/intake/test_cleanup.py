"""How files leave the inbox: done ones go, others move aside, and changed ones always stay."""

from pathlib import Path

import pytest

from daemon.drops import Drop, DropKind, DroppedFile, QueuedDrop, State
from daemon.intake.cleanup import come_back, file_under, leave
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
    assert identify(b"P/a.nii", (tmp_path / "P/a.nii").lstat()) == file


def test_a_loose_rejected_file_is_filed_as_unassigned(tmp_path: Path) -> None:
    leave(tmp_path, ended(dropped(tmp_path, "a.nii"), State.REJECTED))
    assert (tmp_path / ".rejected/unassigned/a.nii").exists()


def test_a_loose_file_never_lands_on_another(tmp_path: Path) -> None:
    dropped(tmp_path, "P/IM1", b"old")
    file_under(tmp_path, dropped(tmp_path, "IM1", b"new"), "P")
    assert (tmp_path / "P/IM1").read_bytes() == b"old"
    assert (tmp_path / "P/2-IM1").read_bytes() == b"new"
