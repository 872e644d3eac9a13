"""Work beside the loop: one round at a time; a fault is logged, a hanging round can be given up."""

import asyncio
import logging
import threading

import pytest

from daemon.background import Background, in_thread
from tests.conftest import until


async def test_a_fault_is_logged_and_the_next_round_begins(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rounds, done = Background("work_failed"), list[str]()

    async def fail() -> None:
        raise OSError(28, "No space left")

    async def work() -> None:
        done.append("worked")

    with caplog.at_level(logging.WARNING):
        rounds.begin(fail)
        await until(lambda: not rounds.is_busy)
    assert [(each.message, each.__dict__["errno"]) for each in caplog.records] == [
        ("work_failed", 28)
    ]
    rounds.begin(work)
    await until(lambda: not rounds.is_busy)
    assert done == ["worked"]


async def test_one_round_at_a_time_and_one_that_hangs_is_given_up() -> None:
    rounds, begun = Background("work_failed"), list[int]()

    async def hang() -> None:
        begun.append(1)
        await asyncio.Event().wait()

    rounds.begin(hang)
    await asyncio.sleep(0)
    rounds.begin(hang)
    await asyncio.sleep(0)
    assert begun == [1]
    await rounds.give_up()
    assert not rounds.is_busy
    rounds.begin(hang)
    await asyncio.sleep(0)
    assert begun == [1, 1]
    await rounds.give_up()


async def test_a_thread_that_hangs_is_left_to_itself() -> None:
    end = threading.Event()
    with pytest.raises(TimeoutError):
        await in_thread(end.wait, 0.05)
    end.set()
    assert await in_thread(lambda: 7, 60) == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0, 60)
