"""Watchdog's thread on one side, an asyncio event on the other: a hint that it is time to look."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.polling import PollingObserver

log = logging.getLogger(__name__)

CHANGES = ("created", "modified", "moved", "deleted", "closed")


class _Hint(FileSystemEventHandler):
    def __init__(self, loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
        self._loop = loop
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Wake the daemon for changes; reading a file is no change."""
        if event.event_type in CHANGES:
            self._loop.call_soon_threadsafe(self._changed.set)


@contextmanager
def watch(
    inbox: Path, changed: asyncio.Event, polling_seconds: float | None = None
) -> Iterator[None]:
    """Set `changed` whenever something moves below the inbox.

    With `polling_seconds` names and times are compared so often, since a network share tells no
    events; else the system tells them.
    Events may be lost or late, so nothing depends on them: the regular look through the inbox
    finds everything. Where the system refuses to watch, that look alone remains.
    """
    observer = Observer() if polling_seconds is None else PollingObserver(timeout=polling_seconds)
    try:
        observer.schedule(_Hint(asyncio.get_running_loop(), changed), str(inbox), recursive=True)
        observer.start()
    except (OSError, RecursionError):  # watchdog walks the folders by recursion
        log.warning("watching_refused")
        yield
        return
    try:
        yield
    finally:
        observer.stop()
        observer.join()
