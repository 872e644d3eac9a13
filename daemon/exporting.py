"""`gliowatch export`: all findings as CSV, for a spreadsheet or for statistics."""

import asyncio
import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

from daemon.exporting_masks import export_masks
from daemon.index.database import Database, open_index, open_records
from daemon.index.listing import every_scan
from daemon.index.secret import kept_secret
from daemon.outputs.naming import Hidden, Naming, Plain
from daemon.outputs.table import COLUMNS, rows_of
from daemon.settings import DaemonSettings, Settings
from daemon.work import judging_rules

Write = Callable[[str], object]


def export(
    settings: Settings,
    deidentify: bool,
    masks: Path | None,
    out: Path | None,
    say: Callable[[str], object],
) -> None:
    """Write the table to `out`, or to standard output; or the accepted masks below `masks`.

    deidentify: no patient folders and names; opaque numbers instead, and each patient's dates
    earlier by a secret number of days, 1 to 365, so that the time between scans stays true.
    """
    if masks is not None:
        written, left_out = asyncio.run(_export_masks(settings, deidentify, masks))
        say(f"{written} accepted masks are in {masks}.")
        if left_out:
            say(f"{left_out} more could not be written: pictures, or their files are gone.")
        return
    if out is None:
        asyncio.run(_export(settings.daemon, deidentify, sys.stdout.write))
        return
    partial = out.with_name(f".{out.name}.part")
    with open(partial, "w", encoding="utf-8", newline="") as stream:
        partial.chmod(0o600)  # patients are in it
        asyncio.run(_export(settings.daemon, deidentify, stream.write))
    partial.replace(out)


async def _export(daemon: DaemonSettings, deidentify: bool, write: Write) -> None:
    line = io.StringIO(newline="")
    table = csv.DictWriter(line, COLUMNS, lineterminator="\n")
    table.writeheader()
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        naming = await _naming(records, deidentify)
        async for scan in every_scan(index):
            for row in rows_of(scan.report, naming):
                table.writerow(row)
            write(line.getvalue())
            line.seek(0)
            line.truncate()
    write(line.getvalue())


async def _export_masks(settings: Settings, deidentify: bool, masks: Path) -> tuple[int, int]:
    daemon = settings.daemon
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        naming, flair = await _naming(records, deidentify), judging_rules(settings.model).flair
        return await export_masks(index, records, daemon.outbox, masks, naming, flair)


async def _naming(records: Database, deidentify: bool) -> Naming:
    return Hidden(await kept_secret(records, "export")) if deidentify else Plain()
