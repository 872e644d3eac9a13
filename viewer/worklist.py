"""The worklist: every drop, newest first, with its state and what was found."""

import re
from dataclasses import dataclass, replace

from aiohttp import web

from daemon.drops import State
from daemon.index.ledger import count_states
from daemon.index.patients import Patient
from daemon.index.scans import WorkRow, worklist
from daemon.outputs.sentences import FILED_TWICE, FINDING_WORDS, moment_words
from viewer.keys import INDEX
from viewer.lookups import known_patients
from viewer.pages import render
from viewer.wording import KINDS, STATES, UNREAD, found_side, found_size, state_words

PAGE = 50
MESSAGES = {
    "1": "1 file received; the scan appears here once it has rested.",
    "many": "{count} files received; the scan appears here once it has rested.",
}
DIGITS = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Line:
    """One row of the table, in words."""

    patient_key: str
    patient: str
    kind: str
    arrived: str
    state: State
    state_words: str
    reason: str
    scan_id: str = ""
    finding: str = ""
    size: str = ""
    side: str = ""
    acquired: str = ""
    notes: tuple[str, ...] = ()
    has_picture: bool = False


async def show_worklist(request: web.Request) -> web.StreamResponse:
    """`/`: one page of drops, all or in one state."""
    state, before = _asked_state(request), _asked_number(request, "before")
    index = request.app[INDEX]
    counts = await count_states(index)
    rows = await worklist(index, state, before, PAGE + 1)
    shown = rows[:PAGE]
    patients = await known_patients(request, (row.patient_id for row in shown))
    values = {
        "title": "Worklist",
        "section": "worklist",
        "lines": [line(row, patients[row.patient_id]) for row in shown],
        "counts": [(each, STATES[each], counts[each]) for each in State],
        "chosen": state,
        "is_first": before is None,
        "older": shown[-1].drop_id if len(rows) > PAGE else None,
        "message": _message(request),
    }
    return render(request, "worklist.html", values)


def line(row: WorkRow, patient: Patient) -> Line:
    """A row of the index as a line of the table."""
    start = Line(
        patient.patient_key,
        patient.name or patient.patient_id,
        KINDS.get(row.kind, row.kind) if row.scan else UNREAD.get(row.kind, KINDS[row.kind]),
        moment_words(row.seen_at),
        row.state,
        state_words(row.state, row.rested),
        row.reason or "",
    )
    if row.scan is None:
        return start
    report = row.scan.report
    return replace(
        start,
        scan_id=row.scan.scan_id,
        finding=FINDING_WORDS[row.scan.finding],
        size=found_size(report),
        side=found_side(report),
        acquired=moment_words(row.scan.acquired_at),
        notes=_notes(row),
        has_picture=row.scan.removed_at is None,
    )


def _notes(row: WorkRow) -> tuple[str, ...]:
    """The report's doubts, and one that a report cannot have: a later twin of another patient."""
    assert row.scan is not None, "only a published scan has notes"
    messages = tuple(str(note["message"]) for note in row.scan.report["quality"])
    said = any(note["code"] == "filed_twice" for note in row.scan.report["quality"])
    return (*messages, FILED_TWICE) if row.filed_twice and not said else messages


def _asked_state(request: web.Request) -> State | None:
    asked = request.query.get("state", "")
    if asked and asked not in list(State):
        raise web.HTTPNotFound(text="There is no such list.")
    return State(asked) if asked else None


def _asked_number(request: web.Request, name: str) -> int | None:
    asked = request.query.get(name, "")
    if asked and not DIGITS.fullmatch(asked):
        raise web.HTTPNotFound(text="There is no such page of the list.")
    return int(asked) if asked else None


def _message(request: web.Request) -> str:
    """What to say after an upload; the address carries only the number, never a text."""
    count = _asked_number(request, "received")
    if not count:
        return ""
    return MESSAGES["1" if count == 1 else "many"].format(count=count)
