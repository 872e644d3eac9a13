"""Pages of the worklist: any filters, in any order, from any row on, in a bounded number of steps.

A filter that leaves few rows is asked first, and these are sorted; else the index of the order
is walked until a page is full. Which of the two is found out by counting up to FEW rows.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from daemon.index.database import LAST_LETTER, Database

SHOWN = (
    "w.patient_id NOT IN (SELECT patient_id FROM hidden_patients)"
    " AND coalesce(w.scan_id, '') NOT IN (SELECT scan_id FROM unlisted_scans)"
)
OPEN = ("copying", "waiting", "running")
NOBODY = "0"


@dataclass(frozen=True)
class Filters:
    """Which rows; an empty value leaves all. is_unreviewed: of which nobody has said anything,
    and so what was not analyzed and is not settled either. arrived_*: UTC, ISO 8601; until is left
    out itself.

    patients: whom a search has found, None without a search; accession: its text, if it begins
    any accession number. label: a label_id; assignee: an account_id, or NOBODY.
    """

    states: tuple[str, ...] = ()
    finding: str = ""
    flag: str = ""
    side: str = ""
    is_unreviewed: bool = False
    is_settled: bool = False
    arrived_since: str = ""
    arrived_until: str = ""
    patients: tuple[str, ...] | None = None
    accession: str = ""
    label: str = ""
    assignee: str = ""


@dataclass(frozen=True)
class Condition:
    """A part of WHERE about the row `w`, and its values.

    found: the same as a query of row_ids, where that begins elsewhere; covered: an index that
    begins with this condition and holds what the usual order needs; index: one that has the
    rows of this condition in the usual order; walked: a table `f` that has them so, joined to `w`,
    for the same values; is_counted: whether it may leave few rows.
    """

    sql: str
    values: tuple[str, ...] = ()
    found: str = ""
    covered: str = ""
    index: str = ""
    walked: str = ""
    is_counted: bool = True


def conditions_of(filters: Filters) -> Iterator[Condition]:
    """Each that narrows the list; without any state asked for, duplicates are left out."""
    if filters.states:
        asked = ", ".join("?" * len(filters.states))
        alone = "worklist_of_state" if len(filters.states) == 1 else ""
        yield Condition(f"w.state IN ({asked})", filters.states, index=alone)
    if filters.finding:
        yield Condition("w.finding = ?", (filters.finding,), index="worklist_of_finding")
    if filters.side:
        yield Condition("w.side = ?", (filters.side,), index="worklist_of_side")
    if filters.is_unreviewed:
        yield Condition(
            "w.stage = 'done' AND w.decision = ''",
            index="worklist_unreviewed",
        )
    if filters.is_settled:
        yield Condition("w.decision = 'settled'", index="worklist_settled")
    if filters.flag:
        flagged = "worklist_flags f WHERE f.code = ?"
        yield Condition(
            f"EXISTS (SELECT 1 FROM {flagged} AND f.scan_id = w.scan_id)",
            (filters.flag,),
            f"SELECT f.row_id FROM {flagged}",
            walked="worklist_flags f INDEXED BY worklist_of_flag CROSS JOIN worklist w"
            " ON w.row_id = f.row_id AND f.code = ?",
        )
    yield from _triaged(filters)
    if filters.arrived_since or filters.arrived_until:
        end = filters.arrived_until or "9"
        sql = "w.arrived_at >= ? AND w.arrived_at < ?"
        yield Condition(sql, (filters.arrived_since, end), covered="worklist_of_arrival")
    if filters.patients is not None:
        yield _searched(filters.patients, filters.accession)


def _triaged(filters: Filters) -> Iterator[Condition]:
    """What people said of scans beside their reviews."""
    if filters.label:
        yield _said_of_scans(
            "records.scan_labels n INDEXED BY scans_of_label",
            "n.label_id = ? AND n.removed_at = ''",
            filters.label,
        )
    if filters.assignee == NOBODY:
        yield Condition(
            "w.scan_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM records.scan_assignees n"
            " WHERE n.scan_id = w.scan_id AND n.ended_at = '')",
            is_counted=False,
        )
    elif filters.assignee:
        yield _said_of_scans(
            "records.scan_assignees n INDEXED BY scans_of_assignee",
            "n.account_id = ? AND n.ended_at = ''",
            filters.assignee,
        )


def _said_of_scans(table: str, where: str, value: str) -> Condition:
    """Scans of which the records say so now; the table is there as `n`."""
    return Condition(
        f"EXISTS (SELECT 1 FROM {table} WHERE {where} AND n.scan_id = w.scan_id)",
        (value,),
        f"SELECT o.row_id FROM {table} CROSS JOIN worklist o ON o.scan_id = n.scan_id"
        f" WHERE {where}",
    )


def always(filters: Filters) -> Condition:
    """What holds beside the conditions: duplicates are shown only when they are asked for.

    Patients who were deleted, and scans that are listed under a patient now, never are.
    """
    return Condition(SHOWN if filters.states else f"w.stage != 'duplicate' AND {SHOWN}")


def _searched(patients: tuple[str, ...], accession: str) -> Condition:
    """Rows of these patients, or whose accession number begins so, if any does."""
    one_of = "w.patient_id IN (SELECT value FROM json_each(?))"
    if not accession:
        return Condition(one_of, (json.dumps(patients),), covered="worklist_of_patient")
    begins = "w.accession >= ? AND w.accession < ?"
    values = (json.dumps(patients), accession, accession + LAST_LETTER)
    return Condition(f"({one_of} OR ({begins}))", values)


@dataclass(frozen=True)
class Order:
    """By what the list is sorted. keys: not null where the value is known; others come last."""

    keys: tuple[str, ...]
    unknown: str = ""  # the condition of rows that have no such value
    known: str = "1"  # of those that have
    table: str = "worklist w INDEXED BY {index}"
    index: str = ""
    rest: tuple[str, ...] = ("w.row_id",)  # by what the rows without a value are sorted


_BY_PATIENT = (
    "records.patients p INDEXED BY patients_in_order"
    " CROSS JOIN worklist w INDEXED BY worklist_by_patient ON w.patient_id = p.patient_id"
)


def _by(column: str, index: str, least: str = "''") -> Order:
    """least: no value that is not NULL lies below it, so that the index is sought there."""
    keys, known = (f"w.{column}", "w.row_id"), f"w.{column} >= {least}"
    return Order(keys, f"w.{column} IS NULL", known, index=f"worklist_by_{index}")


NUMBER = "-9e999"


USUAL = "urgency"
ORDERS = {
    USUAL: Order(
        ("w.urgency", "w.growth_order", "w.arrived_at", "w.row_id"), index="worklist_by_urgency"
    ),
    "patient": Order(
        ("p.name", "p.patient_id", "w.row_id"),
        "p.name = ''",
        "p.name > ''",
        _BY_PATIENT,
        rest=("p.patient_id", "w.row_id"),
    ),
    "date": _by("acquired_at", "acquired"),
    "state": Order(("w.state", "w.row_id"), index="worklist_by_state"),
    "finding": _by("finding", "finding"),
    "volume": _by("volume_ml", "volume", NUMBER),
    "side": _by("side", "side"),
    "change": _by("growth", "growth", NUMBER),
    "flags": Order(("w.flags", "w.row_id"), index="worklist_by_flags"),
    "reviewer": _by("reviewer", "reviewer"),
    "arrived": Order(("w.arrived_at", "w.row_id"), index="worklist_by_arrived"),
}


# So many rows are looked up and sorted in some milliseconds. If more of a million match, walking
# the order finds the 51 of a page among about 1e6 * 51 / 7000 = 7000 others: neither costs more.
FEW = 7000
FEW_COVERED = 20_000  # the same for an index that holds the keys of the order: no row is looked up


@dataclass(frozen=True)
class Asked:
    """Which page: order is a name of ORDERS; place: the row after or before which it begins."""

    filters: Filters
    order: str = USUAL
    is_ascending: bool = False
    place: int | None = None
    is_backward: bool = False


async def page_of(joined: Database, asked: Asked, limit: int) -> list[int]:
    """The row_ids that follow the place, in the order of the list; going back, those before it.

    At most `limit`; a place that is gone begins the list anew.
    """
    few = await _few(joined, asked)
    place = await _place(joined, asked)
    found: list[int] = []
    for sql, values in _segments(asked, few, place):
        whole = f"SELECT json_group_array(row_id) FROM ({sql} LIMIT ?)"  # one row: quicker to give
        row = await joined.row(whole, (*values, limit - len(found)))
        found += json.loads(row[0]) if row else []
        if len(found) >= limit:
            break
    return found[::-1] if asked.is_backward else found


async def count_changed(joined: Database, filters: Filters, since: int, most: int) -> set[int]:
    """The rows of a list that are new or have changed since this mark, up to so many."""
    where = _where([*conditions_of(filters), always(filters), Condition("w.mark > ?")])
    rows = await joined.rows(
        f"SELECT row_id FROM worklist w INDEXED BY worklist_by_mark {where[0]} LIMIT ?",
        (*where[1], since, most),
    )
    return {int(row["row_id"]) for row in rows}


async def _few(joined: Database, asked: Asked) -> Condition | None:
    """The filter that leaves the fewest rows; None if each of them leaves many."""
    conditions = [each for each in conditions_of(asked.filters) if each.is_counted]
    if not conditions:
        return None
    counts = ", ".join(
        f"(SELECT count(*) FROM ({_row_ids(each)} LIMIT {_most(each, asked) + 1}))"
        for each in conditions
    )
    values = [value for each in conditions for value in each.values]
    row = await joined.row(f"SELECT {counts}", values)
    assert row is not None  # a SELECT without FROM has one row
    number, best = min(zip(row, conditions, strict=True), key=lambda found: int(found[0]))
    return best if number <= _most(best, asked) else None


def _most(condition: Condition, asked: Asked) -> int:
    """Up to how many rows of a condition are few."""
    return FEW_COVERED if condition.covered and asked.order == USUAL else FEW


@dataclass(frozen=True)
class _Place:
    """A row's values in the order: of its keys, or of the rest if it has no value."""

    values: tuple[object, ...]
    is_unknown: bool


async def _place(joined: Database, asked: Asked) -> _Place | None:
    if asked.place is None:
        return None
    order = ORDERS[asked.order]
    columns = ", ".join((*order.keys, f"({order.unknown or 0})", *order.rest))
    row = await joined.row(
        f"SELECT {columns} FROM worklist w"
        " LEFT JOIN records.patients p ON p.patient_id = w.patient_id WHERE w.row_id = ?",
        (asked.place,),
    )
    if row is None:
        return None
    values, count = tuple(row), len(order.keys)
    return _Place(values[count + 1 :] if values[count] else values[:count], bool(values[count]))


def _segments(
    asked: Asked, few: Condition | None, place: _Place | None
) -> Iterator[tuple[str, list[object]]]:
    """The queries that give the page, in turn: rows with the value, then those without."""
    order, first = _way(asked, few)
    parts = [(order.known, order.keys, False)]
    if order.unknown:
        parts.append((order.unknown, order.rest, True))
    upward = asked.is_ascending != asked.is_backward
    for part, keys, is_unknown in parts[:: -1 if asked.is_backward else 1]:
        passed = place is not None and place.is_unknown != is_unknown
        if passed and (is_unknown == asked.is_backward):
            continue  # this part lies wholly on the other side of the place
        condition, start = part, place.values if place is not None and not passed else ()
        if start and not is_unknown and (upward or len(keys) == 2):
            condition = "1"  # what is beyond a known value is known: SQLite seeks to one bound only
        for beyond, values in _beyond(keys, ">" if upward else "<", start):
            sql, others = _query(asked, order, Condition(condition + beyond), keys, upward)
            yield sql, [*first, *others, *values]


def _way(asked: Asked, few: Condition | None) -> tuple[Order, tuple[str, ...]]:
    """The order with the table in which its rows are looked up, and the values for that table."""
    order = ORDERS[asked.order]
    if few is not None and few.covered and asked.order == USUAL:
        return replace(order, table=f"worklist w INDEXED BY {few.covered}"), ()
    if few is not None:
        table = (
            f"({_row_ids(few)} LIMIT {FEW}) few CROSS JOIN worklist w ON w.row_id = few.row_id"
            " LEFT JOIN records.patients p ON p.patient_id = w.patient_id"
        )
        return replace(order, table=table), few.values
    narrowed = list(conditions_of(asked.filters)) if asked.order == USUAL else []
    for each in narrowed:
        if each.walked:
            keys = tuple(key.replace("w.", "f.") for key in order.keys)
            return replace(order, table=each.walked, keys=keys), each.values
    index = next((each.index for each in narrowed if each.index), order.index)
    return replace(order, table=order.table.format(index=index)), ()


def _beyond(
    keys: tuple[str, ...], sign: str, start: tuple[object, ...]
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Conditions of the rows beyond a place, in turn, with their values.

    SQLite seeks to a row's number only among equal values, so those have a query of their own.
    """
    if len(keys) == 2 and start:
        yield f" AND {keys[0]} = ? AND {keys[1]} {sign} ?", start
        keys, start = keys[:1], start[:1]
    marks = ", ".join("?" * len(start))
    yield (f" AND ({', '.join(keys)}) {sign} ({marks})" if start else ""), start


def _query(
    asked: Asked, order: Order, part: Condition, keys: tuple[str, ...], upward: bool
) -> tuple[str, list[object]]:
    """The SQL of one part, and the values of its filters; those of its place come after them."""
    narrowed = list(conditions_of(asked.filters))
    where, values = _where([always(asked.filters), *narrowed, part])
    direction = "ASC" if upward else "DESC"
    sort = ", ".join(f"{key} {direction}" for key in keys)
    return f"SELECT w.row_id FROM {order.table} {where} ORDER BY {sort}", values


def _row_ids(condition: Condition) -> str:
    """The query of the rows that meet one condition."""
    table = f"worklist w INDEXED BY {condition.covered}" if condition.covered else "worklist w"
    return condition.found or f"SELECT row_id FROM {table} WHERE {condition.sql}"


def _where(conditions: list[Condition]) -> tuple[str, list[object]]:
    """WHERE with all of them, and their values."""
    values = [value for condition in conditions for value in condition.values]
    return "WHERE " + " AND ".join(f"({each.sql})" for each in conditions), list(values)
