"""What a person said of a result, or measured on its scan, as a PACS shall hear it."""

from dataclasses import dataclass
from datetime import datetime

from model.drawn_shapes import Drawn, Figures


def person_name(person: str) -> str:
    """A person as DICOM writes a name of one part: without the signs that part it, and with the one
    that says that there are no others; 64 characters."""
    plain = "".join(" " if sign in "^=\\" else sign for sign in person)
    return f"{plain.strip()[:63] or 'Unknown'}^"


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
        """The person as DICOM writes a name."""
        return person_name(self.person)


@dataclass(frozen=True)
class ByHand:
    """One measurement of a person. number: it in the records; at: when it was made, in words."""

    number: int
    drawn: Drawn
    figures: Figures
    at: str


@dataclass(frozen=True)
class MeasuredByHand:
    """What one person measured on a scan and leaves as a document. at: when that was asked for,
    UTC; number: of its series."""

    person: str
    organization: str
    at: datetime
    number: int
    measurements: tuple[ByHand, ...]

    @property
    def name(self) -> str:
        """The person as DICOM writes a name."""
        return person_name(self.person)
