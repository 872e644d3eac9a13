"""What a person said of a result, as a PACS shall hear it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Verdict:
    """accepted: else it was rejected; person: '' where no one said it, and a later revision took
    the place of the result; organization: whose the person is, '' if that is not told; at: UTC;
    number: of its series, so that no two in a study share one."""

    accepted: bool
    person: str
    organization: str
    at: datetime
    number: int

    @property
    def name(self) -> str:
        """The person as DICOM writes a name of one part: without the signs that part it, and with
        the one that says that there are no others; 64 characters."""
        plain = "".join(" " if sign in "^=\\" else sign for sign in self.person)
        return f"{plain.strip()[:63] or 'Unknown'}^"
