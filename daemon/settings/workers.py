"""[workers]: other machines that analyze for this one; where their workers report, and TLS."""

import ipaddress
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from daemon.settings.remote_systems import absolute_paths

FILES = ("tls_ca", "tls_certificate", "tls_key")
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # an address to listen on, and one to reach it by


class WorkersSettings(BaseModel):
    """Where workers report, and how they are known. Meanings stand in settings.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    address: str = ""
    slots: int = Field(default=8, ge=1, le=256)
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""

    @property
    def on(self) -> bool:
        """Whether other machines may analyze."""
        return bool(self.address)

    @property
    def place(self) -> SplitResult:
        """The parts of the address; `wrong` tells whether they are good."""
        return urlsplit(self.address)

    @property
    def is_encrypted(self) -> bool:
        """Whether both sides show certificates."""
        return self.place.scheme == "tls"

    @property
    def reached_at(self) -> str:
        """The address by which this machine itself reaches what listens there."""
        host = self.place.hostname or ""
        shown = ANY.get(host, host)
        shown = f"[{shown}]" if ":" in shown else shown
        return f"{self.place.scheme}://{shown}:{self.place.port}"

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`; "" stays."""
        return self.model_copy(update=absolute_paths(self, folder, *FILES))

    def wrong(self) -> str:
        """Why nobody may listen or report there; '' where all is well.

        Who may report runs programs here, and who listens runs them there: without certificates
        of both sides that is for this machine alone.
        """
        place = self.place
        try:
            is_whole = place.scheme in ("tls", "tcp") and place.hostname and place.port
        except ValueError:  # no such port
            is_whole = False
        if not is_whole or place.path or place.query:
            return f"{self.address} is no address such as tls://HOST:8786"
        if place.scheme == "tcp" and not is_loopback(place.hostname or ""):
            return f"{self.address} is not encrypted: write tls://, with certificates"
        if place.scheme == "tls" and not all(getattr(self, name) for name in FILES):
            return "tls:// needs tls_ca, tls_certificate and tls_key: both sides show who they are"
        return ""


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
