"""The buttons of the system page: each calls what `gliowatch queue` calls."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from daemon import queue_commands
from daemon.index import queue
from daemon.queue_commands import UnknownScan
from viewer.keys import INDEX, SETTINGS
from viewer.pages import read_form
from viewer.system_page import weights_in_use

NOT_CONFIRMED = "Please type the number of scans to confirm: nothing was queued."


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
        raise web.HTTPBadRequest(text="There is no such action.")
    try:
        return await acts[action]()
    except UnknownScan:
        raise web.HTTPNotFound(text="There is no such scan.") from None


def _acts(
    request: web.Request, names: list[str], confirmed: str
) -> dict[str, Callable[[], Awaitable[int]]]:
    index, inbox = request.app[INDEX], request.app[SETTINGS].daemon.inbox
    return {
        "pause": lambda: _pause(request, paused=True),
        "resume": lambda: _pause(request, paused=False),
        "urgent": lambda: queue_commands.make_urgent(index, names),
        "cancel": lambda: queue_commands.cancel(index, names),
        "now": lambda: queue_commands.begin_now(index, names),
        "retry": lambda: queue_commands.retry(index, inbox, names),
        "retry_all": lambda: queue_commands.retry_all(index, inbox),
        "reprocess": lambda: queue_commands.reprocess(index, names),
        "reprocess_older": lambda: _reprocess_older(request, confirmed),
    }


async def _pause(request: web.Request, paused: bool) -> int:
    await queue.pause(request.app[INDEX], paused)
    return 0


async def _reprocess_older(request: web.Request, confirmed: str) -> int:
    """All scans that other weights judged, once somebody has typed how many that are."""
    weights = await weights_in_use(request.app[SETTINGS])
    if weights is None:
        raise web.HTTPConflict(text="The weights file cannot be read: nothing was queued.")
    if confirmed != str(await queue.count_older(request.app[INDEX], weights.sha256)):
        raise web.HTTPBadRequest(text=NOT_CONFIRMED)
    return await queue_commands.reprocess_older(request.app[INDEX], weights.sha256)
