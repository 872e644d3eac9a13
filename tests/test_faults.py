"""The short form of the fault suite: every row of `make faults` once, with few scans."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.account import Outcome
from tests.faults.rows import ROWS

SCALE = 0.015
AT_ONCE = 2  # rows; most of their time they wait for processes to start
KNOWN = {  # rows that a fault of today's daemon lets fail, with the fault
    "3b": "a copy that paused longer than it must rest is rejected, and stays so when it is whole",
    "5b": "a file renamed over a done one between the look and the unlink is removed unread",
    "9b": "a folder's name that is not UTF-8 gives the patient_id of the name it is shown as",
    "10b": "leaving follows a folder that became a link, and removes a file outside the inbox",
    "11b": "new_staging is outside of what process catches: no inode left ends the daemon",
    "12b": "SIGTERM is not heeded while SQLite waits up to 60 s for a lock",
    "12c": "results whose commit was lost with the WAL are not entered again",
    "12d": "a damaged index is not noticed at the start",
    "13b": "with the clock set back the newest revision is not found: late slices loop for ever",
    "14b": "each look asks the index once a waiting drop, and each scan that ends makes a look",
    "15b": "the lock belongs to the index, not to the inbox",
    "16b": "an inbox that is away counts as files that left, so they come again as duplicates",
    "16c": "filing a loose file makes the inbox anew where it is away",
    "18": "new_staging is outside of what process catches: a read-only outbox ends the daemon",
    "19b": "SIGTERM is not heeded while the worker loads the network",
}


def _tests() -> list[object]:
    marks = {name: [pytest.mark.xfail(reason=reason)] for name, reason in KNOWN.items()}
    return [pytest.param(name, marks=marks.get(name, [])) for name in ROWS]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    small_weights: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, "Future[Outcome]"]]:
    """The chosen rows, begun in their order, two at a time."""
    params = [getattr(item, "callspec", None) for item in request.session.items]
    chosen = [each.params["row"] for each in params if each and "row" in each.params]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            row: pool.submit(
                ROWS[row], tmp_path_factory.mktemp("faults") / "hospital", small_weights, SCALE
            )
            for row in chosen
        }


@pytest.mark.parametrize("row", _tests())
def test_the_promise_holds(row: str, outcomes: dict[str, "Future[Outcome]"]) -> None:
    outcome = outcomes[row].result()
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.is_good, outcome
