"""All rows of the fault suite by their numbers."""

from collections.abc import Callable
from pathlib import Path

from tests.faults import rows_kills
from tests.faults.account import Outcome

Row = Callable[[Path, Path, float], Outcome]
ROWS: dict[int, Row] = dict(sorted((rows_kills.ROWS).items()))
