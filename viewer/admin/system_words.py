"""The words of the system page: how it is, how long things take, what is in force."""

from datetime import datetime
from typing import Any

from daemon.index.queue_listing import Counts, Line
from daemon.index.statistics import Night
from daemon.operations.status import Condition, Folder
from daemon.outputs.wording import HASH_CHARACTERS, moment_words
from daemon.settings import DaemonSettings, Settings
from model.weights_config import Weights

GIGABYTE = 1e9
NOT_SURE = "not known yet"


def state_sentence(now: Condition, weights: Weights | None) -> str:
    """The system in one sentence, the worst first."""
    parts = [_running(now), _waiting(now.counts), *_left(now), _disk(now), model_words(weights)]
    return "; ".join(parts) + "."


def is_well(now: Condition) -> bool:
    """Whether the first sentence tells of nothing that keeps scans from being judged."""
    return now.sign.is_alive and not now.paused and not now.disk_low


def model_words(weights: Weights | None) -> str:
    """Which network judges."""
    if weights is None:
        return "the weights file cannot be read"
    return f"model {weights.name} ({weights.sha256[:HASH_CHARACTERS]}) on CPU"


def countdown_words(line: Line, rest_seconds: float, now: float) -> str:
    """How long a scan must still lie unchanged."""
    left = rest_seconds - (now - line.touched)
    if left > 0:
        return f"complete in {left:.0f} s if nothing changes"
    return "at rest with the next look, unless a file beside it is still being copied"


def night_row(night: Night) -> tuple[str, ...]:
    """A night in words: its day, three counts, two durations."""
    day = datetime.fromisoformat(night.begin).astimezone().strftime("%Y-%m-%d")
    numbers = (str(night.received), str(night.done), str(night.failed))
    return (day, *numbers, seconds_words(night.median), seconds_words(night.p95))


def seconds_words(seconds: float | None) -> str:
    """A duration: seconds below two minutes, else minutes."""
    if seconds is None:
        return "–"  # noqa: RUF001 - a dash in an empty cell
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def folder_words(folder: Folder) -> str:
    """Room on a folder's disk, and whether it can be written."""
    if folder.fault and not folder.total_bytes:
        return folder.fault
    share = 100 * folder.free_bytes / max(1, folder.total_bytes)
    room = f"{folder.free_bytes / GIGABYTE:.0f} GB free ({share:.0f} %)"
    return f"{room}; {folder.fault or 'a file was written there just now.'}"


def retention_words(daemon: DaemonSettings) -> str:
    """What is deleted and when."""
    rules = []
    if daemon.keep_days:
        rules.append(f"files of reviewed scans are deleted after {daemon.keep_days:g} days")
    if daemon.keep_gb:
        rules.append(
            f"the oldest reviewed scans go while the outbox is above {daemon.keep_gb:g} GB"
        )
    return "; ".join(rules) or "Off: nothing is ever deleted"


def settings_lines(settings: Settings) -> dict[str, list[tuple[str, str]]]:
    """Every setting in force, by table; secrets as stars."""
    tables: dict[str, dict[str, Any]] = settings.model_dump(mode="json")
    return {
        table: [(key, _value(value)) for key, value in keys.items()]
        for table, keys in tables.items()
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value) if value != "" else "(empty)"


def _running(now: Condition) -> str:
    if not now.sign.is_alive:
        since = f"since {moment_words(now.sign.at)} (UTC)" if now.sign.at else "and has never run"
        return f"Stopped {since}: nothing is judged"
    if now.paused:
        return "Paused: nothing new begins"
    return "Running, but the disk is full: nothing new begins" if now.disk_low else "Running"


def _waiting(counts: Counts) -> str:
    todo = counts.waiting + counts.running
    resting = f", {counts.resting} still arriving" if counts.resting else ""
    return (
        f"{counts.running} being judged, {counts.waiting} waiting{resting}"
        if todo
        else (f"nothing waits{resting}")
    )


def _left(now: Condition) -> list[str]:
    if not (now.counts.waiting + now.counts.running) or not is_well(now):
        return []
    if now.minutes_left is None:
        return [f"time left {NOT_SURE}"]
    minutes = max(1, round(now.minutes_left))
    return [f"about {minutes} {'minute' if minutes == 1 else 'minutes'} left"]


def _disk(now: Condition) -> str:
    if now.share_free is None:
        return "the outbox's disk does not answer"
    return f"disk {100 * now.share_free:.0f} % free"
