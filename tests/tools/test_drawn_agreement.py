"""Our findings beside those of drawn masks: the table's rows, and the limits of agreement."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.measurement.findings import measure
from model.measurement.midplane import midplane_of_head
from tests.phantoms.heads import head
from tools.experiments.drawn_agreement import Pairs, Row, compared, save_bland_altman, table_row


def row(name: str, ours: float, drawn: float | None) -> Row:
    """Lesions of these radii in the same phantom head."""
    found = []
    for radius in (ours, drawn):
        phantom = head(lesion=(30, 20, 10), radius=radius or 0)
        plane = midplane_of_head(phantom.volume())
        found.append(measure(phantom.lesion, phantom.affine, plane))
    return Row(name, found[0], None if drawn is None else found[1])


def test_bias_and_limits_are_those_of_bland_and_altman() -> None:
    pairs = Pairs("ml", ("a", "b", "c"), (10, 22, 29), (12, 20, 33))
    assert pairs.bias == pytest.approx(-4 / 3)
    assert pairs.limits == pytest.approx(
        (-4 / 3 - 1.96 * np.sqrt(28 / 3), -4 / 3 + 1.96 * np.sqrt(28 / 3))
    )
    assert Pairs("ml", ("a",), (1,), (2,)).limits is None


def test_the_table_tells_ours_before_the_masks() -> None:
    cells = table_row(row("a", 18, 14))
    assert cells[0] == "a"
    assert cells[2] == "right / right"
    ours, drawn = (float(cell) for cell in cells[1].split(" / "))
    assert ours > drawn > 5
    assert " / " not in table_row(row("b", 18, None))[1]


def test_only_scans_with_lesions_on_both_sides_are_compared() -> None:
    rows = [row("a", 18, 14), row("b", 12, 13), row("alone", 12, None), row("missed", 0, 12)]
    volumes, lengths = compared(rows)
    assert volumes.scans == lengths.scans == ("a", "b")
    assert volumes.differences[0] > 0
    assert compared([]) == []


def test_the_picture_is_written(tmp_path: Path) -> None:
    save_bland_altman(compared([row("a", 18, 14), row("b", 12, 13)]), tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert np.ptp(np.asarray(picture.convert("L"))) > 200
