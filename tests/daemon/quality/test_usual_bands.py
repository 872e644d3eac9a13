"""What is outside of what is usual is marked; what chance does is not, nor is anything of few."""

import random
from collections import Counter

import pytest

from daemon.quality.usual_bands import (
    Figure,
    Share,
    median_of_month,
    median_of_scanner,
    quantile,
    share_of_month,
    share_of_scanner,
)

TENTH = [Share(10, 100), Share(12, 100), Share(9, 100), Share(11, 100), Share(8, 100)] * 2


def months(chance: random.Random, share: float, of: int, count: int = 12) -> list[Share]:
    return [Share(sum(chance.random() < share for _ in range(of)), of) for _ in range(count)]


def medians(chance: random.Random, middle: float, of: int) -> Counter[int]:
    return Counter(min(100, max(0, round(chance.gauss(middle, 9)))) for _ in range(of))


def test_the_limits_are_those_of_the_score_test() -> None:
    found = share_of_month(Share(10, 100), TENTH)
    assert found.usual is not None
    for limit in found.usual:  # three standard deviations of the difference, with both together
        both = (100 + 100 * limit) / 1100
        deviation = (both * (1 - both) * (1 / 100 + 1 / 1000)) ** 0.5
        assert abs(limit - 0.1) == pytest.approx(3 * deviation)
    assert (found.value, found.of, found.is_outside) == (0.1, 100, False)


def test_a_drift_is_outside_and_what_is_within_chance_is_not() -> None:
    outside = {count: share_of_month(Share(count, 100), TENTH).is_outside for count in range(40)}
    assert [count for count, is_outside in outside.items() if is_outside] == [0, *range(20, 40)]
    assert share_of_month(Share(70, 1000), TENTH).is_outside is False
    assert share_of_month(Share(40, 1000), TENTH).is_outside is True  # a share that falls
    all_but = [Share(each.of - each.count, each.of) for each in TENTH]
    assert share_of_month(Share(70, 100), all_but).is_outside is True


def test_months_that_vary_more_than_by_chance_allow_for_more() -> None:
    restless = [Share(count, 1000) for count in (60, 140, 80, 120, 70, 130, 100, 90)]
    calm = [Share(count, 1000) for count in (95, 105, 98, 102, 97, 103, 100, 100)]
    assert share_of_month(Share(140, 1000), calm).is_outside
    assert not share_of_month(Share(140, 1000), restless).is_outside
    stepped = [Share(count, 1000) for count in (100, 100, 100, 100, 100, 300)]
    assert share_of_month(Share(400, 1000), stepped).is_outside  # one step hides no other


def test_nothing_is_judged_of_few_scans_few_months_or_few_cases() -> None:
    assert share_of_month(Share(19, 19), TENTH) == Figure(1.0, 19)
    assert share_of_month(Share(0, 0), TENTH) == Figure(None, 0)
    assert share_of_month(Share(90, 100), TENTH[:5]).usual is None
    small = [Share(2, 19)] * 12
    assert share_of_month(Share(90, 100), small).usual is None
    never = [Share(0, 100)] * 12
    assert not share_of_month(Share(4, 100), never).is_outside
    assert share_of_month(Share(6, 100), never).is_outside
    assert share_of_scanner(Share(3, 3), Share(100, 1000)) == Figure(1.0, 3)
    assert share_of_scanner(Share(60, 60), Share(10, 119)).usual is None
    assert median_of_month({10: 19}, [{90: 100}] * 12) == Figure(0.1, 19)
    assert median_of_scanner({10: 3}, {90: 1000}) == Figure(0.1, 3)
    assert median_of_scanner({}, {}) == Figure(None, 0)


def test_a_scanner_is_unlike_others_only_by_what_is_worth_telling() -> None:
    others = Share(10_000, 100_000)
    assert not share_of_scanner(Share(1400, 10_000), others).is_outside
    assert share_of_scanner(Share(1600, 10_000), others).is_outside
    many = dict.fromkeys(range(80, 91), 1000)
    assert not median_of_scanner({81: 10_000}, many).is_outside
    assert median_of_scanner({79: 10_000}, many).is_outside


def test_of_months_within_chance_one_in_a_hundred_at_most_is_marked() -> None:
    chance, marked, shares, middles = random.Random(5), Counter[str](), 400, 200
    for _ in range(shares):
        before = months(chance, 0.15, chance.randrange(25, 90))
        (own,) = months(chance, 0.15, 60, 1)
        marked["share"] += share_of_month(own, before).is_outside
    for _ in range(middles):
        past = [medians(chance, 82, 40) for _ in range(12)]
        marked["median"] += median_of_month(medians(chance, 82, 40), past).is_outside
    assert marked["share"] <= shares // 100
    assert marked["median"] <= middles // 100


def test_a_median_that_falls_is_outside() -> None:
    chance = random.Random(6)
    past = [medians(chance, 82, 60) for _ in range(12)]
    found = median_of_month(medians(chance, 72, 60), past)
    assert found.is_outside
    assert found.usual is not None
    assert found.usual[0] < 0.82 < found.usual[1]
    assert not median_of_month(medians(chance, 82, 60), past).is_outside
    assert [quantile({10: 1, 20: 2, 90: 1}, share) for share in (0.25, 0.5, 1)] == [0.1, 0.2, 0.9]
