"""All rows of the fault suite by their numbers; a letter after one marks a case of its own."""

from collections.abc import Callable
from pathlib import Path

from tests.faults import (
    rows_copies,
    rows_dicom,
    rows_hostile,
    rows_index,
    rows_kills,
    rows_machines,
    rows_storage,
    rows_viewer,
    rows_whole,
)
from tests.faults.account import Outcome
from tests.fuzz import decoders

Row = Callable[[Path, Path, float], Outcome]
_FILES = (
    *(rows_copies, rows_hostile, rows_index, rows_kills, rows_storage, rows_whole),
    *(rows_viewer, rows_dicom, rows_machines, decoders),
)
_ALL = {name: row for file in _FILES for name, row in file.ROWS.items()}


def _place(name: str) -> tuple[int, str]:
    return int(name.rstrip("abcdef")), name


ROWS: dict[str, Row] = {name: _ALL[name] for name in sorted(_ALL, key=_place)}
