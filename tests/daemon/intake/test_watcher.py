"""Watching by events and by polling: a drop sets the hint, and a daemon that polls analyzes it."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants as In
from watchdog.observers.inotify_c import inotify_add_watch

from daemon.index.database import open_index
from daemon.index.queue import switch
from daemon.intake import watcher
from daemon.intake.inbox_scan import NameRules, scan_inbox
from daemon.intake.watcher import Changes, watch
from daemon.settings import Settings, SettingsError, load_settings
from tests.conftest import SAMPLES, reports, running_daemon, until
from viewer.admin.system import watching_words

PICTURE = next((SAMPLES / "a-picture").iterdir())


@pytest.mark.parametrize("polling_seconds", [None, 0.2])
async def test_a_dropped_file_sets_the_hint_with_its_folder(
    tmp_path: Path, polling_seconds: float | None
) -> None:
    changes = Changes()
    (tmp_path / "P").mkdir()
    with watch(tmp_path, changes, polling_seconds):
        await asyncio.sleep(0.5)
        changes.take()  # all folders are watched by now, and all is to be looked through once
        assert not changes.event.is_set()
        (tmp_path / "P" / "scan.png").write_bytes(b"x")
        await asyncio.wait_for(changes.event.wait(), 60)
        assert changes.take() == frozenset({b"P"})


async def test_polling_asks_the_system_for_no_events(tmp_path: Path) -> None:
    with watch(tmp_path, Changes(), 60.0):
        kinds = {type(thread).__name__ for thread in threading.enumerate()}
        assert "PollingEmitter" in kinds
        assert masks() == []


def masks() -> list[int]:
    """What this process asks inotify for, as the kernel tells it: one mask a watch."""
    lines = [
        line
        for place in Path("/proc/self/fdinfo").iterdir()
        if place.exists()
        for line in place.read_text().splitlines()
    ]
    told = [line for line in lines if line.startswith("inotify ")]
    return [int(line.partition(" mask:")[2].split()[0], 16) for line in told]


async def watched_folders(changes: Changes) -> None:
    """All that is there is watched once everything is to be looked through."""
    await asyncio.wait_for(changes.event.wait(), 60)
    assert changes.take() is None


async def test_our_own_looks_are_no_events(tmp_path: Path) -> None:
    (tmp_path / "P" / "deep").mkdir(parents=True)
    changes = Changes()
    with watch(tmp_path, changes):
        await watched_folders(changes)
        assert len(masks()) == 3
        of_looks = In.IN_OPEN | In.IN_ACCESS | In.IN_CLOSE_NOWRITE
        assert [mask & of_looks for mask in masks()] == [0, 0, 0]
        scan_inbox(tmp_path, NameRules((), ()))
        (tmp_path / "Q").mkdir()  # events come in order: one of the look would come before
        await asyncio.wait_for(changes.event.wait(), 60)
        assert changes.take() == frozenset({b"Q"})


async def test_folders_that_come_later_are_watched_and_our_own_are_not(tmp_path: Path) -> None:
    (tmp_path / ".rejected").mkdir()
    (tmp_path.parent / "made" / "x").mkdir(parents=True)
    changes = Changes()
    with watch(tmp_path, changes):
        await watched_folders(changes)
        (tmp_path.parent / "made").rename(tmp_path / "P")
        await asyncio.wait_for(changes.event.wait(), 60)
        assert changes.take() == frozenset({b"P"})
        (tmp_path / ".rejected" / "a").write_bytes(b"x")
        (tmp_path / "P" / "x" / "a").write_bytes(b"x")
        await asyncio.wait_for(changes.event.wait(), 60)
        assert changes.take() == frozenset({b"P"})


async def test_where_too_few_watches_are_allowed_the_look_alone_remains_and_it_is_said(
    hospital: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = hospital.daemon.inbox
    for name in ("O", "P", "Q"):
        (inbox / name).mkdir()
    allowed = 2

    def until_full(descriptor: int, path: bytes, mask: int) -> int:
        return inotify_add_watch(descriptor, path, mask) if len(masks()) < allowed else -1

    monkeypatch.setattr(watcher, "inotify_add_watch", until_full)
    async with running_daemon(hospital):
        await until(hospital.daemon.index.exists)
        for name in ("O", "P", "Q"):
            shutil.copy(PICTURE, inbox / name)
        await until(lambda: len(reports(hospital)) == 3)
        async with open_index(hospital.daemon.index) as index:
            assert await switch(index, "unwatched")
    assert "watching_limited" in caplog.messages
    said = watching_words(hospital.daemon, is_unwatched=True)
    assert "fs.inotify.max_user_watches" in said


async def test_a_daemon_that_polls_analyzes_what_is_dropped(hospital: Settings) -> None:
    file = hospital.daemon.inbox.parent / "settings.toml"
    file.write_text(file.read_text().replace("[daemon]\n", '[daemon]\nwatch = "polling"\n'))
    settings = load_settings(file)
    assert settings.daemon.polling_seconds == settings.daemon.reconcile_seconds
    async with running_daemon(settings):
        await until(settings.daemon.index.exists)
        (settings.daemon.inbox / "P").mkdir()
        shutil.copy(PICTURE, settings.daemon.inbox / "P")
        await until(lambda: reports(settings))
    assert [report["patient_id"] for report in reports(settings)] == ["P"]


def test_events_are_the_default_and_other_words_are_refused(tmp_path: Path) -> None:
    assert Settings().daemon.polling_seconds is None
    (tmp_path / "settings.toml").write_text('[daemon]\nwatch = "often"\n')
    with pytest.raises(SettingsError, match=r'daemon\.watch .* must be "events" or "poll'):
        load_settings(tmp_path / "settings.toml")
