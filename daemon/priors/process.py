"""The process that fetches priors, which `run` starts beside the daemon, and `gliowatch priors`."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable

from daemon.background import until_stopped
from daemon.dicom_node.peer_answers import PeerAway
from daemon.dicom_node.staging import Staging
from daemon.drops import folder_name
from daemon.index.database import open_index
from daemon.logs import log_to_stderr, quiet_libraries
from daemon.outputs.catalogue import text
from daemon.pipeline.lost_index import IndexLost, file_mark, open_known_index, until_not_lost
from daemon.priors.journal import LOCK, Journal
from daemon.priors.retrieval import Asked, Fetched, Fetcher
from daemon.safe_files import AlreadyRunning, is_held, only_one_at
from daemon.settings import Settings
from model.errors import GliowatchError

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two looks at what was published


class NoPriors(GliowatchError):
    """Priors cannot be fetched; the sentence says why."""


def serve(settings: Settings) -> None:
    """Fetch until SIGTERM or the parent's end; the parent handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    quiet_libraries()
    try:
        asyncio.run(_serve(settings))
    except (GliowatchError, OSError) as error:
        log.error("priors_refused", extra={"reason": type(error).__name__})
        raise SystemExit(1) from None


async def _serve(settings: Settings) -> None:
    async with _asking(settings) as pacs:
        await until_stopped(_work(settings, pacs))
    log.info("priors_stopped")


@contextlib.asynccontextmanager
async def _asking(settings: Settings) -> AsyncIterator[Asked]:
    """Who speaks with the PACS; only what it speaks is loaded."""
    pacs: Asked
    if settings.dicom.priors.is_web:
        from daemon.priors.dicomweb import DicomWeb

        pacs = DicomWeb(settings.dicom, Staging(settings.daemon.inbox))
    else:
        from daemon.dicom_node.query_scu import Pacs

        pacs = Pacs(settings.dicom.priors, settings.dicom.ae_title)
    try:
        yield pacs
    finally:
        await pacs.close()


async def _work(settings: Settings, pacs: Asked) -> None:
    daemon = settings.daemon
    await until_not_lost(daemon)
    staging = Staging(daemon.inbox)
    while not await asyncio.to_thread(daemon.inbox.is_dir):  # noqa: ASYNC110 - not mounted yet
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.to_thread(staging.make)
    journal = await asyncio.to_thread(Journal, staging)  # before the node takes anything
    while not await asyncio.to_thread(is_held, staging.lock):  # noqa: ASYNC110 - the node starts
        await asyncio.sleep(LOOK_SECONDS)
    async with open_index(daemon.index) as index:
        mark = file_mark(daemon.index)
        fetcher = Fetcher(index, pacs, settings.dicom.priors, staging, journal)
        log.info("priors_started")
        while file_mark(daemon.index) == mark:
            with contextlib.suppress(AlreadyRunning), only_one_at(staging.root / LOCK):
                await asyncio.to_thread(journal.read)  # the command may have fetched meanwhile
                await fetcher.look()
            await asyncio.sleep(LOOK_SECONDS)
    raise IndexLost(text("intake.index_replaced", index=daemon.index))


def fetch_visibly(settings: Settings, patient_id: str, say: Callable[[str], object]) -> int:
    """The newest studies of a patient, now; 1 if one did not come whole, else 0.

    patient_id: as the PACS has it. Raises NoPriors, AlreadyRunning.
    """
    staging = Staging(settings.daemon.inbox)
    if not settings.dicom.priors.pacs:
        raise NoPriors(text("prior_fetch.no_pacs"))
    if not is_held(staging.lock):
        raise NoPriors(text("prior_fetch.no_node"))
    quiet_libraries()
    try:
        fetched = asyncio.run(_fetch_now(settings, staging, patient_id))
    except PeerAway as away:
        raise NoPriors(text("prior_fetch.away", reason=str(away))) from None
    say(text("prior_fetch.fetched", came=fetched.came, known=fetched.known, failed=fetched.failed))
    return int(fetched.failed > 0)


async def _fetch_now(settings: Settings, staging: Staging, patient_id: str) -> Fetched:
    async with open_known_index(settings.daemon) as index, _asking(settings) as pacs:
        with only_one_at(staging.root / LOCK):
            fetcher = Fetcher(index, pacs, settings.dicom.priors, staging, Journal(staging))
            return await fetcher.fetch(folder_name(patient_id), "")
