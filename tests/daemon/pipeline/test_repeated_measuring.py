"""A report tells what repeated measuring varies only for the network that it was measured with."""

import math
from pathlib import Path
from typing import Any

import pytest

from daemon.pipeline import prior_scan
from daemon.report import Report
from daemon.report_parts import Change
from daemon.scan_history import Past, Point
from model.measurement.change import Marked
from model.measurement.repeatability import Repeatability
from model.rules import CHANGE_RULES, RULES
from model.volume import Volume
from tests.phantoms.reports import MASK, make_report

KNOWN = "a1" * 32
VARIES = Repeatability(0.0, math.log(1.1), math.log(1.4), 0.5, KNOWN)


def report_of(day: str, ml: float, sha256: str = KNOWN, **changed: Any) -> Report:
    used = {"name": "a", "weights_sha256": sha256, "threshold": 0.5}
    at = {"acquired_at": day}
    told = {"input": at, "model": used, "volume_ml": ml, "quality": []}
    return make_report(scan_id=day[-2:] * 10, **(told | changed))


def compared(before: Report, now: Report, folder: Path) -> Change:
    """The change where neither scan can be read again, so that only numbers are compared."""

    def gone() -> tuple[Volume, Marked]:
        raise OSError

    at = before.input.acquired_at
    assert at is not None
    past = Past((Point(at, before.scan_id, b"nowhere", before),))
    told = prior_scan.with_past(
        now, gone, folder, folder, past=past, rules=CHANGE_RULES, flair=RULES
    )
    assert told.change is not None
    return told.change


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers for one network at one threshold."""

    def load(weights_sha256: str, threshold: float) -> Repeatability | None:
        return VARIES if (weights_sha256, threshold) == (KNOWN, 0.5) else None

    monkeypatch.setattr(prior_scan, "load_repeatability", load)


def test_it_stands_in_the_report_and_its_words(tmp_path: Path) -> None:
    change = compared(report_of("2024-01-01", 20.0), report_of("2024-03-02", 26.0), tmp_path)
    assert change.repeat_range_ml == pytest.approx((14.2857, 28.0))  # the grids are not known
    assert (change.beyond_repeat, change.repeat_percent) == (False, 40.0)
    assert "The volume change is within what repeated measuring varies (40 %)." in change.words


def test_not_for_other_weights_nor_for_masks_that_people_drew(tmp_path: Path) -> None:
    pairs = (
        (report_of("2024-01-01", 20, "b" * 64), report_of("2024-03-02", 26, "b" * 64)),
        (report_of("2024-01-01", 20, mask=MASK), report_of("2024-03-02", 26, mask=MASK)),
        (report_of("2024-01-01", 20, "b" * 64), report_of("2024-03-02", 26)),  # not comparable
    )
    for before, now in pairs:
        change = compared(before, now, tmp_path)
        assert (change.repeat_range_ml, change.beyond_repeat, change.repeat_percent) == (None,) * 3
        assert "repeated" not in change.words
