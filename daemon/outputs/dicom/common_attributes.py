"""What an object says of itself: whose analysis it is, its series, its times, and who made it."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from importlib.metadata import version
from typing import Any

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from daemon.outputs.catalogue import text
from daemon.outputs.dicom.content_uids import uid_of
from daemon.outputs.dicom.source_references import Origin, keep_identity
from daemon.report import Report
from model.reading.dicom.frames import OURS

FIRST_NUMBER, NUMBERS, STEP = 7300, 10, 1000  # of our series; of a revision's; to the next free
MOMENTS = (  # all that an object may have of them is the time of the judgement
    *(("SeriesDate", "SeriesTime"), ("ContentDate", "ContentTime")),
    *(("InstanceCreationDate", "InstanceCreationTime"),),
    *(("DateOfSecondaryCapture", "TimeOfSecondaryCapture"),),
)
DAY, HOUR = "%Y%m%d", "%H%M%S"


class Series(IntEnum):
    """Our series in a study; the number is the last digit of its series number."""

    SEG = 1
    SR = 2
    CAPTURE = 3
    PDF = 4
    REJECTION = 5
    VERIFIED = 6
    BY_HAND = 7


NAMES = {  # keys of what each is called
    Series.SEG: "objects.seg",
    Series.SR: "objects.sr",
    Series.CAPTURE: "objects.capture",
    Series.PDF: "objects.pdf_report",
    Series.REJECTION: "objects.rejection",
    Series.VERIFIED: "objects.verified",
    Series.BY_HAND: "objects.by_hand",
}


@dataclass(frozen=True)
class AnalysisRecord:
    """Which analysis an object belongs to.

    content_sha256: of the mask, '' without one; at: when it was judged, in the zone of the study;
    taken: the numbers of the study's series; corrected: whether a person drew the mask; incomplete:
    whether a part of the head is not there.
    """

    scan_id: str
    revision: int
    model: str
    weights_sha256: str
    content_sha256: str
    at: datetime
    taken: frozenset[int] = frozenset()
    corrected: bool = False
    incomplete: bool = False

    def uid(self, kind: str, number: int = 0) -> UID:
        """What is tracked: the same in every revision with this mask, another for another mask."""
        return uid_of(self.scan_id, self.weights_sha256, self.content_sha256, kind, number)

    @property
    def device(self) -> UID:
        """The network as a device, in all that it made."""
        return uid_of("device", self.model, self.weights_sha256)

    @property
    def serial_number(self) -> str:
        """Of the network: the first digits of its weights' hash; where none was asked, of us."""
        return self.weights_sha256[:16] or version("gliowatch")

    @property
    def equipment(self) -> dict[str, Any]:
        """Who made an object, as highdicom asks for it."""
        return {
            "manufacturer": OURS,
            "manufacturer_model_name": self.model,
            "software_versions": version("gliowatch"),
            "device_serial_number": self.serial_number,
        }

    @property
    def contribution(self) -> hd.ContributingEquipment:
        """The network as equipment that contributed."""
        return hd.ContributingEquipment(
            purpose_of_reference=codes.DCM.ProcessingEquipment,
            contribution_description=text("objects.contribution"),
            **self.equipment,
        )

    def series(self, kind: Series) -> dict[str, Any]:
        """Number, description and use of a series, as highdicom asks for them."""
        return {
            "series_number": self.number(kind),
            "series_description": described(kind, self.revision),
            "content_qualification": hd.ContentQualificationValues.RESEARCH,
        }

    def number(self, kind: Series) -> int:
        """One that no series of the study has, nor any of another revision of ours."""
        first = FIRST_NUMBER + NUMBERS * (self.revision - 1)
        while self.taken & set(range(first, first + NUMBERS)):
            first += STEP
        return first + kind


def record_of(
    report: Report, origin: Origin, mask_sha256: str, asked: datetime | None
) -> AnalysisRecord:
    """Whose analysis the objects tell of.

    A first result has the time of the newest picture, so that two runs give the same bytes; a
    revision that at which it was asked for, and a person's mask that at which it was sent.
    """
    if report.mask and report.judged_revision is None:
        asked = datetime.fromisoformat(report.mask.at)
    later = origin.in_zone(asked) if asked and report.revision > 1 else None
    numbers = {each.number for each in report.input.series or () if each.number is not None}
    return AnalysisRecord(
        scan_id=report.scan_id,
        revision=report.revision,
        model=report.model.name,
        weights_sha256=report.model.weights_sha256,
        content_sha256=mask_sha256,
        at=later or origin.newest or datetime.now(),
        taken=frozenset(numbers),
        corrected=report.mask is not None,
        incomplete=report.is_incomplete,
    )


def described(kind: Series, revision: int) -> str:
    """What a series is, in at most 64 characters: its kind, its revision, and for what use."""
    what = text(NAMES[kind])
    if revision > 1:
        what = text("objects.revision", what=what, revision=revision)
    return text("objects.series", what=what)


def stamp(made: Dataset, origin: Origin, at: datetime) -> None:
    """Give an object the identity of its source, and the time of the judgement.

    In UTF-8, which holds every name that the source may have written in its own way.
    """
    keep_identity(made, origin)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SeriesDate = made.SeriesTime = None  # highdicom has the others already
    for day, hour in MOMENTS:
        if day in made:
            setattr(made, day, at.strftime(DAY))
            setattr(made, hour, at.strftime(HOUR))
    for item in made.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in item:
            item.ContributionDateTime = at.strftime(DAY + HOUR)
