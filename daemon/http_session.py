"""Requests over HTTP to other machines: certificates, patience, and why no answer came."""

import ssl

import aiohttp

CONNECT_SECONDS = 15.0
LATER = (408, 425, 429)  # and all from 500 on: it is busy, or broken for now


def open_session(
    seconds: float,
    headers: dict[str, str],
    ca: str,
    certificate: str = "",
    key: str = "",
) -> aiohttp.ClientSession:
    """A session in which an answer takes so many seconds at most.

    ca, certificate, key: PEM files; '' = those that the system trusts, and none of our own.
    Raises OSError for one that cannot be read.
    """
    context = ssl.create_default_context(cafile=ca or None)
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds)),
        connector=aiohttp.TCPConnector(ssl=context),
        headers=headers,
    )


def why_not(error: aiohttp.ClientError | OSError) -> str:
    """Why a session, or an answer in it, was not to be had: a word that ends a catalogue's key."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "certificate"
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return "no_connection"
        case aiohttp.ClientError() | TimeoutError():
            return "no_answer"
    return "certificate_file"


async def read_at_most(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The beginning of a body, so many bytes at most."""
    said = bytearray()
    while len(said) < most and (piece := await answer.content.read(most - len(said))):
        said += piece
    return bytes(said)
