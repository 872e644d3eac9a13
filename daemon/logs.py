"""Logs as one JSON line an event, with ids only: no patient data, folder or file names."""

import json
import logging
import os
import queue
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from model.errors import GliowatchError

FIELDS = (
    *("drop", "drops", "scan", "kind", "files", "folders", "studies"),
    *("finding", "reason", "attempt", "errno", "pid"),
    *("results", "of", "unreadable", "aside"),
    *("association", "objects", "bytes", "status", "destination", "receiver"),
    *("machine", "places", "seconds"),  # other machines, by the names that they were given
    *("settings", "sentence"),  # of a reload: names of keys, and what an administrator is told
)


class NoLogFolder(GliowatchError):
    """The folder that the settings name for logs cannot be written to."""


class JsonLines(logging.Formatter):
    """Time, level, event, and the few extra fields that are known to be harmless."""

    def format(self, record: logging.LogRecord) -> str:
        """One event as one line of JSON; of an exception only its type and places in the code."""
        content: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        content |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0]:
            content["error"] = record.exc_info[0].__name__
            content["where"] = _places(record)
        return json.dumps(content, ensure_ascii=False)


def _places(record: logging.LogRecord) -> list[str]:
    """File and line of each frame; the message is left out, since it may quote a file name."""
    trace = record.exc_info[2] if record.exc_info else None
    places = []
    while trace:
        places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
        trace = trace.tb_next
    return places


OURS = ("daemon", "viewer", "model", "gliowatch")
LIBRARIES = (
    *("pydicom", "pynetdicom", "highdicom", "nibabel", "nibabel.global"),
    *("PIL", "watchdog", "asyncio", "apprise", "urllib3"),
)


def log_to_stderr() -> None:
    """Set up logging for a process of `gliowatch run`: what libraries say is not passed on.

    They quote tags and file names. An error in a thread is logged by its place in the code.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(lambda record: record.name.split(".")[0] in OURS)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    threading.excepthook = _log_thread_error
    warnings.simplefilter("ignore")
    quiet_libraries()


def quiet_libraries() -> None:
    """Let no library log: a DICOM reader quotes the values that it complains of."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _log_thread_error(error: threading.ExceptHookArgs) -> None:
    if error.exc_value is not None:
        found = (error.exc_type, error.exc_value, error.exc_traceback)
        logging.getLogger(__name__).error("thread_ended", exc_info=found)


MOST_WAITING = 10_000  # lines that wait for the disk; further ones go to standard error alone
FAREWELL_SECONDS = 2.0  # for the last lines; a process that outlives the daemon may hold the pipe
STDERR = 2


@contextmanager
def logged_to_file(file: Path | None, limit: int, older: int) -> Iterator[None]:
    """While the context is open, the log is in a file too; nothing without one.

    limit: bytes after which it gets a number and a new one begins; older: how many are kept so.
    Processes that are started meanwhile write there too: workers may write nowhere but into the
    outbox, and several writers of one file cannot change to the next one. So standard error is a
    pipe, and this process passes each line on, to where it went before and to the file. A disk
    that hangs or is full holds nobody up: lines then stand in the other place alone. Raises
    NoLogFolder.
    """
    if file is None:
        yield
        return
    writer = _Writer(_open(file, limit, older))
    sys.stderr.flush()
    before, (reading, writing) = os.dup(STDERR), os.pipe()
    os.dup2(writing, STDERR)
    os.close(writing)
    reader = threading.Thread(target=_pass_on, args=(reading, before, writer), daemon=True)
    reader.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, STDERR)
        reader.join(FAREWELL_SECONDS)
        writer.finish()


def _open(file: Path, limit: int, older: int) -> "_Turns":
    """Made before anything begins, so that a wrong folder is told at once."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return _Turns(file, maxBytes=limit, backupCount=older, encoding="utf-8")
    except OSError as error:
        raise NoLogFolder(
            f"No log can be written into {file.parent}, which log.folder names: {error.strerror}."
        ) from None


class _Turns(RotatingFileHandler):
    """Raw lines in a file, which gets a number when it is full; what cannot be written is lost."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """The line stands on standard error; a full disk is told there by those who need it."""


class _Writer:
    """Writes lines in a thread of its own, so that a disk which hangs stops nobody else."""

    def __init__(self, turns: _Turns) -> None:
        self._turns = turns
        self._lines: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def take(self, line: bytes) -> None:
        """Have it written, unless too many wait."""
        with suppress(queue.Full):
            self._lines.put_nowait(line.decode("utf-8", "replace").rstrip("\n"))

    def finish(self) -> None:
        """Write what waits, if the disk takes it soon."""
        try:
            self._lines.put(None, timeout=FAREWELL_SECONDS)
        except queue.Full:
            return
        self._thread.join(FAREWELL_SECONDS)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            self._turns.handle(logging.makeLogRecord({"msg": line}))
        with suppress(OSError):  # a full disk: closing writes what is left once more
            self._turns.close()


def _pass_on(reading: int, before: int, writer: _Writer) -> None:
    """Each line to both places, until the last process has closed the pipe."""
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            writer.take(line)
            with suppress(OSError):  # whoever read it has gone: the file has it
                os.write(before, line)
    os.close(before)
