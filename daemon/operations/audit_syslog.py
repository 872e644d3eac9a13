"""The audit, sent on as it is written: syslog (RFC 5424) over TLS (RFC 5425).

A receiver of syslog confirms nothing, so what a broken connection may have swallowed is sent again:
each message bears the entry's number and hash, by which the second one is known. None is left out.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from urllib.parse import urlsplit

from daemon.index import queue
from daemon.index.database import Database
from daemon.index.people.audit import Entry, all_entries
from daemon.settings import DaemonSettings

log = logging.getLogger(__name__)

SENT = "audit_sent"  # in the index: the number of the last entry that was sent
AGAIN = 100  # entries before that one, sent once more over a new connection
PRIORITY = 13 * 8 + 6  # facility "log audit", severity "informational"
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 10.0  # to connect, and to send a message
RETRY_SECONDS = 15.0


@asynccontextmanager
async def audit_sent(
    daemon: DaemonSettings, index: Database, records: Database
) -> AsyncIterator[None]:
    """While the context is open; nothing where no receiver is named."""
    if not daemon.audit_syslog:
        yield
        return
    task = asyncio.create_task(_follow(daemon, index, records))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _follow(daemon: DaemonSettings, index: Database, records: Database) -> None:
    """Connect again and again; a receiver that is away is logged once."""
    is_away = False
    while True:
        try:
            async with _connected(daemon) as (reader, writer):
                is_away = False
                await _send_all(reader, writer, index, records)
        except (OSError, TimeoutError) as error:
            if not is_away:
                log.warning("audit_not_sent", extra={"errno": getattr(error, "errno", None)})
            is_away = True
        await asyncio.sleep(RETRY_SECONDS if is_away else LOOK_SECONDS)


@asynccontextmanager
async def _connected(
    daemon: DaemonSettings,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    place = urlsplit(daemon.audit_syslog)
    secure = ssl.create_default_context(cafile=daemon.audit_syslog_ca or None)
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection(
            place.hostname, place.port, ssl=secure if place.scheme == "tls" else None
        )
    try:
        yield reader, writer
    finally:
        writer.close()


async def _send_all(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, index: Database, records: Database
) -> None:
    """Send what is new, for as long as the receiver stays; raises OSError, TimeoutError."""
    goodbye = asyncio.ensure_future(reader.read(1))  # it says nothing, but it may end
    try:
        sent = max(0, await queue.switch(index, SENT) - AGAIN)
        while not goodbye.done():
            before = sent
            async for entry in all_entries(records, sent + 1):
                writer.write(message(entry))
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await writer.drain()
                sent = entry.number
            if sent != before:
                await queue.set_switch(index, SENT, sent)
            await asyncio.wait({goodbye}, timeout=LOOK_SECONDS)
    finally:
        goodbye.cancel()


def message(entry: Entry) -> bytes:
    """An entry as syslog, with its length before it; the fields are JSON in its text."""
    fields = json.dumps(asdict(entry), ensure_ascii=False)
    head = f"<{PRIORITY}>1 {entry.at} {socket.gethostname()} gliowatch {os.getpid()} audit - "
    content = head.encode() + b"\xef\xbb\xbf" + fields.encode("utf-8", "replace")
    return b"%d %s" % (len(content), content)
