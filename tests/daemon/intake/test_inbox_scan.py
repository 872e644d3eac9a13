"""What lies in the inbox becomes the right drops, and nothing outside is ever followed."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from daemon.drops import DropKind
from daemon.intake import inbox_scan
from daemon.intake.inbox_scan import InboxScanner, NameRules, scan_inbox
from tests.conftest import deep_folder

RULES = NameRules(("Thumbs.db",), (".part", ".tmp", "~"))


def put(inbox: Path, *names: str) -> None:
    for name in names:
        path = inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_each_nifti_picture_and_zip_is_a_drop_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, "P/a.nii", "P/b.NII.GZ", "P/deep/er/c.png", "P/d.JPEG", "P/e.zip")
    drops = scan_inbox(tmp_path, RULES).drops
    assert {unit: drop.kind for unit, drop in drops.items()} == {
        b"P/a.nii": DropKind.NIFTI,
        b"P/b.NII.GZ": DropKind.NIFTI,
        b"P/deep/er/c.png": DropKind.IMAGE,
        b"P/d.JPEG": DropKind.IMAGE,
        b"P/e.zip": DropKind.ZIP,
    }
    assert {drop.patient_id for drop in drops.values()} == {"P"}


def test_other_files_of_one_patient_are_one_dicom_drop_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path, "P/s/1", "P/s/2.dcm", "P/IM-0001", "P/t/u/v/1", "P/s/a.nii", "Q/1", "P/URGENT/1")
    drops = scan_inbox(tmp_path, RULES).drops
    assert {unit: len(drop.files) for unit, drop in drops.items()} == {
        b"P": 4,
        b"P/URGENT": 1,
        b"P/s/a.nii": 1,
        b"Q": 1,
    }
    assert drops[b"P/s/a.nii"].kind is DropKind.NIFTI
    assert drops[b"P/URGENT"].urgent


def test_text_files_travel_with_the_scan_of_their_name(tmp_path: Path) -> None:
    put(tmp_path, "P/a.nii.gz", "P/a.json", "P/b.png", "P/b.txt", "P/c.json", "P/s/1", "P/s/1.txt")
    drops = scan_inbox(tmp_path, RULES).drops
    found = {unit: [file.path for file in drop.files] for unit, drop in drops.items()}
    assert found == {
        b"P/a.nii.gz": [b"P/a.json", b"P/a.nii.gz"],
        b"P/b.png": [b"P/b.png", b"P/b.txt"],
        b"P": [b"P/c.json", b"P/s/1", b"P/s/1.txt"],
    }
    assert drops[b"P/a.nii.gz"].kind is DropKind.NIFTI


def test_a_thousand_nested_folders_are_looked_through(tmp_path: Path) -> None:
    with deep_folder(tmp_path / "P") as deep:
        (deep / "a.nii").write_bytes(b"x")
        assert len(scan_inbox(tmp_path, RULES).drops) == 1


def test_loose_files_are_unassigned_or_wait_to_be_filed(tmp_path: Path) -> None:
    put(tmp_path, "a.nii", "b")
    drops = scan_inbox(tmp_path, RULES).drops
    assert drops[b"a.nii"].patient_id == "unassigned"
    assert drops[b"a.nii"].patient_folder == b"unassigned"
    assert drops[b"b"].kind is DropKind.LOOSE


def test_hidden_ignored_and_temporary_names_are_no_drops(tmp_path: Path) -> None:
    put(tmp_path, "P/.x.nii", ".rejected/P/a.nii", "P/Thumbs.db", "P/a.nii.part", "P/b.nii~")
    listing = scan_inbox(tmp_path, RULES)
    assert listing.drops == {}
    assert list(listing.unfinished) == [b"P"]
    assert [file.path for file in listing.unfinished[b"P"]] == [b"P/a.nii.part", b"P/b.nii~"]


def test_folders_of_systems_and_tools_are_not_looked_into(tmp_path: Path) -> None:
    for folder in ("@eaDir", "#recycle", "__MACOSX", "lost+found", ".git", "$RECYCLE.BIN"):
        put(tmp_path, f"{folder}/a.nii", f"P/{folder}/b.jpg", f"P/s/{folder}/IM1")
    put(tmp_path, "P/a.nii", "P/._a.nii", "P/s/DESKTOP.INI", "P/s/IM1")
    listing = scan_inbox(tmp_path, RULES)
    found = {unit: [file.path for file in drop.files] for unit, drop in listing.drops.items()}
    assert found == {b"P/a.nii": [b"P/a.nii"], b"P": [b"P/s/IM1"]}
    assert len(listing.ignored) == 3 * 6 + 2
    assert listing.unfinished == {}


def test_running_transfers_hold_up_the_dicom_of_their_folder(tmp_path: Path) -> None:
    put(tmp_path, "P/IM1", "P/.IM2.aB3dE6", "Q/IM1", "Q/.~tmp~/IM2", "R/a.zip.download/a.zip")
    put(tmp_path, "S.filepart/IM1", "T/IM1", "T/.hidden")
    listing = scan_inbox(tmp_path, RULES)
    assert set(listing.drops) == {b"P", b"Q", b"T"}
    assert {folder: len(files) for folder, files in listing.unfinished.items()} == {
        b"P": 1,
        b"Q/.~tmp~": 1,
        b"R/a.zip.download": 1,
        b"S.filepart": 1,
    }
    assert listing.ignored == [b"T/.hidden"]


def test_our_own_names_are_neither_ignored_nor_waited_for(tmp_path: Path) -> None:
    put(tmp_path, ".gliowatch", ".gliowatch.lock", ".rejected/P/a", ".duplicates/P/a")
    put(tmp_path, ".uploading/x/patient/a.nii", "P/.leaving-IM.aB3dE6")
    listing = scan_inbox(tmp_path, RULES)
    assert (listing.ignored, listing.unfinished, listing.drops) == ([], {}, {})
    assert listing.half_gone == [b"P/.leaving-IM.aB3dE6"]


def test_links_pipes_and_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside, "secret.nii")
    inbox = tmp_path / "inbox"
    put(inbox, "P/real.nii")
    (inbox / "P" / "link.nii").symlink_to(outside / "secret.nii")
    (inbox / "Q").symlink_to(outside)
    os.mkfifo(inbox / "P" / "pipe.nii")
    assert list(scan_inbox(inbox, RULES).drops) == [b"P/real.nii"]


def test_urgent_is_the_folder_right_below_the_patient(tmp_path: Path) -> None:
    put(tmp_path, "P/URGENT/a.nii", "P/x/URGENT/b.nii", "URGENT/c.nii")
    drops = scan_inbox(tmp_path, RULES).drops
    assert {unit: drop.urgent for unit, drop in drops.items()} == {
        b"P/URGENT/a.nii": True,
        b"P/x/URGENT/b.nii": False,
        b"URGENT/c.nii": False,
    }


def test_names_that_are_not_utf8_are_kept_apart_and_shown(tmp_path: Path) -> None:
    for name in (b"P\xe4", b"P\xe5"):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        with open(os.path.join(folder, b"a.nii"), "wb") as stream:
            stream.write(b"x")
    drops = scan_inbox(tmp_path, RULES).drops
    assert sorted(drop.patient_id for drop in drops.values()) == ["P\\xe4", "P\\xe5"]
    assert drops[b"P\xe4/a.nii"].patient_folder == b"P\xe4"


def opened(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The folders that are opened from now on, by their names."""
    names: list[bytes] = []
    really = os.scandir

    def noted(path: bytes) -> Any:
        names.append(os.path.basename(path))
        return really(path)

    monkeypatch.setattr(os, "scandir", noted)
    return names


def test_a_folder_that_was_empty_and_is_unchanged_is_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("P", "Q"):
        (tmp_path / name).mkdir()
    scanner, now = InboxScanner(tmp_path, RULES), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    names = opened(monkeypatch)
    for moment, expected in ((0, b"PQ"), (1, b"PQ"), (2, b"PQ"), (3, b"")):
        now[0] = moment
        scanner.scan()
        assert b"".join(names[1:]) == expected
        names.clear()
    old = (tmp_path / "P").stat()
    (tmp_path / "P" / "a.nii").write_bytes(b"x")
    os.utime(tmp_path / "P", ns=(old.st_atime_ns, old.st_mtime_ns))  # as rsync -t puts it back
    assert list(scanner.scan().drops) == [b"P/a.nii"]
    assert b"".join(names[1:]) == b"P"


def test_over_a_network_every_folder_is_opened_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "P").mkdir()
    scanner = InboxScanner(tmp_path, RULES, trusts_times=False)
    monkeypatch.setattr(inbox_scan, "SURE_SECONDS", 0.0)
    names = opened(monkeypatch)
    for _ in range(4):
        scanner.scan()
    assert names.count(b"P") == 4


def test_between_two_whole_scans_only_what_changed_or_holds_files_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("O", "P", "Q"):
        (tmp_path / name).mkdir()
    (tmp_path / "P" / "a.nii").write_bytes(b"x")
    scanner = InboxScanner(tmp_path, RULES)
    scanner.scan()
    (tmp_path / "Q" / "b.nii").write_bytes(b"x")
    names = opened(monkeypatch)
    assert list(scanner.scan([b"Q", b".rejected", b"gone"]).drops) == [b"P/a.nii", b"Q/b.nii"]
    assert names == [b"P", b"Q"]
    (tmp_path / "P" / "a.nii").unlink()
    assert list(scanner.scan([]).drops) == [b"Q/b.nii"]
    assert list(scanner.scan().drops) == [b"Q/b.nii"]
