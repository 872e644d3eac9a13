"""The columns of the worklist: which there are, in which order, and where a row has no result."""

from collections.abc import Iterable
from itertools import groupby

COLUMNS = {
    **{name: f"worklist.{name}" for name in ("patient", "date", "arrived", "state", "finding")},
    "volume": "worklist.volume",
    **{"side": "worklist.side", "change": "worklist.change", "flags": "worklist.flags_column"},
    **{"labels": "worklist.labels", "assignee": "worklist.assignee"},
    "reviewer": "worklist.review",
}
AS_SHIPPED = tuple(name for name in COLUMNS if name != "arrived")  # it is told on the date
ALWAYS = ("patient", "finding")  # they lead to the pages
OF_RESULTS = frozenset({"finding", "volume", "side", "change", "flags", "reviewer"})
REASON = "reason"  # in the place of these, where there is no result
CHOOSE, THUMB = "choose", "thumb"  # in front of the columns; the first for who may act on rows

Columns = tuple[str, ...]


def checked(names: Iterable[str]) -> Columns:
    """Those of the names that are columns, each once, with those that are always there."""
    chosen = [name for name in dict.fromkeys(names) if name in COLUMNS]
    return (*(name for name in ALWAYS if name not in chosen), *chosen)


def without_result(columns: Columns) -> list[tuple[str, int]]:
    """The cells of a row that has no result, and how many columns each takes.

    Columns of results side by side are one cell: the first of these tells the reason.
    """
    cells: list[tuple[str, int]] = []
    for is_result, group in groupby(columns, OF_RESULTS.__contains__):
        names = list(group)
        if not is_result:
            cells += [(name, 1) for name in names]
            continue
        is_first = all(name != REASON for name, _ in cells)
        cells.append((REASON if is_first else "", len(names)))
    return cells
