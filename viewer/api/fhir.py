"""`GET /api/v1/scans/{scan_id}/fhir`: a scan as FHIR R4, made in a worker's process."""

import asyncio
import os

from aiohttp import web

from daemon.destinations.fhir_standing import standing_now
from daemon.outputs.catalogue import text
from daemon.outputs.fhir.standing import CONTENT_TYPE, told
from daemon.pipeline.worker_processes import WorkerFailed
from viewer.lookups import asked_scan
from viewer.scans.drawing import MEASURER
from viewer.sessions import INDEX, RECORDS, SETTINGS


async def send_message(request: web.Request) -> web.StreamResponse:
    """As it stands now, and as a FHIR server would get it."""
    scan = await asked_scan(request)
    settings, slot = request.app[SETTINGS].now, request.app[MEASURER]
    now = await standing_now(request.app[INDEX], request.app[RECORDS], scan.scan_id)
    newest = now.scan if now else scan
    folder = settings.daemon.outbox / os.fsdecode(newest.folder)
    if now is None or newest.removed_at or not await asyncio.to_thread(folder.is_dir):
        raise web.HTTPNotFound(text=text("fault.no_files"))
    system = settings.fhir.patient_system
    try:
        async with slot.turn():
            content = await slot.run(told, folder, now.scan.report, now.standing, system)
    except WorkerFailed as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from None
    return web.Response(text=content, content_type=CONTENT_TYPE)
