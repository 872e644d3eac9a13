"""The audit, for administrators: a page, newest first, and all of it as CSV."""

import csv
import io

from aiohttp import web

from daemon.index.people.accounts import list_accounts
from daemon.index.people.audit import COLUMNS, all_entries, page_of_audit
from daemon.outputs.catalogue import text, words
from daemon.outputs.tables import plain_cell
from viewer.sessions import RECORDS
from viewer.templating import render

PAGE = 100
ROWS_AT_ONCE = 500


async def show_audit(request: web.Request) -> web.StreamResponse:
    """`GET /audit`: `before` a number, of one `account` or of all."""
    records = request.app[RECORDS]
    account, before = request.query.get("account", ""), request.query.get("before", "")
    if before and not (before.isdecimal() and len(before) < 16):
        raise web.HTTPNotFound(text=text("audit.no_page"))
    entries = await page_of_audit(records, int(before) if before else None, account, PAGE + 1)
    values = {
        "title": text("audit.title"),
        "section": "audit",
        "actions": words("audit_action"),
        "entries": entries[:PAGE],
        "account": account,
        "accounts": [each.name for each in await list_accounts(records)],
        "older": entries[PAGE - 1].number if len(entries) > PAGE else None,
        "is_first": not before,
    }
    return render(request, "audit.html", values)


async def send_audit(request: web.Request) -> web.StreamResponse:
    """`GET /audit.csv`: every entry with its hash, oldest first, streamed."""
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": 'attachment; filename="audit.csv"',
    }
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    rows: list[list[str]] = [COLUMNS.split(", ")]
    async for entry in all_entries(request.app[RECORDS]):
        rows.append([str(plain_cell(value)) for value in vars(entry).values()])
        if len(rows) >= ROWS_AT_ONCE:
            await response.write(_lines(rows))
            rows = []
    await response.write(_lines(rows))
    await response.write_eof()
    return response


def _lines(rows: list[list[str]]) -> bytes:
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    return table.getvalue().encode()
