"""Messages: grouped, at a bounded rate, tried again with growing pauses, and never sent twice."""

import json
import time
from pathlib import Path

import pytest

from daemon.index.database import now
from daemon.index.notices import (
    MessageState,
    Notice,
    count_notices,
    end_unwanted,
    enter_notices,
    keep_targets,
    settle_handed,
)
from daemon.notifications import delivery as telling
from daemon.notifications.channels import Answer, Outcome, later
from daemon.settings.notify import Event
from tests.daemon.notifications.site import News, NotedWay, news_in, notify, receiver

HOUR = 3600.0


class Clock:
    """The time of tellers and of the index; it stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._ahead = time.time, 0.0
        monkeypatch.setattr("time.time", lambda: self._real() + self._ahead)

    def move(self, seconds: float) -> None:
        self._ahead += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def happen(news: News, *names: str, urgent: bool = False) -> None:
    for name in names:
        await news.publish(name, urgent=urgent)
    await news.watch().look()


async def test_a_night_of_many_scans_is_few_messages(tmp_path: Path, clock: Clock) -> None:
    usual = notify(receiver(events=("scan_done",)), group_seconds=900)
    async with news_in(tmp_path, usual) as news:
        way = NotedWay()
        teller = news.teller(way)
        for five_minutes in range(8 * 12):
            scans = [Notice(f"{five_minutes} {n}", Event.SCAN_DONE, now()) for n in range(21)]
            await enter_notices(news.joined, [("all", scan) for scan in scans], {})
            await teller.look()
            clock.move(300)
        clock.move(900)
        await teller.look()
        counts = [json.loads(each.body)["counts"]["scan_done"] for each in way.came]
        assert sum(counts) == 8 * 12 * 21
        assert len(counts) <= 8 * 4 + 1


async def test_what_is_urgent_does_not_wait_but_floods_nobody(tmp_path: Path, clock: Clock) -> None:
    usual = notify(receiver(), group_seconds=900, prompt_seconds=60)
    async with news_in(tmp_path, usual) as news:
        way = NotedWay()
        teller = news.teller(way)
        await happen(news, "1")
        await teller.look()
        assert way.came == []  # it waits for others
        await happen(news, "2", urgent=True)
        await teller.look()
        assert [json.loads(each.body)["counts"] for each in way.came] == [
            {"urgent": 1, "scan_done": 2}
        ]
        for number in range(3, 9):
            await happen(news, str(number), urgent=True)
            await teller.look()
        assert len(way.came) == 1
        clock.move(61)
        await teller.look()
        assert json.loads(way.came[1].body)["counts"] == {"urgent": 6, "scan_done": 6}


async def test_a_message_is_tried_again_with_growing_pauses_and_stays_the_same(
    tmp_path: Path, clock: Clock
) -> None:
    usual = notify(receiver(), first_pause_seconds=10, longest_pause_seconds=40)
    async with news_in(tmp_path, usual) as news:
        way = NotedWay(answers=[later("no_connection")] * 4)
        teller = news.teller(way)
        await happen(news, "1", urgent=True)
        for pause in (10, 20, 40, 40):
            await teller.look()
            clock.move(pause - 5)
            left = len(way.answers)
            await teller.look()
            assert len(way.answers) == left
            clock.move(5.1)
        await happen(news, "2", urgent=True)  # for the message after it
        await teller.look()
        assert [json.loads(each.body)["counts"]["urgent"] for each in way.came] == [1]
        (counts,) = await count_notices(news.joined, ["all"])
        assert counts.messages[MessageState.SENT] == 1
        assert (counts.reason, counts.waiting) == ("", 2)


async def test_a_message_that_nobody_takes_is_given_up_after_its_time(
    tmp_path: Path, clock: Clock
) -> None:
    async with news_in(tmp_path, notify(receiver(), keep_hours=2)) as news:
        way = NotedWay(answers=[later("server", "451")] * 2)
        teller = news.teller(way)
        await happen(news, "1", urgent=True)
        await teller.look()
        clock.move(2 * HOUR + 1)
        await teller.look()
        assert await news.states() == ["given_up"]
        (counts,) = await count_notices(news.joined, ["all"])
        assert (counts.code, counts.reason, counts.sent_at) == ("451", "server", "")


async def test_a_message_that_is_refused_again_and_again_is_given_up(
    tmp_path: Path, clock: Clock
) -> None:
    async with news_in(tmp_path) as news:
        way = NotedWay(answers=[Answer(Outcome.REFUSED, "550", "refused")] * 9)
        teller = news.teller(way)
        await happen(news, "1", urgent=True)
        for _ in range(9):
            await teller.look()
            clock.move(1)
        assert await news.states() == ["given_up"]
        assert len(way.answers) == 9 - telling.REFUSALS


class Killed(BaseException):
    """The process ends here."""


class KilledWay(NotedWay):
    """It is killed after the message was handed over, or before."""

    handed = True

    async def send(self, message: object, address: str, handing: object) -> Answer:
        if self.handed:
            await handing()  # type: ignore[operator]
        raise Killed


@pytest.mark.parametrize(
    ("handed", "repeatable", "states", "came"),
    [
        (True, [], ["unclear"], 0),
        (True, ["all"], ["sent"], 1),  # a webhook knows it by its id
        (False, [], ["sent"], 1),
    ],
)
async def test_after_a_kill_nothing_is_told_twice(
    tmp_path: Path, handed: bool, repeatable: list[str], states: list[str], came: int
) -> None:
    async with news_in(tmp_path) as news:
        await happen(news, "1", urgent=True)
        killed = KilledWay()
        killed.handed = handed
        with pytest.raises(Killed):
            await news.teller(killed).look()
        await settle_handed(news.joined, repeatable)  # the next start
        await news.watch().begin()
        way = NotedWay()
        for _ in range(3):
            await news.watch().look()
            await news.teller(way).look()
        assert await news.states() == states
        assert len(way.came) == came


async def test_a_new_address_is_told_what_comes_and_an_old_one_nothing_more(tmp_path: Path) -> None:
    async with news_in(tmp_path) as news:
        await happen(news, "1", urgent=True)
        await keep_targets(news.joined, [("all", "new@hospital.example")])
        to = receiver(addresses=("new@hospital.example",))
        way = NotedWay()
        await news.teller(way, to).look()
        assert way.came == []
        await happen(news, "2", urgent=True)
        await news.teller(way, to).look()
        assert json.loads(way.came[0].body)["counts"]["urgent"] == 1
        await news.teller(NotedWay(answers=[later("server")])).look()
        await end_unwanted(news.joined, [("all", "new@hospital.example")])
        assert sorted(await news.states()) == ["given_up", "sent"]
        assert (await count_notices(news.joined, ["all"]))[0].waiting == 0
