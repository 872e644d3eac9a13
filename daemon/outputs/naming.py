"""How patients, scans and dates are named in an export: as they are, or so that nobody is told."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

CHARACTERS = 12  # hexadecimal: 48 bits, so that no two patients of a hospital get one name
LONGEST_SHIFT = 365  # days


class Naming(Protocol):
    """Names for one export; the same patient or scan has the same name on every row."""

    def patient(self, patient_id: str) -> str:
        """The patient's name."""

    def scan(self, scan_id: str) -> str:
        """The scan's name."""

    def moment(self, patient_id: str, at: str | None) -> str:
        """When a scan of this patient was acquired; '' where that is not known."""


@dataclass(frozen=True)
class Plain:
    """Everything as it is in the reports."""

    def patient(self, patient_id: str) -> str:
        """The name of the patient's folder."""
        return patient_id

    def scan(self, scan_id: str) -> str:
        """The scan_id."""
        return scan_id

    def moment(self, patient_id: str, at: str | None) -> str:
        """ISO 8601, with the time of the day where there is one."""
        return at or ""


@dataclass(frozen=True)
class Hidden:
    """Opaque numbers and shifted dates that follow from a secret of the site (HMAC-SHA256).

    The same secret gives the same names in every export, and nobody without it can tell whose
    they are, not even with a list of all patients.
    """

    secret: bytes

    def patient(self, patient_id: str) -> str:
        """`P` and hexadecimal digits."""
        return f"P{self._digest('patient', patient_id)[:CHARACTERS]}"

    def scan(self, scan_id: str) -> str:
        """`S` and hexadecimal digits: a scan_id follows from the patient's id."""
        return f"S{self._digest('scan', scan_id)[:CHARACTERS]}"

    def moment(self, patient_id: str, at: str | None) -> str:
        """The date alone, 1 to 365 days earlier: all of one patient by the same number of days."""
        if not at:
            return ""
        shift = 1 + int(self._digest("shift", patient_id), 16) % LONGEST_SHIFT
        return (date.fromisoformat(at[:10]) - timedelta(days=shift)).isoformat()

    def _digest(self, what: str, name: str) -> str:
        text = f"gliowatch export {what}\0{name}".encode("utf-8", "surrogateescape")
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()
