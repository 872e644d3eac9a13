"""Whatever the umask, what holds patients is not for every user of the machine."""

import grp
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.settings import Settings
from tests.conftest import SAMPLES, gliowatch

PICTURE = next((SAMPLES / "a-picture").iterdir())


def drain_with(umask: int, folder: Path) -> "subprocess.CompletedProcess[str]":
    """`gliowatch run --once` by a user with this umask."""
    return subprocess.run(
        [sys.executable, "-m", "gliowatch", "run", "--once", "--settings", "settings.toml"],
        cwd=folder,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )


def modes(*tops: Path) -> dict[str, str]:
    """Of every file and folder below, in octal."""
    found = [path for top in tops for path in (top, *top.rglob("*"))]
    return {path.name: oct(stat.S_IMODE(path.lstat().st_mode)) for path in found}


def fill(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    (inbox / "P").mkdir()
    shutil.copy(PICTURE, inbox / "P" / "a.jpg")
    (inbox / "P" / "bad.nii").write_text("no scan")


def test_files_are_0640_and_folders_0750_whatever_the_umask(hospital: Settings) -> None:
    fill(hospital)
    done = drain_with(0o000, hospital.daemon.inbox.parent)
    assert done.returncode == 1, done.stderr
    daemon = hospital.daemon
    (patient,) = daemon.outbox.glob("[!.]*")
    found = modes(daemon.outbox, daemon.inbox / ".rejected")
    folders = {".rejected", "outbox", ".staging", "P", "source", next(patient.iterdir()).name}
    assert {found[name] for name in folders & set(found)} == {"0o750"}
    found.pop("bad.nii")  # the sender's file is as it came, in a folder of ours
    files = {name: mode for name, mode in found.items() if name not in folders}
    assert len(files) > 5
    assert set(files.values()) == {"0o640"}
    for path in (daemon.index, daemon.records):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in daemon.copies.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_group_of_the_settings_gets_results_and_what_was_set_aside(
    hospital: Settings,
) -> None:
    mine = {os.getegid(), *os.getgroups()}
    others = [g.gr_gid for g in grp.getgrall() if os.geteuid() == 0 or g.gr_gid in mine]
    others = [number for number in others if number != os.getegid()]
    if not others:
        pytest.skip("this user is in no second group")
    file = hospital.daemon.inbox.parent / "settings.toml"
    file.write_text(file.read_text().replace("[daemon]\n", f'[daemon]\ngroup = "{others[0]}"\n'))
    fill(hospital)
    assert drain_with(0o077, file.parent).returncode == 1
    daemon = hospital.daemon
    for top in (daemon.outbox, daemon.inbox / ".rejected"):
        for path in (top, *top.rglob("*")):
            facts = path.stat()
            assert path.name == "bad.nii" or facts.st_gid == others[0], path
            assert facts.st_mode & stat.S_IRGRP, path
    assert stat.S_IMODE(daemon.outbox.stat().st_mode) == 0o2750


def test_a_group_that_is_not_there_stops_the_start(hospital: Settings) -> None:
    file = hospital.daemon.inbox.parent / "settings.toml"
    file.write_text(file.read_text().replace("[daemon]\n", '[daemon]\ngroup = "no-such"\n'))
    done = gliowatch(hospital, "run", "--once")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'gliowatch: daemon.group = "no-such" is not a group of this machine.\n'
