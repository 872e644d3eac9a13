"""From one scan to the next that nobody has reviewed, in the worklist's usual order."""

from aiohttp import web

from daemon.index.worklist import row_of_scan, worklist_rows
from daemon.index.worklist_filters import Filters
from daemon.index.worklist_pages import Asked, page_of
from daemon.index.worklist_people import catch_up
from viewer.keys import JOINED, RECORDS
from viewer.worklist_address import Address, arrival


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
    raise web.HTTPSeeOther(f"/scans/{rows[0].scan_id}" if rows else "/?said=reviewed")
