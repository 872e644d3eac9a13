"""The growth curve: real dates across, ml upwards, ranges as bars, and no colour to tell apart."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from daemon.outputs.growth_chart import BOTTOM, LEFT, RIGHT, TOP, nice_step, save_growth
from daemon.report_parts import HistoryEntry
from tests.phantoms.reports import make_entry


def drawn(tmp_path: Path, *history: HistoryEntry) -> NDArray[np.uint8]:
    save_growth(history, tmp_path / "growth.png")
    return np.asarray(Image.open(tmp_path / "growth.png").convert("RGB"))


def marks(picture: NDArray[np.uint8]) -> list[int]:
    """Columns in which a tick stands below the axis."""
    below = (picture[BOTTOM + 4] == 0).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], below.astype(int), [0]])))
    return [int(each) for each in (edges[::2] + edges[1::2]) // 2]


def test_dates_stand_at_their_real_distances(tmp_path: Path) -> None:
    days = ["2024-01-01", "2024-02-01T10:00:00", "2024-12-31"]
    picture = drawn(tmp_path, *(make_entry(day, 10) for day in days))
    first, second, third = marks(picture)
    first_day = date(2024, 1, 1)
    passed = (date(2024, 2, 1) - first_day).days + 10 / 24
    whole = (date(2024, 12, 31) - first_day).days
    assert (second - first) / (third - first) == pytest.approx(passed / whole, abs=0.005)


def test_volumes_and_ranges_stand_at_their_height(tmp_path: Path) -> None:
    """Scale up to 20 ml: the second scan has 10 ml, its range reaches from 5 to 20."""
    history = (make_entry("2024-01-01", 2), make_entry("2024-03-01", 10, (5, 20)))
    picture = drawn(tmp_path, *history)
    _, column = marks(picture)
    dark = np.flatnonzero((picture[TOP - 8 : BOTTOM - 2, column] == 0).all(axis=1)) + TOP - 8
    assert dark.min() == pytest.approx(TOP, abs=3)
    assert dark.max() == pytest.approx(BOTTOM - (BOTTOM - TOP) / 4, abs=3)
    assert (picture[BOTTOM - (BOTTOM - TOP) // 2, column + 4] == 0).all()  # filled: the scan itself


def test_it_is_grey_alone_and_keeps_inside_its_frame(tmp_path: Path) -> None:
    history = [
        make_entry(f"2023-{month:02}-01", month * 1.5, (month, month * 2)) for month in range(1, 13)
    ]
    picture = drawn(tmp_path, *history)
    assert (picture == picture[:, :, :1]).all()
    assert len(marks(picture)) == 12
    assert LEFT < marks(picture)[0] < marks(picture)[-1] < RIGHT
    assert (picture[:, RIGHT + 2 :] == 255).all()


@pytest.mark.parametrize("volumes", [(0, 0), (0.02, 0.03), (1500, 900)])
def test_any_size_can_be_drawn(tmp_path: Path, volumes: tuple[float, float]) -> None:
    first, second = volumes
    picture = drawn(
        tmp_path, make_entry("2024-01-01", first), make_entry("2024-01-01T09:00:00", second)
    )
    assert (picture == 0).any()


@pytest.mark.parametrize("highest", [0.03, 0.9, 7, 42, 100, 999])
def test_lines_stand_at_round_numbers(highest: float) -> None:
    step = nice_step(highest)
    assert highest / step <= 5.01
    assert f"{step:.0e}"[0] in "125" or step in (25.0, 2.5, 0.25, 250.0)
