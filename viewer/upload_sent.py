"""What became of what a session sent: one line a scan, asked for again and again by the page."""

import os
from dataclasses import dataclass
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from daemon.drops import State
from daemon.index.patients import Patient
from daemon.index.sent import SentDrop, drops_of_upload
from daemon.names import readable
from daemon.outputs.sentences import FINDING_WORDS
from viewer.keys import INDEX, SESSION
from viewer.liveness import stopped_sentence
from viewer.lookups import known_patients
from viewer.upload_desk import DESK, Sent
from viewer.wording import STATES

RESTING = "Resting until it is complete"
NOT_SEEN = "Arrived, not seen yet"


@dataclass(frozen=True)
class SentLine:
    """One scan that was sent, in words; state: for its colour."""

    patient: Patient
    label: str
    state: str
    words: str
    reason: str = ""
    scan_id: str = ""
    finding: str = ""


async def show_sent(request: web.Request) -> web.StreamResponse:
    """`GET /upload/sent`: the list alone, for htmx."""
    return aiohttp_jinja2.render_template("upload_sent.html", request, await sent_lines(request))


async def sent_lines(request: web.Request) -> dict[str, Any]:
    """Values of the list's template: what this session sent, the newest first."""
    sent = request.app[DESK].sent.get(request[SESSION].key, [])
    patients = await known_patients(request, {each.patient_id for each in sent})
    lines: list[SentLine] = []
    for each in sent:
        lines += await _lines(request, each, patients[each.patient_id])
    moving = any(line.state in (State.WAITING, State.RUNNING) for line in lines)
    return {"sent": lines, "moving": moving, "stopped": await stopped_sentence(request)}


async def _lines(request: web.Request, sent: Sent, patient: Patient) -> list[SentLine]:
    drops = await drops_of_upload(request.app[INDEX], sent.patient_id, sent.folder)
    if not drops:
        return [SentLine(patient, _count(sent.files), State.WAITING, NOT_SEEN)]
    return [_line(patient, drop) for drop in drops]


def _line(patient: Patient, drop: SentDrop) -> SentLine:
    is_one = drop.files == 1 and b"/" in drop.unit
    label = readable(os.path.basename(drop.unit.split(b"\0")[0])) if is_one else _count(drop.files)
    resting = drop.state is State.WAITING and not drop.rested
    words = RESTING if resting else STATES[drop.state]
    finding = FINDING_WORDS.get(drop.finding, "")
    return SentLine(patient, label, drop.state, words, drop.reason, drop.scan_id, finding)


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"
