"""Where a result stands, for a message about it. It loads no library: the viewer needs it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.report import Report

CONTENT_TYPE = "application/fhir+json"
Status = Literal["preliminary", "final", "amended", "entered-in-error"]


@dataclass(frozen=True)
class Standing:
    """at: since when, UTC, ISO 8601; reviewer: who said so, '' for nobody; earlier: the reports of
    its earlier revisions, oldest first."""

    status: Status
    at: str
    reviewer: str = ""
    earlier: tuple[Report, ...] = ()


def told(folder: Path, report: Report, standing: Standing, patient_system: str) -> str:
    """`message.message_of`, called inside a worker's process. Raises OSError."""
    from daemon.outputs.fhir.message import message_of  # pydicom: only a worker needs it

    return message_of(folder, report, standing, patient_system)
