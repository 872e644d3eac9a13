"""Which folders of the inbox changed: told by inotify or by polling, as hints for the next look.

Only changes are asked for. A look opens every folder; who asked for that as well would be told of
each of our own looks, look again, and so on for ever.
"""

import asyncio
import errno
import logging
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify_c import InotifyConstants as In
from watchdog.observers.inotify_c import inotify_add_watch, inotify_init
from watchdog.observers.polling import PollingObserver

log = logging.getLogger(__name__)

KINDS = ("created", "modified", "moved", "deleted", "closed")


class Changes:
    """What changed in the inbox since it was last asked for: names of patients' folders.

    is_blind: not every folder is watched, so only the regular look finds everything.
    """

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.is_blind = False
        self._names: set[bytes] = set()
        self._is_all = False

    def add(self, name: bytes | None) -> None:
        """Something changed below this name in the inbox; None: anything may have."""
        self._is_all = self._is_all or name is None
        if name is not None:
            self._names.add(name)
        self.event.set()

    def take(self) -> frozenset[bytes] | None:
        """The names since the last time; None where all has to be looked through."""
        names = None if self._is_all else frozenset(self._names)
        self._names, self._is_all = set(), False
        self.event.clear()
        return names


@contextmanager
def watch(inbox: Path, changes: Changes, polling_seconds: float | None = None) -> Iterator[None]:
    """Tell `changes` whenever something moves below the inbox.

    With `polling_seconds` names and times are compared so often, since a network share tells no
    events; else the system tells them.
    Events may be lost or late, so nothing depends on them: the regular look through the inbox
    finds everything. Where the system refuses to watch, that look alone remains.
    """
    try:
        with _polled(inbox, changes, polling_seconds) if polling_seconds else _told(inbox, changes):
            yield
    finally:
        changes.is_blind = False


@contextmanager
def _polled(inbox: Path, changes: Changes, seconds: float) -> Iterator[None]:
    observer = PollingObserver(timeout=seconds)
    try:
        hint = _Hint(inbox, asyncio.get_running_loop(), changes)
        observer.schedule(hint, str(inbox), recursive=True)
        observer.start()
    except (OSError, RecursionError):  # watchdog walks the folders by recursion
        _refused(changes)
        yield
        return
    try:
        yield
    finally:
        observer.stop()
        observer.join()


class _Hint(FileSystemEventHandler):
    def __init__(self, inbox: Path, loop: asyncio.AbstractEventLoop, changes: Changes) -> None:
        self._inbox = os.fsencode(inbox)
        self._loop, self._changes = loop, changes

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called in watchdog's thread."""
        if event.event_type in KINDS:
            for path in (event.src_path, event.dest_path):
                if not path:
                    continue
                name = os.path.relpath(os.fsencode(path), self._inbox).split(b"/")[0]
                if name not in (b".", b".."):
                    self._loop.call_soon_threadsafe(self._changes.add, name)


@contextmanager
def _told(inbox: Path, changes: Changes) -> Iterator[None]:
    try:
        folders = _Folders(os.fsencode(inbox), changes)
    except OSError:
        _refused(changes)
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_reader(folders.descriptor, folders.read)
    # a hundred thousand folders take seconds: the work begins meanwhile
    adding = threading.Thread(target=folders.add_all, args=(loop,), daemon=True)
    adding.start()
    try:
        yield
    finally:
        loop.remove_reader(folders.descriptor)
        folders.is_over = True
        adding.join()
        os.close(folders.descriptor)


def _refused(changes: Changes) -> None:
    changes.is_blind = True
    log.warning("watching_refused")


HEAD = struct.Struct("iIII")  # of an event: watch, mask, cookie, length of the name
ROOM = 1 << 18  # bytes that are read at a time
TOLD = In.IN_CREATE | In.IN_MOVED_FROM | In.IN_MOVED_TO | In.IN_DELETE | In.IN_CLOSE_WRITE
MASK = TOLD | In.IN_ATTRIB | In.IN_ONLYDIR | In.IN_DONT_FOLLOW | In.IN_EXCL_UNLINK


class _Folders:
    """inotify on every folder of the inbox but those of our own, whose names begin with a dot."""

    def __init__(self, root: bytes, changes: Changes) -> None:
        self._root, self._changes = root, changes
        self._paths: dict[int, bytes] = {}  # of each watch, below the root
        self.is_over = False
        self.descriptor = inotify_init()
        if self.descriptor < 0 or not self._add(b""):
            raise OSError(errno.EMFILE, "inotify is not to be had")

    def add_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch what is there, in a thread of its own; then all is to be looked through once."""
        self._add_below(b"")
        if not self.is_over:
            loop.call_soon_threadsafe(self._changes.add, None)

    def read(self) -> None:
        """Take what the system has to tell."""
        content = os.read(self.descriptor, ROOM)
        place = 0
        while place < len(content):
            watch, mask, _, length = HEAD.unpack_from(content, place)
            place += HEAD.size + length
            name = content[place - length : place].rstrip(b"\0")
            self._tell(watch, mask, name)

    def _tell(self, watch: int, mask: int, name: bytes) -> None:
        if mask & In.IN_Q_OVERFLOW:
            return self._changes.add(None)
        if mask & In.IN_IGNORED:  # the folder is gone
            if self._paths.pop(watch, None) == b"":
                _refused(self._changes)
            return None
        folder = self._paths.get(watch)
        if folder is None or (not folder and name.startswith(b".")):
            return None
        path = os.path.join(folder, name)
        if mask & In.IN_ISDIR and mask & (In.IN_CREATE | In.IN_MOVED_TO) and self._add(path):
            self._add_below(path)
        if path:
            self._changes.add(path.split(b"/")[0])
        return None

    def _add_below(self, path: bytes) -> None:
        """Every folder below one; a list instead of recursion, however deep they nest."""
        folders = [path]
        while folders and not self.is_over:
            folder = folders.pop()
            try:
                with os.scandir(os.path.join(self._root, folder)) as entries:
                    names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
            except OSError:  # it has just gone, or may not be read
                continue
            below = [os.path.join(folder, n) for n in names if folder or not n.startswith(b".")]
            folders += [path for path in below if self._add(path)]

    def _add(self, path: bytes) -> bool:
        """Watch one folder, if it is still there and the system has room for one more."""
        watch = inotify_add_watch(self.descriptor, os.path.join(self._root, path), MASK)
        if watch >= 0:
            self._paths[watch] = path
        elif os.path.isdir(os.path.join(self._root, path)) and not self._changes.is_blind:
            self._changes.is_blind = True  # fs.inotify.max_user_watches, mostly
            log.warning("watching_limited", extra={"folders": len(self._paths)})
        return watch >= 0
