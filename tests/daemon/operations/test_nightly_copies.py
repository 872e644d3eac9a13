"""When the records are copied: every night, after a day without, and never by a jumping clock."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from daemon.index.database import open_records
from daemon.operations.backup import NightlyCopies, copies_in, is_due
from daemon.settings import Settings
from tests.conftest import running_daemon, until

ZONE = timezone(timedelta(hours=2))
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=ZONE)


def at(hour: int, minute: int = 0, day: int = 10) -> datetime:
    return NOON.replace(day=day, hour=hour, minute=minute)


@pytest.mark.parametrize(
    ("now", "newest", "uptime_hours", "due"),
    [
        (NOON, None, None, True),  # the first of all
        (at(1, 59), at(2, 0, day=9), 24.0, False),
        (at(2, 0), at(2, 0, day=9), 24.0, True),  # every night
        (at(2, 1), at(2, 0), 0.1, False),
        (at(10), at(2, 0, day=9), None, True),  # a night that was slept through
        (at(10), at(2, 0), None, False),  # a start by day after a night with a copy
        (at(1), at(0, 30, day=9), 24.5, True),  # longer than a day
        (at(2, 0), at(2, 0, day=9), 11.9, False),  # the clock went ahead by half a day
        (at(12, day=11), at(12), 0.1, False),  # a clock that jumps ahead by a day
        (at(12, day=9), at(12), 0.1, False),  # or back
        (at(12, day=9), at(12), 12.0, True),  # but no wrong clock ends the copies
        (at(12, day=9), at(12), None, True),
    ],
)
def test_when_a_copy_is_due(
    now: datetime, newest: datetime | None, uptime_hours: float | None, due: bool
) -> None:
    assert is_due(2, now, newest, uptime_hours) is due
    utc = newest.astimezone(UTC) if newest else None
    assert is_due(2, now, utc, uptime_hours) is due


def test_a_year_of_nights_with_a_clock_that_jumps_has_a_copy_every_day_or_two() -> None:
    """Whatever the clock says, copies are 12 to 36 hours of real time apart."""
    newest: datetime | None = None
    wrong, last, gaps = timedelta(), -100.0, []
    for hour in range(24 * 365):
        if hour % 100 == 0:
            wrong = timedelta(days=(hour // 100) % 3 - 1)
        now = NOON + timedelta(hours=hour) + wrong
        if is_due(2, now, newest, hour - last if newest else None):
            gaps.append(hour - last)
            newest, last = now, hour
    assert min(gaps[1:]) >= 12
    assert max(gaps[1:]) <= 36


async def test_the_running_daemon_makes_one_copy(hospital: Settings) -> None:
    async with running_daemon(hospital):
        await until(lambda: copies_in(hospital.daemon.copies))
        await asyncio.sleep(1.5)  # some more looks
    (copy,) = copies_in(hospital.daemon.copies)
    assert copy.path.stat().st_mode & 0o777 == 0o600
    assert copy.path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_copy_that_fails_is_logged_and_made_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.operations.backup.RETRY_SECONDS", 0.0)
    caplog.set_level(logging.INFO, "daemon")
    async with open_records(tmp_path / "records.sqlite"):
        copies = NightlyCopies(tmp_path / "records.sqlite", tmp_path / "copies", 2, 3)
        (tmp_path / "copies").write_text("a file where the folder should be")
        copies.look()
        await copies.finish()
        (event,) = caplog.records
        assert event.getMessage() == "copy_failed"
        assert event.errno == 17  # type: ignore[attr-defined]
        (tmp_path / "copies").unlink()
        copies.look()
        await copies.finish()
    assert len(copies_in(tmp_path / "copies")) == 1
    copies.look()
    await copies.finish()
    assert [event.getMessage() for event in caplog.records] == ["copy_failed", "records_copied"]
