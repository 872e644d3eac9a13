"""The worklist: one row a scan, last night in numbers, and what has changed while it is open."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiohttp import web

from daemon.index.people.patient_search import MOST_FOUND
from daemon.index.worklist_pages import OPEN, Asked, Filters, count_changed, page_of
from daemon.index.worklist_rows import Situation, catch_up, row_of_scan, situation_of, worklist_rows
from daemon.outputs.catalogue import text
from daemon.outputs.wording import SIDES as REPORTED
from daemon.outputs.wording import moment_words
from daemon.records.settled_scans import reasons
from viewer.live_updates import LIVE, SHARED
from viewer.lookups import recall
from viewer.monitoring import longest_silence
from viewer.sessions import JOINED, RECORDS, SESSION, SETTINGS
from viewer.templating import FINDINGS, night_since, night_words, render, stored
from viewer.worklist.bulk_actions import DONE, done_words, triage_values
from viewer.worklist.filter_and_sort import (
    MINE,
    NUMBER,
    SETTLED,
    Address,
    arrival,
    asked_of,
    read_address,
)
from viewer.worklist.list_layout import column_values, layout
from viewer.worklist.rows import FLAGS, SIDES, STATES, cells_of, html_of, known_rows, may_act_on
from viewer.worklist.saved_filters import filter_values


async def standing(request: web.Request) -> dict[str, Any]:
    """Last night in numbers, what keeps the work from going on, and the mark of this moment.

    Before it, the rows are brought up to date with the records, if they are not.
    """
    now, joined = datetime.now().astimezone(), request.app[JOINED]
    since = night_since(now, request.app[SETTINGS].viewer.night_begins)
    found = await situation_of(joined, stored(since))
    if found.is_behind:
        await catch_up(joined, request.app[RECORDS])
        found = await situation_of(joined, stored(since))
    return {
        "night": night_words(since, now),
        "night_since": moment_words(stored(since)),
        "numbers": _numbers(found.arrived),
        "received": sum(found.arrived.values()),
        "obstacles": list(_obstacles(request, found)),
        "is_empty": found.is_empty,
        "mark": found.mark,
    }


def _numbers(arrived: dict[str, int]) -> list[tuple[str, str, int]]:
    """What is said, the filter that shows it, and how many there are."""
    duplicates = arrived.get("duplicate", 0)
    to_review = arrived.get("review", 0)
    numbers = [
        (text("worklist.number_received"), "", sum(arrived.values()) - duplicates),
        (text("worklist.number_done"), "done", arrived.get("done", 0)),
        (text("worklist.number_review", count=to_review), "review", to_review),
        (text("worklist.number_failed"), "failed", arrived.get("failed", 0)),
        (text("worklist.number_open"), "open", sum(arrived.get(state, 0) for state in OPEN)),
    ]
    if duplicates:
        duplicate = text("worklist.number_duplicates", count=duplicates)
        numbers.append((duplicate, "duplicate", duplicates))
    return numbers


def _obstacles(request: web.Request, found: Situation) -> Iterator[str]:
    looked_at, longest = found.looked_at, longest_silence(request.app)
    if looked_at is None or time.time() - looked_at > longest:
        yield text("worklist.daemon_stopped")
    if found.is_paused:
        yield text("worklist.paused")
    if found.is_disk_low:
        yield text("worklist.disk_low")


PAGE = 50
MOST_NEWS = 100
FILTERED = ("failed", "review", "done", "duplicate")  # states that the list can be narrowed to


async def show_worklist(request: web.Request) -> web.StreamResponse:
    """`/`: a page of rows. Empty fields, as a form sends them, are taken out of the address."""
    address = read_address(request)
    if any(value == "" for value in request.query.values()):
        raise web.HTTPSeeOther(address.link())
    seen = await layout(request)
    if seen.sort and not address.sort:
        address = replace(address, sort=seen.sort, dir=seen.direction)
    above = await standing(request)  # first: a row that changes meanwhile is told as a change
    asked = await asked_of(request, address)
    page = await page_at(request, address, asked)
    values = {
        "title": text("worklist.title"),
        "section": "worklist",
        "address": address,
        "here": address.link(after=address.after, before=address.before),
        **column_values(address, seen),
        "states": [(each, STATES[each]) for each in FILTERED] + [(SETTLED, text("settle.state"))],
        "reasons": reasons(),
        "may_act": may_act_on(request),
        **await triage_values(request),
        "findings": FINDINGS,
        "sides": {name: REPORTED[name] for name in SIDES},
        "flags": FLAGS,
        "search": recall(request[SESSION], address.q) or "",
        "is_gone": asked is None,
        "message": _message(request, asked),
        "recent_days": request.app[SETTINGS].viewer.recent_days,
        "rows": html_of(request, await known_rows(request, page.shown), seen.columns),
        **await filter_values(request, address),
        "earlier": page.earlier,
        "later": page.later,
        **above,
    }
    return render(request, "worklist.html", values)


async def show_rows(request: web.Request) -> web.StreamResponse:
    """`/worklist/rows?ids=…&since=…`: the rows of an open page as they are now, and what is new."""
    turn, typed = request.app[LIVE].turn, recall(request[SESSION], request.query.get("q", ""))
    if turn is None:
        return await _rows_now(request)

    async def make() -> str:
        return (await _rows_now(request)).text or ""

    whose = request[SESSION].account_id if request.query.get("assignee") == MINE else 0
    columns = cells_of(request, (await layout(request)).columns)
    key = (request.query_string, typed, whose, columns)  # no more of a session is in it
    shared = await request.app[SHARED].get(turn, key, make)
    return web.Response(text=shared, content_type="text/html")


async def _rows_now(request: web.Request) -> web.Response:
    address, ids = read_address(request), request.query.get("ids", "").split(",")
    since = request.query.get("since", "")
    numbers = [int(each) for each in ids if NUMBER.fullmatch(each)][: 2 * PAGE]
    if not NUMBER.fullmatch(since):
        raise web.HTTPNotFound(text=text("fault.no_list_page"))
    above = await standing(request)
    rows = await known_rows(request, numbers)
    asked = await asked_of(request, address)
    columns = (await layout(request)).columns
    changed = await _changed(request, asked, int(since)) - set(numbers) if asked else set()
    values = {
        "rows": html_of(request, rows, columns),
        "wide": len(cells_of(request, columns)),
        "gone": sorted(set(numbers) - {row.row_id for row in rows}),
        "news": len(changed),
        "most_news": MOST_NEWS,
        **above,
    }
    return render(request, "worklist_rows.html", values)


@dataclass(frozen=True)
class Page:
    """The rows of a page, and those before and after which the pages beside it lie."""

    shown: list[int]
    earlier: int | None
    later: int | None


async def page_at(request: web.Request, address: Address, asked: Asked | None) -> Page:
    """The page of an address; an empty one for a search that is not known any more."""
    found = await page_of(request.app[JOINED], asked, PAGE + 1) if asked else []
    shown = found[-PAGE:] if address.before else found[:PAGE]
    more = len(found) > PAGE
    has_later = bool(address.before) or more
    has_earlier = more if address.before else bool(address.after)
    return Page(
        shown,
        shown[0] if shown and has_earlier else None,
        shown[-1] if shown and has_later else None,
    )


async def _changed(request: web.Request, asked: Asked, since: int) -> set[int]:
    return await count_changed(request.app[JOINED], asked.filters, since, MOST_NEWS)


def _message(request: web.Request, asked: Asked | None) -> str:
    """What to say after something else; the address carries a number or a word, never a text."""
    if asked is None:
        return text("fault.search_gone")
    if asked.filters.patients is not None and len(asked.filters.patients) >= MOST_FOUND:
        return text("worklist.too_many", most=MOST_FOUND)
    if request.query.get("said") == "reviewed":
        return text("worklist.all_reviewed")
    if request.query.get("said") in DONE:
        return done_words(request)
    count = request.query.get("received", "")
    if count and not NUMBER.fullmatch(count):
        raise web.HTTPNotFound(text=text("fault.no_list"))
    if not count or int(count) == 0:
        return ""
    return text("worklist.received", count=int(count))


async def show_next(request: web.Request) -> web.StreamResponse:
    """`/next?after=<scan_id>`: leads to the next scan that nobody has reviewed, from the top on."""
    joined, scan_id = request.app[JOINED], request.query.get("after", "")
    await catch_up(joined, request.app[RECORDS])
    since, _ = arrival(request, Address())
    filters = Filters(is_unreviewed=True, arrived_since=since)
    here = await row_of_scan(joined, scan_id) if scan_id else None
    found = await page_of(joined, Asked(filters, place=here), 1) if here else []
    found = found or await page_of(joined, Asked(filters), 2)
    rows = [row for row in await worklist_rows(joined, found) if row.row_id != here]
    saved = "?reviewed=1" if "saved" in request.query else ""
    raise web.HTTPSeeOther(f"/scans/{rows[0].scan_id}{saved}" if rows else "/?said=reviewed")
