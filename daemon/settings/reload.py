"""Settings that change while gliowatch runs, by SIGHUP; all others change at the next start.

What is here is read anew at each use, by daemon and viewer alike. Folders, addresses, processes and
what holds them stay: a scan in work, an open association and a socket are of the settings before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from daemon.settings import (
    DEFAULTS,
    DaemonSettings,
    DicomSettings,
    ModelSettings,
    Settings,
    ViewerSettings,
)
from daemon.settings.archives import ResultReceiver
from daemon.settings.login import LoginSettings
from daemon.settings.workers import WorkersSettings

RELOADED: dict[str, frozenset[str]] = {
    "daemon": frozenset(
        {
            *("attempts", "retry_seconds", "scan_timeout_seconds", "worker_memory_gb"),
            *("reserve_gb", "quiet_hours"),
        }
    ),
    "model": frozenset(ModelSettings.model_fields) - {"weights", "threads"},
    "viewer": frozenset(
        {
            *("idle_minutes", "session_hours", "max_upload_mb", "metrics_token"),
            *("open_in", "night_begins", "recent_days", "sagittal_nose_left"),
        }
    ),
}


class SettingsInForce:
    """The settings of a process. now: all of them; its tables are those of the last reload."""

    def __init__(self, settings: Settings) -> None:
        self.now = settings

    @property
    def daemon(self) -> DaemonSettings:
        """[daemon] as it is now."""
        return self.now.daemon

    @property
    def model(self) -> ModelSettings:
        """[model] as it is now."""
        return self.now.model

    @property
    def viewer(self) -> ViewerSettings:
        """[viewer] as it is now."""
        return self.now.viewer

    @property
    def login(self) -> LoginSettings:
        """[login] as it is now."""
        return self.now.login

    @property
    def dicom(self) -> DicomSettings:
        """[dicom] as it is now."""
        return self.now.dicom

    @property
    def receivers(self) -> tuple[ResultReceiver, ...]:
        """To whom results go now."""
        return self.now.receivers

    @property
    def workers(self) -> WorkersSettings:
        """[workers] as it is now."""
        return self.now.workers


@dataclass(frozen=True)
class Difference:
    """Keys as `daemon.quiet_hours`. changed: take effect now; kept: at the next start."""

    changed: tuple[str, ...]
    kept: tuple[str, ...]


def difference(before: Settings, after: Settings) -> Difference:
    """What a file that was read again says otherwise."""
    keys = list(_different(before, after))
    changed = tuple(key for key in keys if is_reloaded(key))
    return Difference(changed, tuple(key for key in keys if key not in changed))


def is_reloaded(key: str) -> bool:
    """Whether `table.key` takes effect without a start."""
    table, _, name = key.partition(".")
    return name in RELOADED.get(table, ())


def with_keys(settings: Settings, source: Settings, keys: Iterable[str]) -> Settings:
    """`settings` with these keys of `source`."""
    for key in keys:
        table, _, name = key.partition(".")
        value = getattr(getattr(source, table), name)
        changed = getattr(settings, table).model_copy(update={name: value})
        settings = settings.model_copy(update={table: changed})
    return settings


def _different(before: Settings, after: Settings) -> Iterator[str]:
    for table, names in DEFAULTS.items():
        for key in (f"{table}.{name}" for name in names):
            value = attrgetter(key)
            if key not in DEFAULTS and value(before) != value(after):  # a table tells by its keys
                yield key


def without_path(sentence: str, file: Path) -> str:
    """A sentence about a settings file for the log, where no folder is named."""
    return sentence.replace(str(file.absolute()), file.name).replace(str(file), file.name)
