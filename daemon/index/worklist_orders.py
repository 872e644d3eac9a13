"""By what the worklist can be sorted, and through which index each order is walked."""

from dataclasses import dataclass


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
