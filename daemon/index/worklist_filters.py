"""What the worklist can be narrowed to, as conditions of SQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

SHOWN = (
    "w.patient_id NOT IN (SELECT patient_id FROM hidden_patients)"
    " AND coalesce(w.scan_id, '') NOT IN (SELECT scan_id FROM unlisted_scans)"
)
OPEN = ("copying", "waiting", "running")


@dataclass(frozen=True)
class Filters:
    """Which rows; an empty value leaves all. arrived_*: UTC, ISO 8601; until is left out itself.

    patients, accession: what a search has found, and its text; None without a search.
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
    """A part of WHERE about the row `w`, and its values."""

    sql: str
    values: tuple[str, ...] = ()


def conditions_of(filters: Filters) -> Iterator[Condition]:
    """Each that narrows the list; without any state asked for, duplicates are left out."""
    if filters.states:
        asked = ", ".join("?" * len(filters.states))
        yield Condition(f"w.state IN ({asked})", filters.states)
    if filters.finding:
        yield Condition("w.finding = ?", (filters.finding,))
    if filters.side:
        yield Condition("w.side = ?", (filters.side,))
    if filters.is_unreviewed:
        yield Condition("w.stage = 'done' AND w.decision = '' AND w.finding != 'not_judged'")
    if filters.flag:
        flagged = "SELECT scan_id FROM worklist_flags WHERE code = ?"
        yield Condition(f"w.scan_id IN ({flagged})", (filters.flag,))
    if filters.arrived_since or filters.arrived_until:
        end = filters.arrived_until or "9"
        yield Condition("w.arrived_at >= ? AND w.arrived_at < ?", (filters.arrived_since, end))
    if filters.patients is not None:
        yield _searched(filters.patients, filters.accession)


def always(filters: Filters) -> Condition:
    """What holds beside the conditions: duplicates are shown only when they are asked for.

    Patients who were deleted, and scans that are listed under a patient now, never are.
    """
    return Condition(SHOWN if filters.states else f"w.stage != 'duplicate' AND {SHOWN}")


def _searched(patients: tuple[str, ...], accession: str) -> Condition:
    """Rows of these patients, or whose accession number begins so."""
    one_of = "w.patient_id IN (SELECT value FROM json_each(?))"
    begins = "w.accession >= ? AND w.accession < ?"
    values = (json.dumps(patients), accession, accession + "\U0010ffff")
    return Condition(f"({one_of} OR ({begins}))", values)
