"""The summary of a night: once each morning, of a day of local time, over changes of the clocks."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from daemon.notifications.digest import last_digest
from tests.conftest import local_time
from tests.daemon.notifications.site import at


@pytest.fixture(autouse=True)
def _in_europe() -> Iterator[None]:
    with local_time("CET-1CEST,M3.5.0,M10.5.0/3"):
        yield


@pytest.mark.parametrize(
    ("now", "day", "hours"),
    [
        ("2027-02-10T06:59:59", date(2027, 2, 9), 24),
        ("2027-02-10T07:00:00", date(2027, 2, 10), 24),
        ("2027-03-28T07:00:00", date(2027, 3, 28), 23),  # summer time began at 2:00
        ("2027-03-29T07:00:00", date(2027, 3, 29), 24),
        ("2027-10-31T07:00:00", date(2027, 10, 31), 25),  # and ended at 3:00
    ],
)
def test_it_is_of_a_day_of_local_time(now: str, day: date, hours: int) -> None:
    digest = last_digest(at(now), "07:00")
    assert digest.day == day
    assert digest.end - digest.begin == timedelta(hours=hours)
    assert digest.end.astimezone().strftime("%H:%M") == "07:00"


@pytest.mark.parametrize("clock", ["07:00", "02:30"])  # which is left out, and comes twice
@pytest.mark.parametrize("first", ["2027-03-26T00:00", "2027-10-29T00:00"])
def test_there_is_one_each_day_and_no_minute_is_left_out(first: str, clock: str) -> None:
    moment, seen = at(first), dict[date, tuple[object, object]]()
    for _ in range(5 * 24 * 4):
        moment = (moment + timedelta(minutes=15)).astimezone()
        digest = last_digest(moment, clock)
        assert digest.end <= moment
        assert seen.setdefault(digest.day, (digest.begin, digest.end)) == (digest.begin, digest.end)
    spans = list(seen.values())
    assert len(spans) >= 5
    assert [end for _, end in spans[:-1]] == [begin for begin, _ in spans[1:]]
