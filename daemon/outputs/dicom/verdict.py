"""What a person said of a result, as a PACS shall hear it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Verdict:
    """accepted: else it was rejected; organization: whose the person is, '' if that is not told;
    at: UTC; number: it grows with each review of the site, so that no two series share one."""

    accepted: bool
    person: str
    organization: str
    at: datetime
    number: int

    @property
    def name(self) -> str:
        """The person as DICOM writes a name: without the signs that part it, 64 characters."""
        plain = "".join(" " if sign in "^=\\" else sign for sign in self.person)
        return plain.strip()[:64] or "Unknown"
