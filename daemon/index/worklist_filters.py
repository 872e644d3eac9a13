"""What the worklist can be narrowed to, as conditions of SQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from daemon.index.folding import LAST_LETTER

SHOWN = (
    "w.patient_id NOT IN (SELECT patient_id FROM hidden_patients)"
    " AND coalesce(w.scan_id, '') NOT IN (SELECT scan_id FROM unlisted_scans)"
)
OPEN = ("copying", "waiting", "running")


@dataclass(frozen=True)
class Filters:
    """Which rows; an empty value leaves all. arrived_*: UTC, ISO 8601; until is left out itself.

    patients: whom a search has found, None without a search; accession: its text, if it begins
    any accession number.
    """

    states: tuple[str, ...] = ()
    finding: str = ""
    flag: str = ""
    side: str = ""
    is_unreviewed: bool = False
    arrived_since: str = ""
    arrived_until: str = ""
    patients: tuple[str, ...] | None = None
    accession: str = ""


@dataclass(frozen=True)
class Condition:
    """A part of WHERE about the row `w`, and its values.

    found: the same as a query of row_ids, where that begins elsewhere; covered: an index that
    begins with this condition and holds what the usual order needs; index: one that has the
    rows of this condition in the usual order; walked: a table `f` that has them so, joined to `w`,
    for the same values.
    """

    sql: str
    values: tuple[str, ...] = ()
    found: str = ""
    covered: str = ""
    index: str = ""
    walked: str = ""


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
            "w.stage = 'done' AND w.decision = '' AND w.finding != 'not_judged'",
            index="worklist_unreviewed",
        )
    if filters.flag:
        flagged = "worklist_flags f WHERE f.code = ?"
        yield Condition(
            f"EXISTS (SELECT 1 FROM {flagged} AND f.scan_id = w.scan_id)",
            (filters.flag,),
            f"SELECT f.row_id FROM {flagged}",
            walked="worklist_flags f INDEXED BY worklist_of_flag CROSS JOIN worklist w"
            " ON w.row_id = f.row_id AND f.code = ?",
        )
    if filters.arrived_since or filters.arrived_until:
        end = filters.arrived_until or "9"
        sql = "w.arrived_at >= ? AND w.arrived_at < ?"
        yield Condition(sql, (filters.arrived_since, end), covered="worklist_of_arrival")
    if filters.patients is not None:
        yield _searched(filters.patients, filters.accession)


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
