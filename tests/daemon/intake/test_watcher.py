"""Watching by events and by polling: a drop sets the hint, and a daemon that polls analyzes it."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from daemon.intake.watcher import watch
from daemon.settings import Settings, SettingsError, load_settings
from tests.conftest import SAMPLES, reports, running_daemon, until

PICTURE = next((SAMPLES / "a-picture").iterdir())


@pytest.mark.parametrize("polling_seconds", [None, 0.2])
async def test_a_dropped_file_sets_the_hint(tmp_path: Path, polling_seconds: float | None) -> None:
    changed = asyncio.Event()
    (tmp_path / "P").mkdir()
    with watch(tmp_path, changed, polling_seconds):
        await asyncio.sleep(0.5)
        assert not changed.is_set()
        (tmp_path / "P" / "scan.png").write_bytes(b"x")
        await asyncio.wait_for(changed.wait(), 10)


async def test_polling_asks_the_system_for_no_events(tmp_path: Path) -> None:
    with watch(tmp_path, asyncio.Event(), 60.0):
        kinds = {type(thread).__name__ for thread in threading.enumerate()}
        assert "PollingEmitter" in kinds
        assert not [kind for kind in kinds if "Inotify" in kind]


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
