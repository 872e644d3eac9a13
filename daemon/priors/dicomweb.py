"""A patient's studies are asked for by QIDO-RS (PS3.18 10.6), and one comes by WADO-RS (10.4).

The objects are streamed beside the inbox, byte for byte and unopened, and arrive together. That is
why aiohttp does it, which is here anyway: dicomweb-client takes each into memory, and apart.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from pydicom.dataset import Dataset

from daemon.dicom_node.object_storage import Room
from daemon.dicom_node.peer_answers import (
    MOST_STUDIES,
    PeerAway,
    StudyFound,
    names_one,
    studies_in,
)
from daemon.dicom_node.staging import Staging
from daemon.dicom_node.stow_client import session_with
from daemon.dicom_node.stow_staging import PostedObjects, clear_held
from daemon.http_session import CONNECT_SECONDS, LATER, read_at_most, why_not
from daemon.settings import DicomSettings

log = logging.getLogger(__name__)

TOLD = "application/dicom+json"
OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'  # as they are stored
STUDY_UID = re.compile(r"[0-9][0-9.]{0,63}")
LONGEST = 24  # times the longest silence: so long a study may take in all
LARGEST_LIST = 1 << 24  # bytes of studies that are told
CHUNK = 1 << 18
NOT_US = {401: "no_query", 403: "no_query", 404: "no_service", 405: "no_service"}
AWAY = (*LATER, 502, 503, 504)
BROKEN = (  # a body that ends early, or that cannot be split
    *(aiohttp.ClientError, HttpProcessingError, TimeoutError),
    *(ValueError, AssertionError, RuntimeError, LookupError),
)


class DicomWeb:
    """One PACS. Not for two tasks at once."""

    def __init__(self, dicom: DicomSettings, staging: Staging) -> None:
        self._priors, self._staging = dicom.priors, staging
        self._largest = dicom.max_object_mb * 10**6
        self._room = Room(staging.root, dicom.reserve_gb * 1e9)
        self._studies = f"{dicom.priors.url.rstrip('/')}/studies"
        self._session: aiohttp.ClientSession | None = None

    async def studies_of(self, patient_id: str) -> list[StudyFound]:
        """All studies of this very patient. Raises PeerAway."""
        if not names_one(patient_id):
            return []
        asked = [("PatientID", patient_id), ("limit", str(MOST_STUDIES))]
        asked += [("includefield", name) for name in ("IssuerOfPatientID", "ModalitiesInStudy")]
        if self._priors.issuer:
            asked.append(("IssuerOfPatientID", self._priors.issuer))
        async with self._answer(self._studies, TOLD, self._priors.answer_seconds, asked) as answer:
            if answer.status not in (200, 204):
                reason = NOT_US.get(answer.status, "query")
                raise PeerAway(reason, str(answer.status))
            try:
                said = await read_at_most(answer, LARGEST_LIST)
            except (aiohttp.ClientError, TimeoutError):
                raise PeerAway("no_answer") from None
        found: list[StudyFound] = []
        for told in _listed(said):
            found += studies_in(told, patient_id, self._priors.issuer)
        return found[:MOST_STUDIES]

    async def fetch(self, study_uid: str) -> bool:
        """Whether all of a study has come. What came of one that breaks off is kept.

        Raises PeerAway.
        """
        if not STUDY_UID.fullmatch(study_uid):
            return False
        await asyncio.to_thread(clear_held, self._staging.fetching)
        try:
            return await self._fetch(study_uid)
        except OSError as error:
            log.warning("prior_not_kept", extra={"errno": error.errno})
            raise PeerAway("our_disk") from None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._session is not None:
            await self._session.close()

    async def _fetch(self, study_uid: str) -> bool:
        held = await asyncio.to_thread(PostedObjects, self._staging, self._staging.fetching)
        came: list[Path] = []
        try:
            place, seconds = f"{self._studies}/{study_uid}", self._priors.move_seconds
            async with self._answer(place, OBJECTS, seconds) as answer:
                is_whole = await self._take(answer, held, came)
            await asyncio.to_thread(held.arrive, came)
            return is_whole and bool(came)
        finally:
            await asyncio.to_thread(held.cancel)

    async def _take(
        self, answer: aiohttp.ClientResponse, held: PostedObjects, came: list[Path]
    ) -> bool:
        """Whether a response came to its end; what is whole of it goes to `came`.

        Raises OSError, PeerAway.
        """
        if answer.status in (401, 403):
            raise PeerAway(NOT_US[answer.status], str(answer.status))
        is_whole = answer.status == 200
        if is_whole or answer.status == 206:  # not all of it, says the PACS
            try:
                parts = aiohttp.MultipartReader.from_response(answer)
                while (part := await parts.next()) is not None:
                    came += held.files[len(came) :]  # those that a boundary has followed
                    if not isinstance(part, aiohttp.BodyPartReader):
                        raise ValueError("parts in a part")
                    await self._keep(part, held)
                came += held.files[len(came) :]
            except BROKEN:
                is_whole = False
        if not is_whole:
            log.warning("study_not_whole", extra={"status": str(answer.status)})
        return is_whole

    async def _keep(self, part: aiohttp.BodyPartReader, held: PostedObjects) -> None:
        """One object to the disk. Raises OSError; ValueError where it is too large."""
        size = 0
        stream, target = await asyncio.to_thread(held.open, "")
        with stream:
            while piece := await part.read_chunk(CHUNK):
                size += len(piece)
                if size > self._largest:
                    raise ValueError("too large")
                if not self._room.is_there():
                    raise PeerAway("our_disk")
                await asyncio.to_thread(held.write, stream, piece)
            await asyncio.to_thread(held.keep, stream, target)

    @asynccontextmanager
    async def _answer(
        self, place: str, kind: str, silence: float, asked: list[tuple[str, str]] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """What the PACS says. silence: seconds in which something must come. Raises PeerAway."""
        total = LONGEST * silence if kind == OBJECTS else silence
        limits = aiohttp.ClientTimeout(total, sock_connect=CONNECT_SECONDS, sock_read=silence)
        try:
            session = self._session = self._session or session_with(self._priors)
            coming = session.get(
                place,
                params=asked,
                headers={"Accept": kind},
                timeout=limits,
                allow_redirects=False,
            )
            answer = await coming
        except (aiohttp.ClientError, OSError) as error:
            raise PeerAway(why_not(error)) from None
        async with answer:
            if answer.status in AWAY:
                raise PeerAway("server", str(answer.status))
            yield answer


def _listed(said: bytes) -> list[Dataset]:
    """The studies of an answer; none of an empty one. Raises PeerAway for one that is no list."""
    try:
        items = json.loads(said or b"[]")
    except (ValueError, RecursionError):  # no JSON, or lists in lists without end
        raise PeerAway("query") from None
    found = []
    for item in items if isinstance(items, list) else ():
        try:
            found.append(Dataset.from_json(item))
        except Exception:  # pydicom reads it, and any damage means the same here
            log.warning("answer_unreadable")
    return found
