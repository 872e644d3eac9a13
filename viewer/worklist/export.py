"""The results of chosen scans as one zip: their findings as a table, and the published files."""

import asyncio
import csv
import io
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from aiohttp import web
from zipstream import ZipStream

from daemon.drops import SOURCE
from daemon.index.people.audit import Action, append
from daemon.index.scans import ScanRow, shown_among
from daemon.outputs.tables import COLUMNS, Plain, rows_of
from viewer.request_forms import read_lists
from viewer.scans.files import add_files, files_of, send_archive
from viewer.sessions import INDEX, RECORDS, SESSION, SETTINGS
from viewer.worklist.bulk_actions import LONGEST_ID, check_count


async def export_scans(request: web.Request) -> web.StreamResponse:
    """`POST /worklist/export`: each `scan` in its newest revision, without the dropped files."""
    form = await read_lists(request)
    asked = dict.fromkeys(each[:LONGEST_ID] for each in form.getall("scan", []))
    check_count(list(asked))
    scans = await shown_among(request.app[INDEX], list(asked))
    check_count(scans)
    records, account = request.app[RECORDS], request[SESSION].account
    async with records.transaction():
        for each in scans:
            await append(records, account, Action.EXPORT, each.scan_id, "worklist")
    outbox = request.app[SETTINGS].daemon.outbox
    archive = await asyncio.to_thread(archive_of, outbox, scans)
    name = f"gliowatch-{datetime.now().astimezone():%Y-%m-%d-%H%M}"
    return await send_archive(request, archive, name)


def archive_of(outbox: Path, scans: Sequence[ScanRow]) -> ZipStream:
    """`findings.csv` as `gliowatch export` writes it, and a folder a scan below its patient's."""
    archive = ZipStream(sized=True)
    archive.add(_table(scans).encode(), "findings.csv")
    for scan in scans:
        folder = outbox / os.fsdecode(scan.folder)
        dropped = folder / SOURCE
        files = [each for each in files_of(outbox, folder) if dropped not in each.parents]
        patient = scan.patient_id.replace("\\", "_")
        add_files(archive, folder, files, f"{patient}/{scan.scan_id}/")
    return archive


def _table(scans: Sequence[ScanRow]) -> str:
    text, naming = io.StringIO(newline=""), Plain()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for scan in scans:
        table.writerows(rows_of(scan.report, naming, scan.patient_id))
    return text.getvalue()
