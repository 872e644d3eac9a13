"""What was set aside, on pages: one failed drop with its reason, its files and Retry; lists."""

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from daemon.drops import State, readable
from daemon.index import set_aside
from daemon.index.people.patients import Patient
from daemon.index.set_aside import SetAside
from daemon.operations.set_aside import file_words, more_words, reason_words
from daemon.outputs.catalogue import text
from daemon.outputs.wording import KINDS, moment_words
from daemon.permissions import Right, may
from viewer.lookups import known_patients, refuse_deleted
from viewer.request_forms import whole_number
from viewer.sessions import INDEX, SESSION
from viewer.templating import render


@dataclass(frozen=True)
class Aside:
    """One duplicate or rejected drop in words."""

    number: int
    patient: Patient
    kind: str
    reason: str
    at: str
    files: tuple[str, ...]
    scan_id: str


def aside_of(each: SetAside, patient: Patient) -> Aside:
    """The words of one; files: where they lie below the inbox."""
    files = [*map(file_words, each.files), *filter(None, [more_words(each)])]
    return Aside(
        number=each.number,
        patient=patient,
        kind=KINDS.get(each.kind, each.kind),
        reason=reason_words(each),
        at=moment_words(each.ended_at),
        files=tuple(files),
        scan_id=each.scan_id,
    )


async def show_failed(request: web.Request) -> web.StreamResponse:
    """`GET /failed/{number}`: why a file was rejected, where it lies, and the button Retry."""
    number = whole_number(request.match_info["number"], or_else=-1)
    found = await set_aside.find_set_aside(request.app[INDEX], number)
    if found is None:
        raise web.HTTPNotFound(text=text("aside.no_drop"))
    patient = (await known_patients(request, {found.patient_id}))[found.patient_id]
    await refuse_deleted(request, patient)
    is_rejected = found.state is State.REJECTED
    is_left = found.kind == "correct" or any(file.aside for file in found.files)
    values = {
        "title": text("aside.title" if is_rejected else "aside.title_duplicate"),
        "section": "system",
        "drop": aside_of(found, patient),
        "attempts": found.attempts,
        "is_left": is_left,
        "may_retry": is_rejected and is_left and may(request[SESSION].role, Right.QUEUE),
    }
    return render(request, "failed.html", values)


async def failed_files(request: web.Request, page: int) -> dict[int, tuple[str, ...]]:
    """The files of a page of the list of failures, by the number of their drop."""
    found = await set_aside.list_set_aside(request.app[INDEX], State.REJECTED, page)
    return {each.number: (*map(file_words, each.files), more_words(each)) for each in found}


async def duplicates(request: web.Request, page: int) -> list[Aside]:
    """A page of the list of duplicates."""
    found = await set_aside.list_set_aside(request.app[INDEX], State.DUPLICATE, page)
    patients = await known_patients(request, {each.patient_id for each in found})
    return [aside_of(each, patients[each.patient_id]) for each in found]


async def stalled_names(request: web.Request) -> list[tuple[str, str]]:
    """Transfers that have not gone on for long, and when each file last changed."""
    found = await set_aside.stalled(request.app[INDEX])
    return [(readable(path), _moment(changed)) for path, changed in found.items()]


def _moment(nanoseconds: int) -> str:
    try:
        at = datetime.fromtimestamp(nanoseconds / 1e9).astimezone()
    except (OverflowError, ValueError, OSError):  # a file may carry any time
        return text("report.not_known")
    return moment_words(at.isoformat())
