"""The API of what gliowatch does: uploads, the queue, the system now, agreement with people."""

from aiohttp import web

from daemon.index.people.reviews import corrected_masks, last_words
from daemon.index.queue_listing import PAGE
from daemon.operations.status import condition
from daemon.records import reviews
from viewer.admin.system import LISTS, asked_page, do
from viewer.api.request_fields import QueueAction, answer, read_body
from viewer.api.response_fields import Agreement, Done, QueuePage, Received, SystemNow
from viewer.sessions import INDEX, RECORDS, SETTINGS
from viewer.upload.page import NO_FILE, place_upload
from viewer.uploads_streaming import FORM

NOT_A_FORM = "An upload is sent as multipart/form-data: first `patient`, then `files`."


async def upload(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/uploads`: streamed into the inbox as one drop, or nothing of it is kept."""
    if request.content_type != FORM:
        raise web.HTTPUnsupportedMediaType(text=NOT_A_FORM)
    count = await place_upload(request)
    if count == 0:
        raise web.HTTPBadRequest(text=NO_FILE)
    return answer(Received(files=count), 201)


async def list_queue(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/queue?list=…&page=…`: what runs and waits, what rests, what failed."""
    name = request.query.get("list", "queue")
    if name not in LISTS:
        raise web.HTTPNotFound(text="There is no such list.")
    page = asked_page(request, "page")
    drops = await LISTS[name](request.app[INDEX], page)
    later = f"{request.path}?list={name}&page={page + 1}" if len(drops) == PAGE else None
    return answer(QueuePage(drops=drops, next=later))


async def act(request: web.Request) -> web.StreamResponse:
    """`POST /api/v1/queue`: what the buttons of the system page do."""
    asked = await read_body(request, QueueAction)
    return answer(Done(count=await do(request, asked.action, asked.scan, asked.confirmed)))


async def show_system(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/system`."""
    daemon = request.app[SETTINGS].daemon
    now = await condition(
        request.app[INDEX],
        daemon.outbox,
        daemon.reconcile_seconds,
        daemon.slots,
    )
    return answer(
        SystemNow(
            daemon=now.sign,
            paused=now.paused,
            disk_low=now.disk_low,
            counts=now.counts,
            minutes_left=now.minutes_left,
            share_free=now.share_free,
        )
    )


async def show_agreement(request: web.Request) -> web.StreamResponse:
    """`GET /api/v1/agreement`."""
    records = request.app[RECORDS]
    words, corrected = await last_words(records), await corrected_masks(records)
    return answer(
        Agreement(
            overall=reviews.overall(words, corrected),
            months=reviews.by_month(words, corrected),
            networks=reviews.by_network(words, corrected),
            difference=reviews.difference_of(corrected),
        )
    )
