"""Zip files: unpacked flat into one folder, within budgets, whatever their members are called."""

import io
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model.errors import UnreadableScan
from model.reading import archive
from model.reading.archive import unpack

MEMBERS = {"scan.nii.gz": b"one" * 50, "notes/deep/er/IM0001": b"two", "Bild ü.PNG": b"three"}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder to unpack into, with a neighbour that must stay untouched."""
    (tmp_path / "neighbour").write_text("mine")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return stream.getvalue()


def unpacked(target: Path, content: bytes) -> tuple[Path, ...]:
    file = target.parent / "patient_name.zip"
    file.write_bytes(content)
    return tuple(unpack(file, target))


def reason(target: Path, content: bytes) -> str:
    with pytest.raises(UnreadableScan) as refused:
        unpacked(target, content)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "patient_name" not in sentence
    return sentence


def test_nested_members_land_flat_with_their_endings(target: Path) -> None:
    files = unpacked(target, zipped(MEMBERS))
    assert [file.name for file in files] == ["0.nii.gz", "1", "2.png"]
    assert [file.read_bytes() for file in files] == list(MEMBERS.values())
    assert {file.parent for file in files} == {target}


@pytest.mark.parametrize(
    "name", ["../neighbour", "../../neighbour", "/neighbour", "..\\neighbour", "a/../../neighbour"]
)
def test_a_member_that_leads_outside_lands_inside(target: Path, name: str) -> None:
    (file,) = unpacked(target, zipped({name: b"theirs"}))
    assert (file, file.read_bytes()) == (target / "0", b"theirs")
    assert (target.parent / "neighbour").read_text() == "mine"
    assert {path.name for path in target.parent.iterdir()} == {
        "neighbour",
        "patient_name.zip",
        "unpacked",
    }


def test_a_link_becomes_a_plain_file(target: Path) -> None:
    link = zipfile.ZipInfo("scan.nii")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr(link, "/etc/passwd")
    (file,) = unpacked(target, stream.getvalue())
    assert not file.is_symlink()
    assert file.read_bytes() == b"/etc/passwd"


def test_folders_hidden_files_and_macos_extras_are_left_out(target: Path) -> None:
    extras = {"a/": b"", ".DS_Store": b"x", "__MACOSX/scan.nii": b"x", "a/.hidden/scan.nii": b"x"}
    files = unpacked(target, zipped({**extras, "a/scan.nii": b"real"}))
    assert [file.read_bytes() for file in files] == [b"real"]


def test_an_archive_without_files_is_refused(target: Path) -> None:
    for members in ({}, {"a/": b""}, {"__MACOSX/a": b"x"}):
        assert reason(target, zipped(members)) == "The zip file holds no files."


def test_what_is_no_zip_is_refused(target: Path) -> None:
    for content in (b"", b"Dear doctor,\n" * 50, b"PK\x03\x04" + bytes(100)):
        assert "damaged or was cut off" in reason(target, content)


def test_a_bomb_is_refused_before_anything_is_unpacked(target: Path) -> None:
    bomb = zipped({"scan.nii": bytes(30_000_000)})
    assert len(bomb) < 100_000
    assert "far more than its size" in reason(target, bomb)
    assert not list(target.iterdir())


def test_too_many_members_or_bytes_are_refused(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    assert "more than one scan" in reason(target, zipped({str(n): b"x" for n in range(4)}))
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    assert "more than one scan" in reason(target, zipped({"scan.nii": b"x" * 101}))
    assert not list(target.iterdir())


def directory(content: bytes) -> int:
    """Where the first entry of the archive's directory begins."""
    return content.index(b"PK\x01\x02")


def test_a_member_larger_than_it_says_is_refused(target: Path) -> None:
    content = bytearray(zipped({"scan.nii": np.random.default_rng(6).bytes(5000)}))
    entry = directory(bytes(content))
    content[entry + 24 : entry + 28] = struct.pack("<I", 10)
    assert reason(target, bytes(content)).startswith("The zip file")
    assert sum(file.stat().st_size for file in target.iterdir()) <= 10


def test_an_encrypted_archive_is_told(target: Path) -> None:
    content = bytearray(zipped({"scan.nii": b"secret"}))
    content[6] |= 1
    content[directory(bytes(content)) + 8] |= 1
    assert "encrypted" in reason(target, bytes(content))


def test_an_unknown_packing_is_told(target: Path) -> None:
    content = bytearray(zipped({"scan.nii": b"odd"}))
    content[8] = content[directory(bytes(content)) + 10] = 97
    assert "unknown way" in reason(target, bytes(content))


def test_a_zip_cut_off_anywhere_is_refused(target: Path) -> None:
    content = zipped(MEMBERS)
    for end in np.linspace(0, len(content) - 1, 60).astype(int):
        assert "cut off" in reason(target, content[:end])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_could_eat_the_memory_are_refused(target: Path, method: int) -> None:
    assert "unknown way" in reason(target, zipped(MEMBERS, method))


def is_refused(target: Path, content: bytes) -> bool:
    try:
        unpacked(target, content)
    except UnreadableScan as refused:
        sentence = str(refused)
        assert sentence.endswith(".")
        return True
    return False


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("flip", [0xFF, 0x01, 0x80])
def test_no_damaged_byte_does_harm(target: Path, method: int, flip: int) -> None:
    content, refused = zipped(MEMBERS, method), 0
    for position in range(len(content)):
        broken = bytearray(content)
        broken[position] ^= flip
        refused += is_refused(target, bytes(broken))
        for file in target.iterdir():
            file.unlink()
    assert 0 < refused < len(content)
    assert len(list(target.parent.iterdir())) == 3
