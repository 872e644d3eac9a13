"""Short words of the pages for states, kinds, sizes and ages."""

from datetime import date
from typing import Any

from daemon.drops import State
from daemon.outputs import sentences
from daemon.outputs.sentences import size_words

KINDS = sentences.KINDS | {
    "zip": "Zip",
    "loose": "File",
    "again": "Judged again",
    "compare": "Compared again",
    "correct": "Corrected mask",
}
OLDEST = 130  # years
STATES = {
    State.WAITING: "Waiting",
    State.RUNNING: "Running",
    State.DONE: "Done",
    State.DUPLICATE: "Duplicate",
    State.REJECTED: "Rejected",
}


def state_words(state: State, rested: bool) -> str:
    """A drop's state; files that still change are being copied."""
    if state is State.WAITING and not rested:
        return "Being copied"
    return STATES[state]


def found_size(report: dict[str, Any]) -> str:
    """The size of what was found, or '' if nothing was."""
    return size_words(report) if report["finding"] == "tumor" else ""


def age(birth_date: str, today: date) -> int | None:
    """Full years since an ISO birth date; None if it is not known or cannot be right."""
    try:
        born = date.fromisoformat(birth_date)
    except ValueError:
        return None
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return years if 0 <= years <= OLDEST else None
