"""[dicom.priors]: earlier studies of a patient, asked of the PACS and fetched by C-MOVE."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from daemon.settings_destinations import FILES, Destination


class Priors(BaseModel):
    """Where to ask, and for how many. Units and meanings stand in settings.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    on: bool = False
    host: str = ""
    port: int = Field(default=104, ge=1, le=65535)
    called_ae_title: str = ""
    calling_ae_title: str = "GLIOWATCH"
    tls: bool = False
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    issuer: str = Field(default="", max_length=64)
    newest: int = Field(default=3, ge=1, le=50)
    tries: int = Field(default=5, ge=1)
    first_pause_seconds: float = Field(default=60.0, gt=0)
    longest_pause_seconds: float = Field(default=900.0, gt=0)
    answer_seconds: float = Field(default=60.0, gt=0)
    move_seconds: float = Field(default=900.0, gt=0)

    @property
    def peer(self) -> Destination:
        """The PACS as what associations are made with."""
        same = Destination.model_fields.keys() & Priors.model_fields.keys()
        return Destination(name="priors", **{name: getattr(self, name) for name in same})

    def relative_to(self, folder: Path) -> Self:
        """The same table with its paths made absolute from `folder`; "" stays."""
        named = {name: getattr(self, name) for name in FILES}
        return self.model_copy(
            update={name: str(folder / path) if path else "" for name, path in named.items()}
        )
