"""What was taken out of an archive takes its place, also after a kill at any point."""

import zipfile
from pathlib import Path

import pytest

from daemon.drops import Drop, DropKind
from daemon.intake.dropped_files import FilesChanged
from daemon.intake.given_archives import put_in_place, scan_given, take_out
from daemon.intake.inbox_scan import identify
from model.errors import UnreadableScan

PLACE = b"P/given-5ca1/both.zip"


def drop_of(inbox: Path, path: bytes = PLACE) -> Drop:
    file = inbox / path.decode()
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a", b"one")
    return Drop(path, "P", DropKind.ZIP, False, (identify(path, file.stat()),))


def taken_in(folder: Path) -> Path:
    folder.mkdir()
    (folder / "0").write_bytes(b"taken out")
    return folder


def lying(inbox: Path) -> dict[str, bytes]:
    files = (path for path in (inbox / "P").rglob("*") if path.is_file())
    return {str(path.relative_to(inbox / "P" / "given-5ca1")): path.read_bytes() for path in files}


@pytest.mark.parametrize("left", ["", ".files", "files"])
def test_a_kill_before_or_after_the_rename_doubles_nothing(tmp_path: Path, left: str) -> None:
    drop = drop_of(tmp_path)
    if left:  # the half of a copy, or the whole one
        folder = tmp_path / "P" / "given-5ca1" / left
        folder.mkdir()
        (folder / "0").write_bytes(b"half" if left.startswith(".") else b"taken out")
    put_in_place(tmp_path, drop, taken_in(tmp_path / "taken"))
    assert lying(tmp_path) == {"files/0": b"taken out"}


@pytest.mark.parametrize("at", ["taken", "taken/0", "taken/below", "taken/below/0"])
def test_a_link_that_a_worker_left_is_never_followed(tmp_path: Path, at: str) -> None:
    drop, others = drop_of(tmp_path), tmp_path / "others"
    others.mkdir()
    (others / "0").write_bytes(b"of somebody else")
    link = tmp_path / at
    link.parent.mkdir(exist_ok=True, parents=True)
    link.symlink_to(others if at in ("taken", "taken/below") else others / "0")
    with pytest.raises(OSError, match=r"\S"):
        put_in_place(tmp_path, drop, tmp_path / "taken")
    assert (tmp_path / PLACE.decode()).exists()
    assert b"of somebody else" not in lying(tmp_path).values()
    assert "files" not in {path.name for path in (tmp_path / "P" / "given-5ca1").iterdir()}


def test_an_archive_that_is_another_one_now_stays(tmp_path: Path) -> None:
    drop = drop_of(tmp_path)
    (tmp_path / PLACE.decode()).write_bytes(b"another")
    with pytest.raises(FilesChanged):
        put_in_place(tmp_path, drop, taken_in(tmp_path / "taken"))
    assert lying(tmp_path) == {"both.zip": b"another"}


def test_what_names_no_study_is_not_taken_for_the_whole_archive(tmp_path: Path) -> None:
    with pytest.raises(UnreadableScan, match="does not hold"):
        take_out(tmp_path, drop_of(tmp_path), tmp_path, None)


@pytest.mark.parametrize(
    ("path", "scan_id"),
    [(PLACE, "5ca1"), (b"P/both.zip", ""), (b"given-5ca1/both.zip", ""), (b"both.zip", "")],
)
def test_whose_archive_it_is(tmp_path: Path, path: bytes, scan_id: str) -> None:
    assert scan_given(drop_of(tmp_path, path)) == scan_id
