"""The short form of the fault suite: every row of `make faults` once, with few scans.

`make test` runs one row of each kind, `make test-long` the others.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.account import Outcome
from tests.faults.rows import ROWS

SCALE = 0.015
LONG_ONLY = ("1b", "5c")  # with the real weights, which load longer
SHORT = ("4", "8", "12", "16", "18")
PATIENCE = 1800  # seconds: a minute of fuzz, or many starts, beside other tests
AT_ONCE = 3  # rows; most of their time they wait for processes to start


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


def _rows() -> list[object]:
    names = [name for name in ROWS if name not in LONG_ONLY]
    later = {name: [pytest.mark.long] for name in names if name not in SHORT}
    return [pytest.param(name, marks=later.get(name, [])) for name in names]


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("row", _rows())
def test_the_promise_holds(row: str, outcomes: dict[str, "Future[Outcome]"]) -> None:
    outcome = outcomes[row].result()
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.is_good, outcome
