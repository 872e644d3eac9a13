"""`gliowatch export`: all findings as CSV, for a spreadsheet or for statistics."""

import asyncio
import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

from daemon.index.database import open_index, open_records
from daemon.index.listing import every_scan
from daemon.index.secret import kept_secret
from daemon.outputs.naming import Hidden, Naming, Plain
from daemon.outputs.table import COLUMNS, rows_of
from daemon.settings import DaemonSettings, Settings
from model.errors import GliowatchError

Write = Callable[[str], object]


class NoReviews(GliowatchError):
    """Reviewed masks were asked for, and nobody can have reviewed any."""


def export(settings: Settings, deidentify: bool, masks: Path | None, out: Path | None) -> None:
    """Write the table to `out`, or to standard output. Raises NoReviews for `masks`.

    deidentify: no patient folders and names; opaque numbers instead, and each patient's dates
    earlier by a secret number of days, 1 to 365, so that the time between scans stays true.
    """
    if masks is not None:
        raise NoReviews("Masks cannot be reviewed yet, so there are none to export.")
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
        naming: Naming = Plain()
        if deidentify:
            naming = Hidden(await kept_secret(records, "export"))
        async for scan in every_scan(index):
            for row in rows_of(scan.report, naming):
                table.writerow(row)
            write(line.getvalue())
            line.seek(0)
            line.truncate()
    write(line.getvalue())
