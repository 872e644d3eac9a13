"""The page on the DICOM node: the last associations, and what came in them; no patient data."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from daemon.dicom_node.associations import Account, Association, Ending, read_account
from daemon.dicom_node.staging import Received, Staging, count_received
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words
from daemon.safe_files import is_held
from daemon.settings import DicomSettings
from viewer.sessions import SETTINGS
from viewer.templating import render

MEGABYTE = 1e6


@dataclass(frozen=True)
class Row:
    """One association in words."""

    began: str
    calling: str
    address: str
    objects: int
    megabytes: str
    refused: int
    ending: str
    is_wrong: bool


async def show_associations(request: web.Request) -> web.StreamResponse:
    """`GET /system/associations`."""
    settings = request.app[SETTINGS]
    account, held, runs = await asyncio.to_thread(_look, settings.daemon.inbox)
    values = {
        "title": text("associations.title"),
        "section": "system",
        "state": state_words(settings.dicom, account, runs),
        "runs": runs,
        "held": text("associations.held", whole=held.whole, arriving=held.arriving),
        "sums": account.sums,
        "since": moment_words(account.started_at) if account.started_at else "",
        "rows": [row_of(each) for each in account.associations],
    }
    return render(request, "associations.html", values)


def _look(inbox: Path) -> tuple[Account, Received, bool]:
    staging = Staging(inbox)
    return read_account(staging.state), count_received(inbox), is_held(staging.lock)


def state_words(dicom: DicomSettings, account: Account, runs: bool) -> str:
    """Whether the node runs, and where it listens."""
    if not runs:
        return text("associations.stopped" if dicom.sorts else "associations.off")
    if not account.port:
        return text("associations.sorts")
    encrypted = "associations.encrypted" if dicom.tls_certificate else "associations.plain"
    return text(
        "associations.runs",
        ae_title=dicom.ae_title,
        host=dicom.host,
        port=account.port,
        encrypted=text(encrypted),
    )


def row_of(association: Association) -> Row:
    """One association as the table has it."""
    return Row(
        began=moment_words(association.began_at),
        calling=association.calling,
        address=association.address,
        objects=association.objects,
        megabytes=text("associations.megabytes", mb=association.size / MEGABYTE),
        refused=association.refused,
        ending=text(f"association_ending.{association.ending}"),
        is_wrong=association.ending not in (Ending.OPEN, Ending.RELEASED),
    )
