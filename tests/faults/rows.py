"""All rows of the fault suite by their numbers."""

from collections.abc import Callable
from pathlib import Path

from tests.faults import rows_copies, rows_hostile, rows_kills
from tests.faults.account import Outcome

Row = Callable[[Path, Path, float], Outcome]
_ALL = rows_kills.ROWS | rows_copies.ROWS | rows_hostile.ROWS
ROWS: dict[str, Row] = {
    name: _ALL[name] for name in sorted(_ALL, key=lambda name: (int(name.rstrip("b")), name))
}
