"""How who asks sees the worklist: the columns that the account has chosen, and its own order."""

from typing import Any

from aiohttp import web

from daemon.index.people.triage.list_layouts import (
    ListLayout,
    forget_layout,
    keep_layout,
    layout_of,
)
from daemon.index.worklist_pages import ORDERS, USUAL
from daemon.outputs.catalogue import text
from viewer.request_forms import read_lists
from viewer.sessions import RECORDS, SESSION
from viewer.worklist.columns import ALWAYS, AS_SHIPPED, COLUMNS, checked
from viewer.worklist.filter_and_sort import Address, address_of


async def layout(request: web.Request) -> ListLayout:
    """How who asks sees the list, with the shipped columns where nothing was chosen."""
    kept = await layout_of(request.app[RECORDS], request[SESSION].account_id)
    columns = checked(kept.columns) if kept.columns else AS_SHIPPED
    return ListLayout(columns, kept.sort if kept.sort in ORDERS else "", kept.direction)


async def choose(request: web.Request) -> web.StreamResponse:
    """`POST /worklist/columns`: each `column` in its order; `keep_order` of the list at `back`."""
    form = await read_lists(request)
    account, records = request[SESSION].account_id, request.app[RECORDS]
    there = address_of(form.get("query", ""))
    if "reset" in form:
        await forget_layout(records, account)
        raise web.HTTPSeeOther(there.link(sort="", dir=""))
    before = await layout_of(records, account)
    sort, direction = before.sort, before.direction
    if "keep_order" in form:
        sort, direction = there.sort, there.dir
    names = checked(form.getall("column", []))
    await keep_layout(records, account, names, sort=sort, direction=direction)
    raise web.HTTPSeeOther(there.link())


def column_values(address: Address, seen: ListLayout) -> dict[str, Any]:
    """What the template needs."""
    others = [name for name in COLUMNS if name not in seen.columns]
    is_kept = (address.sort, address.dir) == (seen.sort, seen.direction)
    return {
        "columns": [(name, text(COLUMNS[name])) for name in seen.columns],
        "other_columns": [(name, text(COLUMNS[name])) for name in others],
        "always": ALWAYS,
        "sortable": ORDERS,
        "sorted_by": text(COLUMNS.get(address.sort, "worklist.arrival")).lower(),
        "usual_sort": address.sort in ("", USUAL),
        "is_kept_order": is_kept or (not address.sort and not seen.sort),
        "list_query": address.link().partition("?")[2],
        "own_order": seen.sort,
    }
