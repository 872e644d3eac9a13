"""The worklist's rows in words and as HTML, kept, and brought up to date with the records.

Each page does so for the newest rows before it is shown; after a rebuild there may be a million.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import aiohttp_jinja2
from aiohttp import web
from markupsafe import Markup

from daemon.drops import UNASSIGNED
from daemon.index.people.patients import ensure_patients
from daemon.index.people.triage.settled_scans import SETTLED
from daemon.index.worklist_rows import Row, catch_up, worklist_rows
from daemon.outputs.catalogue import text, words
from daemon.outputs.wording import SIDES as REPORTED_SIDES
from daemon.outputs.wording import moment_words, repeat_amount
from daemon.permissions import Right, may
from daemon.report import Brief, read_brief
from viewer.live_updates import in_background
from viewer.patients.fields import amount_words
from viewer.scans.reviews import SAID
from viewer.sessions import JOINED, RECORDS, SESSION
from viewer.templating import FINDINGS, clock_words, found_size
from viewer.worklist.columns import CHOOSE, THUMB, Columns, without_result

STATES = words("worklist_state")
SETTLE_REASONS = words("settle_reason")
FLAGS = words("flag")
SIDES = ("left", "right", "midline")
GREW = ("worklist.grew", "worklist.grew_words")
SHRANK = ("worklist.shrank", "worklist.shrank_words")
WITHIN = "worklist.within_repeat", "worklist.within_repeat_words"
BEYOND = "worklist.beyond_repeat", "worklist.beyond_repeat_words"
ARRIVED = ("recent", "night", "all")


@dataclass(frozen=True)
class Change:
    """The change of the volume: short for the eye, whole for the ear."""

    short: str
    words: str


@dataclass(frozen=True)
class Line:
    """One row of the table. state: a key of STATES; patient: as people know the patient."""

    row_id: int
    patient_key: str
    patient: str
    patient_id: str
    acquired: str
    arrived: str
    state: str
    state_words: str
    reason: str
    scan_id: str
    number: int | None = None
    finding: str = ""
    size: str = ""
    place: str = ""
    change: Change | None = None
    flags: tuple[str, ...] = ()
    review: str = ""
    has_picture: bool = False
    is_settled: bool = False
    labels: tuple[str, ...] = ()
    assignee: str = ""


def line_of(row: Row) -> Line:
    """A row of the index as a line of the table.

    Whoever was analyzed has a picture while the files are there: no disk is asked for each row.
    """
    brief = read_brief(row.brief) if row.brief else None
    return Line(
        row_id=row.row_id,
        patient_key=row.patient_key or "",
        patient=row.patient_name,
        patient_id=row.patient_id,
        acquired=moment_words(row.acquired_at) if brief else "",
        arrived=moment_words(row.arrived_at),
        state=row.state,
        state_words=_state_words(row),
        reason=row.reason or "",
        scan_id=row.scan_id or "",
        number=row.number,
        finding=FINDINGS[brief.finding] if brief else "",
        size=found_size(brief) if brief else "",
        place=_place(brief) if brief else "",
        change=_change(row, brief) if brief else None,
        flags=_flags(row, brief) if brief else (),
        review=_review(row) if brief else "",
        is_settled=row.decision == SETTLED,
        labels=row.labels,
        assignee=row.assignee,
        has_picture=brief is not None and row.folder is not None and brief.finding != "not_judged",
    )


def _state_words(row: Row) -> str:
    state = STATES[row.state]
    if row.state == "running" and row.started_at:
        return text("state.since", state=state, clock=clock_words(row.started_at))
    return text("state.again", state=state) if row.is_again else state


def _place(brief: Brief) -> str:
    """Side of the largest lesion, and the lobe that holds most of it where that is known."""
    side = REPORTED_SIDES[brief.side] if brief.side else ""
    return ", ".join(part for part in (side, brief.lobe) if part)


def _change(row: Row, brief: Brief) -> Change | None:
    """Against the patient's scan before; '' where nothing was analyzed."""
    if brief.finding == "not_judged":
        return None
    change = brief.change
    if change is None:
        is_first = row.is_first and row.patient_id != UNASSIGNED
        said = text("worklist.first_scan" if is_first else "worklist.not_compared")
        return Change(said, said)
    if not change.comparable:
        said = text("worklist.not_comparable")
        return Change(said, said)
    ml = change.volume_ml
    amount, is_same = amount_words(ml, change.volume_percent)
    if is_same:
        return Change(text("worklist.same_size"), text("worklist.same_size_words"))
    short, said = (text(key, amount=amount) for key in (GREW if ml > 0 else SHRANK))
    if change.beyond_repeat is None:
        return Change(short, said)
    keys, varies = BEYOND if change.beyond_repeat else WITHIN, repeat_amount(change)
    short, said = (
        text(key, change=each, amount=varies) for key, each in zip(keys, (short, said), strict=True)
    )
    return Change(short, said)


def _flags(row: Row, brief: Brief) -> tuple[str, ...]:
    """The report's doubts; a later twin of another patient, and an analysis that failed."""
    is_new = row.filed_twice and not brief.has_note("filed_twice")
    twice = (text("note.filed_twice"),) if is_new else ()
    again = (text("worklist.again_failed", reason=row.reason),) if row.reason else ()
    return (*again, *brief.sentences, *twice)


def _review(row: Row) -> str:
    if not row.decision:
        return text("worklist.not_reviewed")
    if row.decision == SETTLED:
        why = SETTLE_REASONS.get(row.settled, row.settled)
        return text("settle.row", reason=why, name=row.reviewer)
    return text("worklist.reviewed", decision=SAID[row.decision], name=row.reviewer)


MOST_KEPT = 500  # rows, of about 3 kB each with their HTML: ten pages


class KeptRows:
    """HTML by row: a Row holds all that may change its words, so an equal one looks the same.

    columns: those that are shown.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Row, Columns], Markup] = OrderedDict()

    def of(self, row: Row, columns: Columns) -> Markup | None:
        """What was kept of this row; it becomes the last one to go."""
        if (row, columns) in self._kept:
            self._kept.move_to_end((row, columns))
        return self._kept.get((row, columns))

    def keep(self, row: Row, columns: Columns, html: Markup) -> None:
        """Keep this, and forget what was wanted least lately."""
        self._kept[row, columns] = html
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


async def known_rows(request: web.Request, row_ids: list[int]) -> list[Row]:
    """These rows in this order, without those that are gone; each patient has a record now."""
    rows = await worklist_rows(request.app[JOINED], row_ids)
    unknown = {row.patient_id for row in rows if row.patient_key is None}
    if not unknown:
        return rows
    await ensure_patients(request.app[RECORDS], unknown)
    return await worklist_rows(request.app[JOINED], row_ids)


def html_of(request: web.Request, rows: list[Row], columns: Columns) -> Markup:
    """The rows of the table, one a line; from `worklist_rows.html`."""
    kept, columns = request.app[KEPT_ROWS], cells_of(request, columns)
    html = []
    for row in rows:
        written = kept.of(row, columns)
        if written is None:
            written = _written(request, line_of(row), columns)
            kept.keep(row, columns, written)
        html.append(written)
    return Markup("").join(html)


def cells_of(request: web.Request, columns: Columns) -> Columns:
    """The columns with what stands in front of them for who asks."""
    return (*((CHOOSE,) if may_act_on(request) else ()), THUMB, *columns)


def may_act_on(request: web.Request) -> bool:
    """Whether rows can be chosen, to do something about several of them."""
    role = request[SESSION].role
    return may(role, Right.REVIEW) or may(role, Right.EXPORT)


def _written(request: web.Request, line: Line, columns: Columns) -> Markup:
    cells = [(name, 1) for name in columns] if line.finding else without_result(columns)
    template = aiohttp_jinja2.get_env(request.app).get_template("worklist_rows.html")
    return cast(Markup, template.module.row(line, cells))  # type: ignore[attr-defined]


KEPT_ROWS = web.AppKey("kept_rows", KeptRows)


BETWEEN_SECONDS = 0.1  # between two rounds, for those who wait for the index
IDLE_SECONDS = 60.0


async def catching_up(app: web.Application) -> AsyncIterator[None]:
    """Cleanup context: the task. It needs the databases, so it begins after them."""
    async with in_background(_keep_up(app)):
        yield


async def _keep_up(app: web.Application) -> None:
    while True:
        was_busy = await catch_up(app[JOINED], app[RECORDS])
        await asyncio.sleep(BETWEEN_SECONDS if was_busy else IDLE_SECONDS)
