"""What is news: each thing once, nothing old, and as the rules of receivers want it."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.index import ledger, queue
from daemon.index.notices import NEWS_DAYS, forget_old
from daemon.notifications.events import here
from daemon.records.scan_triage import put_on, take_off
from tests.daemon.notifications.site import DAEMON, News, NotedWay, news_in, notify, receiver

DOUBT: dict[str, Any] = {"quality": [{"code": "low_confidence", "message": "m"}]}
NOT_ANALYZED: dict[str, Any] = {"finding": "not_judged", "lesions": []}


async def look(news: News) -> list[tuple[str, str]]:
    """Twice, since the second look must find nothing new."""
    for _ in range(2):
        await news.watch().look()
    return await news.told()


async def test_scans_are_told_once_by_what_became_of_them(tmp_path: Path) -> None:
    async with news_in(tmp_path) as news:
        done = await news.publish("1", finding="tumor")
        doubtful = await news.publish("2", finding="tumor", **DOUBT)
        urgent = await news.publish("3", urgent=True, finding="no_tumor")
        await news.fail("4")
        assert await look(news) == [
            ("scan_done", done),
            ("scan_done", doubtful),
            ("needs_review", doubtful),
            ("urgent", urgent),
            ("scan_done", urgent),
            ("failed", ""),
        ]
        await queue.set_switch(news.joined, "notify_mark", 0)  # as if nothing had been looked at
        assert len(await look(news)) == 6


async def test_what_was_there_before_and_what_is_a_week_old_is_no_news(tmp_path: Path) -> None:
    async with news_in(tmp_path, begun=False) as news:
        await news.publish("1")
        await news.watch().begin()
        old = datetime.now(UTC) - timedelta(days=NEWS_DAYS + 1)
        await news.publish("2", moment=old.isoformat(timespec="milliseconds"), **DOUBT)
        assert await look(news) == []
        assert await look(news) == []


async def test_what_a_person_cancelled_is_not_told_as_failed(tmp_path: Path) -> None:
    async with news_in(tmp_path) as news:
        claim = await news.drop("1")
        async with news.joined.transaction():
            await news.joined.change("UPDATE drops SET cancelled = 1")
        await ledger.reject(news.joined, claim, "It was cancelled.")
        assert await look(news) == []


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"events": ("needs_review",)}, ["needs_review"] * 2),
        ({"events": ("scan_done",), "scans": ("tumor",)}, ["scan_done"] * 2),
        ({"events": ("scan_done",), "scans": ("flagged",)}, ["scan_done"]),
        ({"events": ("scan_done", "failed"), "scans": ("not_analyzed",)}, ["scan_done"]),
        ({"events": ("failed",), "scans": ("failed",)}, ["failed"]),
        ({"events": ("disk_low",), "scans": ("tumor",)}, ["disk_low"]),
    ],
)
async def test_rules_by_event_and_by_what_a_scan_is(
    tmp_path: Path, rule: dict[str, Any], told: list[str]
) -> None:
    async with news_in(tmp_path, notify(receiver(**rule))) as news:
        await news.publish("1", finding="tumor")
        await news.publish("2", finding="tumor", **DOUBT)
        await news.publish("3", **NOT_ANALYZED)
        await news.fail("4")
        await queue.set_switch(news.joined, "disk_low", 1)
        assert [event for event, _ in await look(news)] == told


async def test_a_rule_by_label_tells_once_whenever_the_label_is_put(tmp_path: Path) -> None:
    to = receiver(events=("scan_done", "failed"), labels=("Tumor  Board", "second"))
    async with news_in(tmp_path, notify(to)) as news:
        scans = [await news.publish(name) for name in "123"]
        await news.fail("4")
        assert await look(news) == []
        for label in ("tumor board", "Second", "another"):
            await put_on(news.joined, news.records, scans[:1], label, "ada")
            assert await look(news) == [("scan_done", scans[0])]
        await put_on(news.joined, news.records, scans[1:2], "another", "ada")
        await put_on(news.joined, news.records, scans[2:], "second", "ada")
        await take_off(news.joined, news.records, scans[2:], "second", "ada")
        assert await look(news) == [("scan_done", scans[0])]
        await put_on(news.joined, news.records, scans[2:], "TUMOR BOARD", "ada")
        assert await look(news) == [("scan_done", scans[0]), ("scan_done", scans[2])]
        assert "oard" not in str([*map(tuple, await news.joined.rows("SELECT * FROM notices"))])


async def test_a_rule_by_label_and_by_what_a_scan_is_needs_both(tmp_path: Path) -> None:
    to = receiver(events=("scan_done", "disk_low"), scans=("tumor",), labels=("board",))
    async with news_in(tmp_path, notify(to)) as news:
        tumor = await news.publish("1", finding="tumor")
        other = await news.publish("2", **NOT_ANALYZED)
        await news.publish("3", finding="tumor")
        await put_on(news.joined, news.records, [tumor, other], "board", "ada")
        await queue.set_switch(news.joined, "disk_low", 1)
        assert await look(news) == [("scan_done", tumor), ("disk_low", "")]


async def test_a_full_disk_and_room_again_are_told_once_each(tmp_path: Path) -> None:
    async with news_in(tmp_path, notify(receiver(events=("disk_low",)))) as news:
        for value in (0, 1, 1, 0, 1):
            await queue.set_switch(news.joined, "disk_low", value)
            await look(news)
        told = [event for event, _ in await news.told()]
        assert told == ["disk_low", "disk_low_over", "disk_low"]


async def test_a_daemon_that_shows_no_sign_of_life_is_told_by_who_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with news_in(tmp_path, notify(receiver(events=("daemon_silent",)))) as news:
        watch, limit = news.watch(), 3 * news.settings.daemon.reconcile_seconds + 60
        await watch.look()
        assert await news.told() == []
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + limit + 5)
        await watch.look()
        await watch.look()
        assert [event for event, _ in await news.told()] == ["daemon_silent"]
        monkeypatch.setattr(time, "time", real)
        await news.look()
        await watch.look()
        await watch.look()
        assert [event for event, _ in await news.told()] == ["daemon_silent", "daemon_silent_over"]


@pytest.mark.parametrize(("ended", "told"), [(True, []), (False, ["daemon_silent"])])
async def test_a_start_after_a_crash_tells_of_it_and_one_after_an_end_does_not(
    tmp_path: Path, ended: bool, told: list[str]
) -> None:
    async with news_in(tmp_path, notify(receiver(events=("daemon_silent",)))) as news:
        await news.watch(DAEMON).begin()  # the notifier alone was started again
        if ended:
            await news.watch().end()
        await news.watch(DAEMON + 1).begin()
        await news.watch(DAEMON + 1).begin()
        assert [event for event, _ in await news.told()] == told


async def test_the_summary_comes_once_each_morning_and_counts_the_night(tmp_path: Path) -> None:
    morning = here().replace(second=0, microsecond=0) + timedelta(minutes=2)
    to = receiver(events=("summary",))
    async with news_in(tmp_path, notify(to, digest_at=morning.strftime("%H:%M"))) as news:
        await news.publish("1")
        await news.publish("2", **DOUBT)
        await news.fail("3")
        await news.drop("4")
        for minutes, told in ((-1, 0), (0, 1), (1, 1), (23 * 60, 1)):
            moment = morning + timedelta(minutes=minutes)
            await news.watch(clock=lambda moment=moment: moment).look()
            assert await news.told() == [("summary", "")] * told
        way = NotedWay()
        await news.teller(way).look()
        assert "4 scans arrived: 1 done, 1 to be reviewed, 1 failed." in way.came[0].text
        assert "1 scan is still to be analyzed." in way.came[0].text


async def test_what_is_forgotten_is_not_told_again(tmp_path: Path) -> None:
    async with news_in(tmp_path) as news:
        await news.publish("1")
        await look(news)
        async with news.joined.transaction():
            await news.joined.change("UPDATE notices SET entered = 0")
            await news.joined.change("UPDATE scans SET published_at = '2020-01-01'")
        await forget_old(news.joined)
        assert await news.told() == []
        await queue.set_switch(news.joined, "notify_mark", 0)
        assert await look(news) == []


async def test_a_notice_says_what_its_scan_is(tmp_path: Path) -> None:
    async with news_in(tmp_path) as news:
        await news.publish("1", finding="tumor", **DOUBT)
        await news.publish("2", **NOT_ANALYZED)
        await look(news)
        rows = await news.joined.rows("SELECT DISTINCT kinds FROM notices ORDER BY number")
        assert [row["kinds"] for row in rows] == ["flagged tumor", "not_analyzed"]
