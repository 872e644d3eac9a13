"""Filters of the worklist under a name: saved for oneself or for all, opened, removed."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from daemon.index.people.triage.saved_filters import (
    MOST_SAVED,
    SavedFilter,
    filters_for,
    remove_filter,
    save_filter,
)
from daemon.outputs.catalogue import text
from daemon.permissions import Right, may
from viewer.request_forms import read_form, whole_number
from viewer.sessions import RECORDS, SESSION
from viewer.worklist.filter_and_sort import Address, address_of

LONGEST_NAME = 60  # characters


@dataclass(frozen=True)
class FilterLink:
    """One filter above the list. may_remove: for who looks."""

    filter_id: int
    name: str
    link: str
    is_shared: bool
    is_here: bool
    may_remove: bool


async def filter_links(request: web.Request, address: Address) -> list[FilterLink]:
    """Those that the worklist shows to who asks."""
    session, here = request[SESSION], address.link(q="")
    found = await filters_for(request.app[RECORDS], session.account)
    may_remove_shared = may(session.role, Right.ADMIN)
    return [_link(each, here, session.account, may_remove_shared) for each in found]


def _link(each: SavedFilter, here: str, account: str, may_remove_shared: bool) -> FilterLink:
    may_remove = each.account == account or (each.is_shared and may_remove_shared)
    link = f"/?{each.query}"
    return FilterLink(each.filter_id, each.name, link, each.is_shared, link == here, may_remove)


async def save(request: web.Request) -> web.StreamResponse:
    """`POST /worklist/filters`: `name` for the list of this `query`; `shared` shows it to all."""
    form, session = await read_form(request), request[SESSION]
    name = " ".join(form.get("name", "").split())
    is_shared = "shared" in form
    if not 0 < len(name) <= LONGEST_NAME:
        raise web.HTTPBadRequest(text=text("saved_filter.no_name", most=LONGEST_NAME))
    if is_shared and not may(session.role, Right.REVIEW):
        raise web.HTTPForbidden(text=text("saved_filter.no_right"))
    there = address_of(form.get("query", "")).link(q="")
    query = there.partition("?")[2]
    if not query:
        raise web.HTTPBadRequest(text=text("saved_filter.nothing"))
    records = request.app[RECORDS]
    if not await save_filter(records, session.account, name, query, is_shared):
        raise web.HTTPBadRequest(text=text("saved_filter.too_many", most=MOST_SAVED))
    raise web.HTTPSeeOther(there)


async def remove(request: web.Request) -> web.StreamResponse:
    """`POST /worklist/filters/{number}/remove`: one's own, or for who administers a shared one."""
    await read_form(request)
    number, session = whole_number(request.match_info["number"], -1), request[SESSION]
    may_remove_shared = may(session.role, Right.ADMIN)
    if not await remove_filter(request.app[RECORDS], number, session.account, may_remove_shared):
        raise web.HTTPNotFound(text=text("saved_filter.gone"))
    raise web.HTTPSeeOther("/")


async def filter_values(request: web.Request, address: Address) -> dict[str, Any]:
    """What the template needs."""
    plain = address.link(q="")
    return {
        "saved_filters": await filter_links(request, address),
        "saved_query": plain.partition("?")[2],
        "may_share": may(request[SESSION].role, Right.REVIEW),
        "longest_name": LONGEST_NAME,
    }
