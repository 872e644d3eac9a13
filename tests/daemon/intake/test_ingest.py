"""Taking in: bytes are copied as they are, and what changed meanwhile is noticed."""

import io
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.drops import Drop, DropKind, DroppedFile
from daemon.intake import ingest
from daemon.intake.dropped_files import FilesChanged
from daemon.intake.inbox_scan import drop_kind, identify
from daemon.intake.ingest import take_in
from model.errors import UnreadableScan
from model.volume import Kind


def dropped(inbox: Path, name: str, content: bytes) -> DroppedFile:
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return identify(name.encode(), path.lstat())


def a_drop(*files: DroppedFile, patient: str = "P") -> Drop:
    kind = drop_kind(os.path.basename(files[0].path))
    unit = os.path.dirname(files[0].path) if kind is DropKind.DICOM else files[0].path
    return Drop(unit, patient, kind, False, files)


def test_the_source_is_kept_byte_for_byte(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    file = dropped(tmp_path, "P/a b ü.nii", content)
    intake = take_in(tmp_path, a_drop(file), tmp_path / "staging")
    assert (tmp_path / "staging/source/a b ü.nii").read_bytes() == content
    assert intake.scan.kind is Kind.NIFTI


def test_the_same_content_is_the_same_scan_whatever_its_name(tmp_path: Path) -> None:
    first = take_in(tmp_path, a_drop(dropped(tmp_path, "P/a.nii", b"x")), tmp_path / "1")
    second = take_in(tmp_path, a_drop(dropped(tmp_path, "P/b.nii", b"x")), tmp_path / "2")
    other = take_in(tmp_path, a_drop(dropped(tmp_path, "P/b.nii", b"y")), tmp_path / "3")
    assert first.scan_id == second.scan_id != other.scan_id


def test_another_patient_makes_another_scan_of_the_same_content(tmp_path: Path) -> None:
    file = dropped(tmp_path, "P/a.nii", b"x")
    first = take_in(tmp_path, a_drop(file, patient="P"), tmp_path / "1")
    second = take_in(tmp_path, a_drop(file, patient="Q"), tmp_path / "2")
    assert first.scan_id != second.scan_id
    assert first.content_sha256 == second.content_sha256


def test_slices_in_another_order_are_the_same_scan(tmp_path: Path) -> None:
    files = [dropped(tmp_path, f"P/s/{n}", bytes([n])) for n in range(4)]
    again = [dropped(tmp_path, f"P/t/{9 - n}", bytes([n])) for n in range(4)]
    first = take_in(tmp_path, a_drop(*files), tmp_path / "1")
    assert first.scan_id == take_in(tmp_path, a_drop(*again), tmp_path / "2").scan_id


def test_a_file_that_grew_since_it_was_seen_is_noticed(tmp_path: Path) -> None:
    file = dropped(tmp_path, "P/a.nii", b"x")
    (tmp_path / "P/a.nii").write_bytes(b"xy")
    with pytest.raises(FilesChanged):
        take_in(tmp_path, a_drop(file), tmp_path / "staging")


def test_a_file_swapped_for_a_link_is_not_followed(tmp_path: Path) -> None:
    file = dropped(tmp_path, "P/a.nii", b"x")
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "P/a.nii").unlink()
    (tmp_path / "P/a.nii").symlink_to(tmp_path / "secret")
    with pytest.raises(FilesChanged):
        take_in(tmp_path, a_drop(file), tmp_path / "staging")


def test_a_zipped_scan_is_the_same_scan(tmp_path: Path) -> None:
    plain = take_in(tmp_path, a_drop(dropped(tmp_path, "P/a.nii", b"x")), tmp_path / "1")
    with zipfile.ZipFile(tmp_path / "P/z.zip", "w") as packed:
        packed.writestr("deep/../a.nii", b"x")
    file = identify(b"P/z.zip", (tmp_path / "P/z.zip").lstat())
    zipped = take_in(tmp_path, a_drop(file), tmp_path / "2")
    assert zipped.scan_id == plain.scan_id
    assert zipped.scan.kind is Kind.NIFTI


def test_a_zip_with_two_scans_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as packed:
        packed.writestr("a.nii", b"x")
        packed.writestr("b.nii", b"y")
    file = identify(b"z.zip", (tmp_path / "z.zip").lstat())
    with pytest.raises(UnreadableScan, match="more than one scan"):
        take_in(tmp_path, a_drop(file), tmp_path / "staging")


def test_a_file_rewritten_while_it_is_copied_is_noticed_though_its_time_was_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = dropped(tmp_path, "P/a.nii", b"o" * 3000)
    place = tmp_path / "P/a.nii"

    class Rewritten(io.FileIO):
        """After the first chunk, another program writes the whole file anew, in place."""

        def read(self, size: int | None = -1, /) -> bytes:
            chunk = super().read(size)
            if self.tell() == 1000:
                time.sleep(0.02)  # the system's clock for files goes in steps of up to 10 ms
                with place.open("r+b") as stream:
                    stream.write(b"n" * 3000)
                os.utime(place, ns=(file.mtime_ns, file.mtime_ns))
            return chunk

    @contextmanager
    def opened(inbox: Path, dropped: DroppedFile) -> Iterator[io.FileIO]:
        with Rewritten(inbox / os.fsdecode(dropped.path)) as stream:
            yield stream

    monkeypatch.setattr(ingest, "CHUNK", 1000)
    monkeypatch.setattr(ingest, "open_dropped", opened)
    with pytest.raises(FilesChanged):
        take_in(tmp_path, a_drop(file), tmp_path / "staging")
