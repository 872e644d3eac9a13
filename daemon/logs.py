"""Logs as one JSON line an event, with ids only: no patient data, folder or file names."""

import json
import logging
import sys
import threading
import warnings
from datetime import UTC, datetime

FIELDS = (
    *("drop", "drops", "scan", "kind", "files", "folders", "studies"),
    *("finding", "reason", "attempt", "errno", "pid"),
    *("results", "of", "unreadable", "aside"),
    *("association", "objects", "bytes", "status", "destination"),
)


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
    *("PIL", "watchdog", "asyncio"),
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
