"""Rendering a template, and short words for sizes and times."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from markupsafe import Markup

from daemon.drops import State, shown_id
from daemon.outputs.catalogue import text, words
from daemon.outputs.wording import finding_words, size_words
from daemon.permissions import RIGHTS
from daemon.report import Found, Report
from viewer.sessions import SESSION

OLDEST = 130  # years
STATES = words("state")
FINDINGS = words("finding_short")


def state_words(state: State, rested: bool) -> str:
    """A drop's state; files that still change are being copied."""
    if state is State.WAITING and not rested:
        return text("state.copying")
    return STATES[state]


def id_words(patient_id: str) -> str:
    """A patient's ID for people; one of blanks alone, which nobody would see, in words."""
    plain = shown_id(patient_id)
    return plain if plain.strip() else text("label.blank_id")


def found_size(found: Found) -> str:
    """The size of what was found, or '' if nothing was."""
    return size_words(found) if found.finding == "tumor" else ""


def found_words(report: Report) -> str:
    """What was found, for a list: how many lesions, or why there is none."""
    if report.finding == "tumor":
        return text("size.lesions", count=len(report.lesions))
    return finding_words(report)


def age(birth_date: str, today: date) -> int | None:
    """Full years since an ISO birth date; None if it is not known or cannot be right."""
    try:
        born = date.fromisoformat(birth_date)
    except ValueError:
        return None
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return years if 0 <= years <= OLDEST else None


def night_since(now: datetime, begins: int) -> datetime:
    """The last time before `now` that the clock showed this full hour; now: with a time zone."""
    today = now.replace(hour=begins, minute=0, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


def night_words(since: datetime, now: datetime) -> str:
    """What to call the time since then."""
    return text("worklist.this_evening" if since.date() == now.date() else "worklist.last_night")


def stored(moment: datetime) -> str:
    """A moment as the databases keep it: UTC, ISO 8601 with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def start_of(day: date) -> datetime:
    """The first moment of a day, by the clock of this machine."""
    return datetime.combine(day, time()).astimezone()


def is_day(typed: str) -> bool:
    """Whether it is '' or a day that the calendar of the machine can hold."""
    if not typed:
        return True
    try:
        return 1970 <= date.fromisoformat(typed).year <= 9998
    except ValueError:
        return False


def clock_words(moment: str) -> str:
    """The time of the day of a stored moment, by the clock of this machine."""
    return text("date.clock", moment=datetime.fromisoformat(moment).astimezone())


def script_sentences(table: str) -> Markup:
    """A table of the catalogue for the scripts of a page, as data in its head."""
    said = {f"{table}.{name}": sentence for name, sentence in words(table).items()}
    return Markup('<meta name="sentences" content="{}">').format(json.dumps(said))


LONGEST_NAME = 100  # characters, of whoever signs a form


def render(
    request: web.Request, template: str, values: Mapping[str, Any], status: int = 200
) -> web.Response:
    """A page, or a part that brings itself up to date. values: of a page `title` too, and `section`
    where the navigation marks one."""
    session = request.get(SESSION)
    common = {
        "research_use": text("report.research_use"),
        "signed_in": session is not None,
        "csrf": session.csrf if session else "",
        "who": session.full_name if session else "",
        "account_name": session.account if session else "",
        "rights": RIGHTS[session.role] if session else (),
    }
    return aiohttp_jinja2.render_template(template, request, {**common, **values}, status=status)
