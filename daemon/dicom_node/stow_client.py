"""Requests to a service that takes results, and STOW-RS (PS3.18 10.5): one object a request, so
that each has its own answer.

It is done with aiohttp, which the viewer needs anyway: the body is a single part, while
dicomweb-client would bring packages of its own, and threads.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import aiohttp

from daemon.dicom_node.peer_answers import NO_ANSWER, Answer, PeerAway, Verdict, answer_of_status
from daemon.http_session import LATER, open_session, read_at_most, why_not
from daemon.settings.archives import Destination, FhirServer, Partner, ResultReceiver

FAILED, STORED = "00081198", "00081199"  # FailedSOPSequence, ReferencedSOPSequence
FAILURE, WARNING = "00081197", "00081196"  # FailureReason, WarningReason
NOT_US = {401: "not_authorized", 403: "not_authorized", 404: "address", 405: "address"}
LARGEST_ANSWER = 1 << 20  # bytes that are read of what it says


class Service:
    """What is sent by HTTP to one address. Not for two tasks at once."""

    def __init__(self, to: ResultReceiver) -> None:
        self._to = to
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        """What the service says to a body. Raises PeerAway."""
        try:
            session = self._session = self._session or session_with(self._to)
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer_of(answer.status, await read_at_most(answer, LARGEST_ANSWER))
        except (aiohttp.ClientError, OSError) as error:
            reason = why_not(error)
            if reason == NO_ANSWER.reason:
                return NO_ANSWER
            raise PeerAway(reason) from None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class Stow(Service):
    """Objects to one archive."""

    def __init__(self, to: Destination) -> None:
        super().__init__(to)
        self._studies = f"{to.url.rstrip('/')}/studies"

    async def send(self, content: bytes) -> Answer:
        """Send one object, the bytes of its file. Raises PeerAway."""
        mark = secrets.token_hex(16)
        head = f"--{mark}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = b"".join((head, content, f"\r\n--{mark}--\r\n".encode()))
        kind = f'multipart/related; type="application/dicom"; boundary={mark}'
        headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
        return await self.post(self._studies, body, headers)


def session_with(to: Partner) -> aiohttp.ClientSession:
    """A session with its certificates and its secret. Raises PeerAway, OSError."""
    return open_session(
        to.answer_seconds, secret_header(to), to.tls_ca, to.tls_certificate, to.tls_key
    )


def secret_header(to: Partner) -> dict[str, str]:
    """The header that the variable of the environment, or the file of a token, holds; none where
    neither is named. Raises PeerAway."""
    if isinstance(to, FhirServer) and to.token_file:
        try:
            token = Path(to.token_file).read_text().strip()
        except (OSError, ValueError):
            raise PeerAway("token_file") from None
        return {"Authorization": f"Bearer {token}"}
    name, colon, value = os.environ.get(to.header_variable, "").partition(":")
    return {name.strip(): value.strip()} if to.header_variable and colon else {}


def answer_of(status: int, said: bytes) -> Answer:
    """What a response means for the one object of its request. Raises PeerAway."""
    if status in NOT_US:
        raise PeerAway(NOT_US[status], str(status))
    if status in LATER or status >= 500:
        return Answer(Verdict.LATER, str(status), "server")
    told = _parsed(said)
    if reason := _number(told, FAILED, FAILURE):
        return answer_of_status(reason)
    if 200 <= status < 300:
        if warning := _number(told, STORED, WARNING):
            return Answer(Verdict.STORED, f"{warning:04X}", "warning")
        return Answer(Verdict.STORED, str(status), "stored")
    return Answer(Verdict.REFUSED, str(status), "http")


def _parsed(said: bytes) -> dict[str, Any]:
    try:
        told = json.loads(said or b"{}")
    except (ValueError, RecursionError):  # XML, words, or hostile: then the status alone tells
        return {}
    told = told[0] if isinstance(told, list) and told else told
    return told if isinstance(told, dict) else {}


def _number(told: dict[str, Any], sequence: str, reason: str) -> int | None:
    """The first such reason among the items of a sequence, in the JSON of DICOM."""
    for item in (told.get(sequence) or {}).get("Value", []):
        values = (item.get(reason) or {}).get("Value", [])
        if values and isinstance(values[0], int):
            return int(values[0])
    return None
