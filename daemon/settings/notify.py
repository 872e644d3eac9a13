"""[notify]: who is told what by mail, webhook or chat, and how often; none as shipped."""

from collections.abc import Set
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from daemon.settings.remote_systems import NAME, Retries, absolute_paths, secret_of

TIME = r"^([01]\d|2[0-3]):[0-5]\d$"
MAIL_ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$"  # as browsers take it
LONGEST_ADDRESS = 254  # RFC 5321
Address = Annotated[str, Field(pattern=MAIL_ADDRESS, max_length=LONGEST_ADDRESS)]


class Event(StrEnum):
    """What somebody may want to be told."""

    SCAN_DONE = "scan_done"
    NEEDS_REVIEW = "needs_review"
    FAILED = "failed"
    URGENT = "urgent"
    DISK_LOW = "disk_low"
    DAEMON_SILENT = "daemon_silent"
    SUMMARY = "summary"


class ScanKind(StrEnum):
    """What a scan is, for rules; a scan may be several of them."""

    TUMOR = "tumor"
    NO_TUMOR = "no_tumor"
    NOT_ANALYZED = "not_analyzed"
    FLAGGED = "flagged"
    FAILED = "failed"


OF_SCANS = (Event.SCAN_DONE, Event.NEEDS_REVIEW, Event.FAILED, Event.URGENT)
AT_ONCE = (Event.URGENT, Event.DISK_LOW, Event.DAEMON_SILENT, Event.SUMMARY)
USUAL = (Event.FAILED, Event.URGENT, Event.DISK_LOW, Event.DAEMON_SILENT, Event.SUMMARY)


class Receiver(BaseModel):
    """One table of [[notify.to]]. Units and meanings stand in settings.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    by: Literal["mail", "webhook", "chat"] = "mail"
    addresses: tuple[Address, ...] = ()
    role: Literal["", "reader", "uploader", "reviewer", "admin"] = ""
    url: str = ""
    tls_ca: str = ""
    secret_file: str = ""
    secret_variable: str = ""
    events: tuple[Event, ...] = USUAL
    scans: tuple[ScanKind, ...] = ()
    labels: tuple[str, ...] = ()

    def wants(
        self, event: Event, kinds: Set[ScanKind] = frozenset(), labels: Set[str] = frozenset()
    ) -> bool:
        """Whether this receiver is told. Of an event of a scan, kinds: what the scan is; labels:
        those that are on it, each through `folded`."""
        if event not in self.events:
            return False
        if event not in OF_SCANS:
            return True
        is_kind = not self.scans or bool(kinds & {*self.scans})
        return is_kind and (not self.labels or bool(labels & {*map(folded, self.labels)}))

    def secret(self) -> str:
        """That of the file or the variable, as it is now. Raises OSError, UnicodeError."""
        return secret_of(self.secret_file, self.secret_variable)

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`; "" stays."""
        return self.model_copy(update=absolute_paths(self, folder, "tls_ca", "secret_file"))


def folded(label: str) -> str:
    """A label as it is compared: capitals and further spaces make no other one."""
    return " ".join(label.split()).casefold()


class NotifySettings(Retries):
    """[notify]. Units and meanings stand in settings.toml."""

    link: str = ""
    digest_at: str = Field(default="07:00", pattern=TIME)
    group_seconds: float = Field(default=900.0, ge=1)
    prompt_seconds: float = Field(default=60.0, ge=1)
    keep_hours: float = Field(default=24.0, gt=0)
    mail_host: str = ""
    mail_port: int = Field(default=587, ge=1, le=65535)
    mail_tls: Literal["starttls", "tls", "none"] = "starttls"
    mail_ca: str = ""
    mail_from: str = ""
    mail_user: str = ""
    mail_password_file: str = ""
    mail_password_variable: str = ""
    to: tuple[Receiver, ...] = ()

    def mail_password(self) -> str:
        """That of the file or the variable, as it is now. Raises OSError, UnicodeError."""
        return secret_of(self.mail_password_file, self.mail_password_variable)

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`; "" stays."""
        to = tuple(each.relative_to(folder) for each in self.to)
        paths = absolute_paths(self, folder, "mail_ca", "mail_password_file")
        return self.model_copy(update={**paths, "to": to})
