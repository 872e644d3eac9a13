"""The archives: of a table of [[dicom.send]], to which results go, and of [dicom.priors], from
which a patient's earlier studies are fetched; and the FHIR server of [fhir]."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from daemon.settings.remote_systems import NAME, Retries, absolute_paths

ObjectKind = Literal["seg", "sr", "sc", "pdf", "ko"]
When = Literal["published", "reviewed", "accepted"]
FILES = ("tls_ca", "tls_certificate", "tls_key")


class Partner(Retries):
    """Who is spoken with, and how patiently. Units and meanings stand in settings.toml.

    url, header_variable: where it is, and what it is shown, by HTTP.
    """

    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    url: str = ""
    header_variable: str = ""

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`; "" stays."""
        return self.model_copy(update=absolute_paths(self, folder, *FILES))


class Peer(Partner):
    """An archive with which associations are made."""

    host: str = ""
    port: int = Field(default=104, ge=1, le=65535)
    called_ae_title: str = ""
    calling_ae_title: str = "GLIOWATCH"
    tls: bool = False


class Destination(Peer):
    """Where results go."""

    name: str = Field(pattern=NAME)
    protocol: Literal["C-STORE", "STOW-RS"] = "C-STORE"
    objects: tuple[ObjectKind, ...] = ("seg", "sr", "sc", "pdf", "ko")
    when: When = "published"
    rate: float = Field(default=5.0, gt=0)
    tries: int = Field(default=10, ge=1)
    commitment: bool = False
    commitment_seconds: float = Field(default=86400.0, gt=0)


class Priors(Peer):
    """Where to ask, and for how many."""

    on: bool = False
    protocol: Literal["C-MOVE", "DICOMweb"] = "C-MOVE"
    issuer: str = Field(default="", max_length=64)
    newest: int = Field(default=3, ge=1, le=50)
    tries: int = Field(default=5, ge=1)
    first_pause_seconds: float = Field(default=60.0, gt=0)
    move_seconds: float = Field(default=900.0, gt=0)

    @property
    def is_web(self) -> bool:
        """Whether studies come by DICOMweb: they are fetched, and nobody sends them."""
        return self.protocol == "DICOMweb"

    @property
    def pacs(self) -> str:
        """What the PACS is called; '' where none is named."""
        return self.url if self.is_web else self.host and self.called_ae_title


class FhirServer(Partner):
    """[fhir]: where results go as FHIR R4. There is one, and what it got is noted as "fhir"."""

    token_file: str = ""
    patient_system: str = ""
    when: When = "published"
    rate: float = Field(default=5.0, gt=0)
    tries: int = Field(default=10, ge=1)

    @property
    def name(self) -> str:
        """Under which what it got is noted."""
        return "fhir"

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`; "" stays."""
        return self.model_copy(update=absolute_paths(self, folder, *FILES, "token_file"))


ResultReceiver = Destination | FhirServer  # of results
