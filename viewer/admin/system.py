"""The System page and its buttons: running or not, queue, failures, nights, folders, settings."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiohttp import web

from daemon.drops import DropKind, State
from daemon.index import queue
from daemon.index.database import Database
from daemon.index.people.patients import Patient
from daemon.index.queue import Counts, Line, count_older
from daemon.index.set_aside import count_set_aside
from daemon.index.statistics import Night
from daemon.index.worklist_rows import catch_up
from daemon.operations import queue_control, status
from daemon.operations.full_check import DIFFER
from daemon.operations.queue_control import UnknownScan
from daemon.operations.retention import DUE, HELD, IN_BIN
from daemon.operations.status import Condition, Folder, versions
from daemon.outputs.catalogue import text
from daemon.outputs.wording import HASH_CHARACTERS, KINDS, moment_words
from daemon.settings import DaemonSettings, Settings
from model.weights_config import Weights, about_weights
from viewer.admin.machines import machines_of, places_of, row_of, where_of
from viewer.admin.notifications import notified_rows
from viewer.admin.set_aside import duplicates, failed_files, stalled_names
from viewer.lookups import known_patients
from viewer.request_forms import read_form, whole_number
from viewer.sessions import INDEX, JOINED, RECORDS, SETTINGS
from viewer.templating import STATES, render

GIGABYTE = 1e9


def state_sentence(now: Condition, weights: Weights | None) -> str:
    """The system in one sentence, the worst first."""
    parts = [_running(now), _waiting(now.counts), *_left(now), _disk(now), model_words(weights)]
    return text("system.sentence", parts="; ".join(parts))


def is_well(now: Condition) -> bool:
    """Whether the first sentence tells of nothing that keeps scans from being analyzed."""
    return now.sign.is_alive and not now.paused and not now.disk_low


def model_words(weights: Weights | None) -> str:
    """Which network analyzes."""
    if weights is None:
        return text("system.model_part_unreadable")
    digest = weights.sha256[:HASH_CHARACTERS]
    return text("system.model_part", name=weights.name, weights=digest)


def countdown_words(line: Line, rest_seconds: float, now: float) -> str:
    """How long a scan must still lie unchanged."""
    left = rest_seconds - (now - line.touched)
    if left > 0:
        return text("system.countdown", seconds=left)
    return text("system.countdown_over")


def night_row(night: Night) -> tuple[str, ...]:
    """A night in words: its day, four counts, two durations."""
    day = datetime.fromisoformat(night.begin).astimezone().strftime("%Y-%m-%d")
    numbers = [str(each) for each in (night.received, night.done, night.review, night.failed)]
    return (day, *numbers, seconds_words(night.median), seconds_words(night.p95))


def seconds_words(seconds: float | None) -> str:
    """A duration: seconds below two minutes, else minutes."""
    if seconds is None:
        return text("system.no_duration")
    if seconds < 120:
        return text("system.in_seconds", seconds=seconds)
    return text("system.in_minutes", minutes=seconds / 60)


def folder_words(folder: Folder) -> str:
    """Room on a folder's disk, and whether it can be written."""
    if folder.fault and not folder.total_bytes:
        return folder.fault
    share = 100 * folder.free_bytes / max(1, folder.total_bytes)
    state = folder.fault or text("system.writable")
    return text("system.room", gb=folder.free_bytes / GIGABYTE, percent=share, state=state)


def checked_words(daemon: DaemonSettings, differ: int) -> str:
    """How results are compared with their hashes, and what was found."""
    if not daemon.check_share:
        return text("system.checked_never")
    said = text("system.checked_share", percent=100 * daemon.check_share)
    return f"{said} {text('system.results_differ', count=differ)}" if differ else said


def watching_words(daemon: DaemonSettings, is_unwatched: bool) -> str:
    """How a drop is noticed, and what to do where the system refuses."""
    if is_unwatched:
        return text("system.unwatched", seconds=daemon.reconcile_seconds)
    if daemon.polling_seconds:
        return text("system.polled", seconds=daemon.polling_seconds)
    return text("system.watched")


async def retention_words(daemon: DaemonSettings, index: Database) -> str:
    """What leaves the outbox and when, and how much that will be before it does."""
    rules = []
    if daemon.keep_days:
        rules.append(text("system.keep_days", days=daemon.keep_days))
    if daemon.keep_gb:
        rules.append(text("system.keep_gb", gb=daemon.keep_gb))
    if daemon.keep_days or daemon.keep_gb:
        due, in_bin = await queue.switch(index, DUE), await queue.switch(index, IN_BIN)
        rules += [
            text("system.kept_in_bin", days=daemon.grace_days),
            text("system.retention_due", count=due),
            text("system.retention_in_bin", count=in_bin),
        ]
        if await queue.switch(index, HELD):
            rules.append(text("system.retention_held"))
    if daemon.keep_aside_days:
        rules.append(text("aside.rule", days=daemon.keep_aside_days))
    return "; ".join(rules) or text("system.keep_all")


def settings_lines(settings: Settings) -> dict[str, list[tuple[str, str]]]:
    """Every setting in force, by table; secrets as stars."""
    tables: dict[str, dict[str, Any]] = settings.model_dump(mode="json")
    return {
        table: [(key, _value(value)) for key, value in keys.items()]
        for table, keys in tables.items()
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value) if value != "" else text("system.empty_setting")


def _running(now: Condition) -> str:
    if not now.sign.is_alive:
        if not now.sign.at:
            return text("system.never_ran")
        return text("system.stopped", since=moment_words(now.sign.at))
    if now.paused:
        return text("system.paused")
    return text("system.running_full" if now.disk_low else "system.running")


def _waiting(counts: Counts) -> str:
    running, waiting, resting = counts.running, counts.waiting, counts.resting
    if running + waiting:
        busy = "system.in_queue_arriving" if resting else "system.in_queue"
        return text(busy, running=running, waiting=waiting, resting=resting)
    return text("system.queue_empty_arriving" if resting else "system.queue_empty", resting=resting)


def _left(now: Condition) -> list[str]:
    if not (now.counts.waiting + now.counts.running) or not is_well(now):
        return []
    if now.minutes_left is None:
        return [text("system.time_left_unknown")]
    return [text("system.time_left", count=max(1, round(now.minutes_left)))]


def _disk(now: Condition) -> str:
    if now.share_free is None:
        return text("system.no_disk")
    return text("system.disk", percent=100 * now.share_free)


LISTS = {
    "queue": queue.in_line,
    "resting": queue.resting,
    "failed": queue.failed,
}
SAID = ("cancel", "urgent", "retry", "reprocess", "now", "pause", "resume")
LARGEST_PAGE = 10**6


@dataclass(frozen=True)
class Row:
    """One drop in words. where: the other machine that it is on, '' for none."""

    number: int
    patient: Patient
    kind: str
    state: str
    state_words: str
    urgent: bool
    since: str
    attempts: int
    reason: str
    countdown: str
    where: str


async def show_system(request: web.Request) -> web.StreamResponse:
    """`GET /system`: everything; the parts that move are asked for again by themselves."""
    settings, index = request.app[SETTINGS].now, request.app[INDEX]
    weights = await weights_in_use(settings)
    daemon = settings.daemon
    folders = [
        (text(f"system.{name}"), await status.folder_of(path))
        for name, path in (("inbox", daemon.inbox), ("outbox", daemon.outbox))
    ]
    hour = settings.viewer.night_begins
    await catch_up(request.app[JOINED], request.app[RECORDS])  # as the worklist does
    values = {
        "title": text("system.title"),
        "section": "system",
        "message": _message(request),
        "night_begins": hour,
        "nights": [night_row(n) for n in await status.last_nights(index, _here(), hour)],
        "folders": [(name, folder, folder_words(folder)) for name, folder in folders],
        "weights": weights,
        "model": settings.model,
        "older": await count_older(index, weights.sha256) if weights else 0,
        "checked": checked_words(daemon, await queue.switch(index, DIFFER)),
        "watching": watching_words(daemon, bool(await queue.switch(index, "unwatched"))),
        "retention": await retention_words(daemon, index),
        "stalled": await stalled_names(request),
        "duplicates": await duplicates(request, asked_page(request, "duplicates")),
        "duplicate_count": await count_set_aside(index, State.DUPLICATE),
        "duplicates_page": asked_page(request, "duplicates"),
        "settings": settings_lines(settings),
        "node_on": settings.dicom.sorts,
        "notified": await notified_rows(request),
        "versions": await asyncio.to_thread(versions),
        **await moving(request, weights),
    }
    return render(request, "system.html", values)


async def show_moving(request: web.Request) -> web.StreamResponse:
    """`GET /system/queue`: the part that moves, for htmx."""
    weights = await weights_in_use(request.app[SETTINGS].now)
    return render(request, "system_queue.html", await moving(request, weights))


async def moving(request: web.Request, weights: Weights | None) -> dict[str, Any]:
    """The first sentence and the three lists, a page of each."""
    index, daemon = request.app[INDEX], request.app[SETTINGS].daemon
    machines = await asyncio.to_thread(machines_of, request.app[SETTINGS].now)
    slots, where = daemon.slots + places_of(machines), where_of(machines)
    now = await status.condition(index, daemon.outbox, daemon.reconcile_seconds, slots)
    pages = {name: asked_page(request, name) for name in LISTS}
    found = {name: await ask(index, pages[name]) for name, ask in LISTS.items()}
    patients = await known_patients(
        request, {x.patient_id for each in found.values() for x in each}
    )
    return {
        "sentence": state_sentence(now, weights),
        "well": is_well(now),
        "paused": now.paused,
        "counts": now.counts,
        "pages": pages,
        "failed_files": await failed_files(request, pages["failed"]),
        "page_length": queue.PAGE,
        "has_machines": request.app[SETTINGS].workers.on,
        "machines": [row_of(each) for each in machines],
        "lists": {
            name: [
                _row(x, patients[x.patient_id], _rest_of(x, daemon), where.get(x.number, ""))
                for x in each
            ]
            for name, each in found.items()
        },
    }


async def weights_in_use(settings: Settings) -> Weights | None:
    """The weights file of the settings, or the one shipped; read again when it has changed."""
    path = settings.model.weights_file
    return await asyncio.to_thread(_about, path)


def _about(path: Path | None) -> Weights | None:
    try:
        return _read_once(path, path.stat().st_mtime_ns if path else 0)
    except OSError:
        return None


@lru_cache(maxsize=1)
def _read_once(path: Path | None, changed_ns: int) -> Weights | None:
    """A page that is asked for every 5 s must not hash the file each time."""
    return about_weights(path)


def _rest_of(line: Line, daemon: DaemonSettings) -> float:
    """How long a drop of this kind rests."""
    return daemon.study_seconds if line.kind == DropKind.DICOM else daemon.rest_seconds


def _row(line: Line, patient: Patient, rest_seconds: float, machine: str) -> Row:
    return Row(
        number=line.number,
        patient=patient,
        kind=KINDS.get(line.kind, line.kind),
        state=line.state,
        state_words=STATES[line.state],
        urgent=line.urgent,
        since=moment_words(line.started_at or line.seen_at),
        attempts=line.attempts,
        reason=line.reason,
        countdown=countdown_words(line, rest_seconds, time.time()),
        where=text("machines.on", machine=machine) if machine else "",
    )


def asked_page(request: web.Request, name: str) -> int:
    """Which page of a list an address asks for, from 0."""
    return min(whole_number(request.query.get(name, "")), LARGEST_PAGE)


def _message(request: web.Request) -> str:
    """What was just done; the address carries a word of ours and a number, never a text."""
    done = request.query.get("done", "")
    if done not in SAID:
        return ""
    return text(f"queue_said.{done}", count=whole_number(request.query.get("count", "")))


def _here() -> datetime:
    """The time here, with its zone."""
    return datetime.now().astimezone()


async def act(request: web.Request) -> web.StreamResponse:
    """`POST /system`: do what `action` says, with `scan` where it needs one."""
    form = await read_form(request)
    action, scan = form.get("action", ""), form.get("scan", "").strip()
    count = await do(request, action, scan, form.get("confirmed", "").strip())
    said = {"retry_all": "retry", "reprocess_older": "reprocess"}.get(action, action)
    raise web.HTTPSeeOther(f"/system?done={said}&count={count}")


async def do(request: web.Request, action: str, scan: str, confirmed: str) -> int:
    """Do it, of how many scans it was; HTTPBadRequest for no action, HTTPNotFound for no scan."""
    acts = _acts(request, [scan] if scan else [], confirmed)
    if action not in acts:
        raise web.HTTPBadRequest(text=text("fault.no_action"))
    try:
        return await acts[action]()
    except UnknownScan:
        raise web.HTTPNotFound(text=text("fault.no_scan")) from None


def _acts(
    request: web.Request, names: list[str], confirmed: str
) -> dict[str, Callable[[], Awaitable[int]]]:
    index, inbox = request.app[INDEX], request.app[SETTINGS].daemon.inbox
    return {
        "pause": lambda: _pause(request, paused=True),
        "resume": lambda: _pause(request, paused=False),
        "urgent": lambda: queue_control.make_urgent(index, names),
        "cancel": lambda: queue_control.cancel(index, names),
        "now": lambda: queue_control.begin_now(index, names),
        "retry": lambda: queue_control.retry(index, inbox, names),
        "retry_all": lambda: queue_control.retry_all(index, inbox),
        "reprocess": lambda: queue_control.reprocess(index, names),
        "reprocess_older": lambda: _reprocess_older(request, confirmed),
    }


async def _pause(request: web.Request, paused: bool) -> int:
    await queue.pause(request.app[INDEX], paused)
    return 0


async def _reprocess_older(request: web.Request, confirmed: str) -> int:
    """All scans that other weights analyzed, once somebody has typed how many that are."""
    weights = await weights_in_use(request.app[SETTINGS].now)
    if weights is None:
        raise web.HTTPConflict(text=text("system.weights_not_queued"))
    if confirmed != str(await queue.count_older(request.app[INDEX], weights.sha256)):
        raise web.HTTPBadRequest(text=text("system.not_confirmed"))
    return await queue_control.reprocess_older(request.app[INDEX], weights.sha256)
