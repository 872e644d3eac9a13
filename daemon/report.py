"""The report, gliowatch/report/1: what was found on one scan. What cannot be known is null.

The JSON Schema (`daemon/report.schema.json`, written by `python -m tools.schemas`), the
files of the outbox, the index and the API all follow from these types. No numpy: the viewer loads
them. Fields may be added, never renamed.
"""

import json
from typing import Any, Literal, Protocol

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema

from daemon.report_parts import (
    Change,
    CorrectedMask,
    Count,
    Finding,
    HistoryEntry,
    Input,
    Length,
    Lesion,
    MayMiss,
    Network,
    Number,
    Part,
    QualityNote,
    Range,
    ScanId,
    Seconds,
    Share,
    Side,
    Size,
    Slices,
)
from model.rules import INCOMPLETE

SCHEMA: Literal["gliowatch/report/1"] = "gliowatch/report/1"
ABOUT = (
    "What was found on one scan. What cannot be known is null. Research use only, not a diagnosis."
)


class Heading(Part):
    """Whose scan it is, what was read, what analyzed it, and the answer in one word."""

    schema_name: Literal["gliowatch/report/1"] = Field(alias="schema")
    scan_id: ScanId
    revision: Number
    supersedes: int | None = Field(description="the revision that this one replaces")
    patient_id: str = Field(
        description="as people read it: of an ID that is no folder name, the folder is encoded"
    )
    input: Input
    model: Network
    finding: Finding


class Noted(Part):
    """What is doubtful."""

    quality: tuple[QualityNote, ...]

    def has_note(self, code: str) -> bool:
        """Whether this is among the doubts."""
        return any(note.code == code for note in self.quality)

    @property
    def is_incomplete(self) -> bool:
        """Whether a part of the head, or of the files, is not there: no size is that of a whole."""
        return self.has_note(INCOMPLETE)

    @property
    def sentences(self) -> list[str]:
        """The doubts for people."""
        return [note.message for note in self.quality]


class Measurements(Part):
    """The sizes of what was found."""

    volume_ml: Size | None
    volume_ml_range: Range | None = Field(
        description="holds the drawn volume in nine of ten scans like those it was fitted on; null"
        " without a volume or a tumor"
    )
    confidence: Share | None = Field(
        default=None, description="the Dice to be expected of the mask; null without a tumor"
    )
    volume_voxels: Count | None
    midline_shift_mm: Size | None = Field(
        default=None,
        description="how far the brain's own midline stands off the head's mid-plane about the"
        " ventricles, where it does most",
    )
    midline_shift_to: Literal["left", "right"] | None = Field(
        default=None,
        description="the patient's side to which it is shifted; null below 3 mm, or where that is"
        " not known",
    )
    midline_shift_score: float | None = Field(
        default=None, description="how clearly that midline was seen; below 1 no shift is told"
    )
    area_px: Count | None = Field(default=None, description="pictures only")
    area_mm2: float | None = Field(default=None, description="fewer than five slices only")
    lesions: tuple[Lesion, ...]


class MeasuredMask(Measurements, Noted):
    """What `gliowatch measure` tells of a mask; the last base's fields come first."""

    lobe_score: Share | None = Field(
        default=None, description="how well the lobe atlas was fitted to the head"
    )


class Report(Measurements, Noted, Heading):
    """The report of one revision of a scan, in the order in which it is written."""

    change: Change | None = Field(
        description="against the patient's judged scan before, by date; null without a date or"
        " such a scan"
    )
    seconds: Seconds
    lobe_score: Share | None = Field(
        default=None, description="how well the lobe atlas was fitted to the head"
    )
    mask: MayMiss[CorrectedMask] = Field(
        default=None,
        description="only where a person corrected the mask: model then says what made the mask"
        " before; volume_ml_range, confidence and mean_probability are null",
    )
    spacing_entered: tuple[Length, Length, Length | None] | None = Field(
        default=None,
        description="mm across and down a slice, and between slices (null for a picture), as a"
        " person entered them where the file does not say; input.spacing_mm then follows them",
    )
    slices: MayMiss[Slices] = None
    date_entered: str | None = Field(
        default=None,
        description="ISO 8601: when a person says that it was acquired, where input.acquired_at is"
        " null",
    )
    history: tuple[HistoryEntry, ...] | None = Field(
        default=None,
        min_length=2,
        description="the patient's volumes, oldest first, as the growth curve shows them; null"
        " unless this is the newest of two scans or more",
    )
    judged_revision: MayMiss[Number] = Field(
        default=None,
        description="the revision in which the mask was made, if this one only dates and compares"
        " it anew",
    )

    def as_text(self) -> str:
        """As the outbox holds it: indented JSON."""
        return json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n"

    def as_column(self) -> str:
        """As the index holds it: JSON on one line."""
        return json.dumps(self.as_json(), ensure_ascii=False)


class Sized(Protocol):
    """What tells a size: measurements, or the few values that a row of the worklist shows."""

    @property
    def volume_ml(self) -> float | None:
        """All lesions together."""

    @property
    def area_mm2(self) -> float | None:
        """Of fewer than five slices."""

    @property
    def area_px(self) -> int | None:
        """Of a picture."""


class Found(Sized, Protocol):
    """A size and the answer in one word."""

    @property
    def finding(self) -> Finding:
        """The answer."""


class Brief(Noted):
    """What a row of the worklist shows of a report; SQL keeps it ready (view `scan_briefs`)."""

    finding: Finding
    volume_ml: float | None
    area_mm2: float | None
    area_px: int | None
    side: Side | None  # of the largest lesion
    lobe: str | None  # that holds most of it
    change: Change | None


def read_report(text: str | bytes) -> Report:
    """A report of this or an earlier version, from its JSON. Raises ValueError for another."""
    return Report.model_validate_json(text, strict=True)


def read_brief(text: str) -> Brief:
    """The brief of a row, from its JSON. Raises ValueError for another."""
    return Brief.model_validate_json(text)


def report_schema() -> dict[str, Any]:
    """The JSON Schema of a report, as the repository and the wheel hold it."""
    schema = Report.model_json_schema()
    named = {"$schema": GenerateJsonSchema.schema_dialect, "$id": SCHEMA}
    return named | schema | {"title": "gliowatch report", "description": ABOUT}
