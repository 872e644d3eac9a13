"""The parts of a report: its input, notes, lesions, change, history, corrected mask and seconds.

A field that a later version has added may be missing. It is then read as None and not written, so
that a report of an earlier version stays as it is. Fields of a version to come are kept as well.
"""

from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


def _plain(schema: dict[str, Any]) -> None:
    """Of a part's JSON Schema: nothing more than is written here, and no titles or defaults."""
    if schema.get("additionalProperties") is True:
        schema["additionalProperties"] = False
    for field in schema["properties"].values():
        field.pop("title", None)
        field.pop("default", None)


class Part(BaseModel):
    """Frozen values of a fixed form, read from JSON and written as JSON."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        protected_namespaces=(),
        validate_by_name=True,
        validate_by_alias=True,
        json_schema_extra=_plain,
    )

    def changed(self, **values: object) -> Self:
        """The same with other values of these fields, which are checked."""
        if unknown := values.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return type(self).model_validate(given_fields(self) | values)

    def as_json(self) -> dict[str, Any]:
        """Plain values in the order of the fields, without those that are missing."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def given_fields(part: Part) -> dict[str, Any]:
    """The fields that were given, by name, for a larger part that has them too."""
    return {name: getattr(part, name) for name in part.model_fields_set}


class _NeverNull:
    """Of a field that may be missing, but is not null where it stands."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        (kind,) = (each for each in get_args(source) if each is not NoneType)
        schema = handler.generate_schema(kind)
        return core_schema.json_or_python_schema(schema, core_schema.nullable_schema(schema))


def _is_none(value: object) -> bool:
    return value is None


Some = TypeVar("Some")
MayMiss = Annotated[Some | None, _NeverNull(), Field(exclude_if=_is_none)]  # None: not written
ScanId = Annotated[str, Field(json_schema_extra={"pattern": "^[0-9a-f]{20}$"})]
Sha256 = Annotated[str, Field(json_schema_extra={"pattern": "^[0-9a-f]{64}$"})]
Count = Annotated[int, Field(ge=0)]
Number = Annotated[int, Field(ge=1)]
Size = Annotated[float, Field(ge=0)]
Length = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(gt=0, le=100)]
Point = tuple[float, float, float]  # RAS mm
Range = tuple[float, float]  # ml
Spacing = tuple[Length | None, Length | None, Length | None]  # mm along i, j, k
Row = tuple[float, float, float, float]
Matrix = tuple[Row, Row, Row, Row]
Kind = Literal["dicom", "nifti", "image"]
Finding = Literal["tumor", "no_tumor", "not_judged"]
Side = Literal["left", "right", "midline", "unknown"]
Lobe = Literal["frontal", "parietal", "temporal", "occipital", "deep", "posterior fossa"]
Depth = Literal["anterior", "middle", "posterior"]
Height = Literal["superior", "middle", "inferior"]
Plane = Literal["axial", "coronal", "sagittal"]
Axis = Annotated[int, Field(ge=0, le=2)]
SHORT_NAME = 3  # characters of a manufacturer: GE stays in capitals
Difference = Literal["scale", "spacing", "plane", "network", "corrected", "incomplete"]


class QualityNote(Part):
    """One thing that is doubtful or worth knowing: a code for programs, a sentence for people."""

    code: str
    message: str


class Scanner(Part):
    """What took a study, as its headers tell; empty where they do not."""

    manufacturer: str
    model: str
    field_tesla: Length | None

    @property
    def name(self) -> str:
        """In words that stay the same when the scanner gets newer software.

        Of the manufacturer the first word, since the others change (SIEMENS, Siemens Healthineers);
        the field strength as it is called (2.89 is 3 T).
        """
        maker, tesla = self.manufacturer.partition(" ")[0], self.field_tesla
        maker = maker.capitalize() if len(maker) > SHORT_NAME else maker.upper()
        field = "" if tesla is None else f"{tesla:.2g} T"
        if tesla is not None and tesla >= 1:
            field = f"{round(2 * tesla) / 2:g} T"
        return " ".join(filter(None, (maker, self.model, field)))


class StudyOfScan(Part):
    """Of DICOM: the study that the files name; empty where the headers do not tell."""

    uid: str
    accession: str
    date: str = Field(description="ISO 8601")
    station: MayMiss[str] = Field(default=None, description="the scanner, where the files name it")
    scanner: MayMiss[Scanner] = Field(
        default=None, description="of the study's first MR file, where it names one"
    )

    @classmethod
    def of(
        cls, uid: str, accession: str, date: str, station: str, scanner: Mapping[str, Any] | None
    ) -> Self:
        """What headers tell; '' where they do not."""
        return cls(
            uid=uid,
            accession=accession,
            date=date,
            station=station or None,
            scanner=Scanner(**scanner) if scanner else None,
        )

    @property
    def scanner_name(self) -> str:
        """What took it, and which of several alike; '' where that is not told."""
        kind, station = self.scanner.name if self.scanner else "", self.station or ""
        return " ".join(f"{kind} {station}".split())


class SeriesOfStudy(Part):
    """One series of a DICOM study, or a part of one, and why it was not analyzed."""

    description: str
    number: int | None
    modality: str
    slices: Number
    chosen: bool
    reason: str = Field(description="one sentence; empty for the chosen one")


class SeriesAsked(Part):
    """The series of the study that a person wanted analyzed."""

    number: int | None
    description: str
    slices: Number
    asked_by: str


class Input(Part):
    """What was read."""

    kind: Kind
    files: Number
    sha256: Sha256 = Field(description="of the sorted SHA-256 of the image files")
    shape: tuple[Number, Number, Number]
    spacing_mm: Spacing | None = Field(
        description="mm along i, j, k; null along the third axis of a picture, whose pixels' size"
        " was entered"
    )
    orientation: str | None = Field(
        description="directions of the voxel axes, such as LPS; null where the file does not say"
    )
    description: str
    acquired_at: str | None = Field(description="ISO 8601 as the scanner wrote it, without a zone")
    study: MayMiss[StudyOfScan] = Field(default=None, description="of DICOM alone")
    series: MayMiss[tuple[SeriesOfStudy, ...]] = Field(
        default=None, description="of a DICOM study, every series or part of one"
    )
    series_asked: MayMiss[SeriesAsked] = Field(
        default=None, description="only where a person chose which series is analyzed"
    )
    companions: MayMiss[tuple[str, ...]] = Field(
        default=None,
        description="names in source/ of what lay beside the scan and was not read: masks,"
        " pictures, documents, other sequences of a case; the first 200; only where there are any",
    )
    may_belong_to: MayMiss[tuple[str, ...]] = Field(
        default=None,
        description="scan_id of the patient's scans that these slices fit, but not for certain;"
        " only where there are any",
    )


class Network(Part):
    """What analyzed: the network, the hash of its weights, and the threshold."""

    name: str
    weights_sha256: str
    threshold: float


class MaskAgreement(Part):
    """How a corrected mask agrees with the network's of a revision."""

    revision: Number
    dice: Share
    model_volume_ml: Size | None


class CorrectedMask(Part):
    """Whose mask it is, where a person corrected it."""

    source: Literal["corrected"]
    by: str = Field(description="name of the person")
    at: str = Field(description="when it was sent: UTC, ISO 8601")
    sha256: Sha256 = Field(description="of the file that was sent")
    correction: str = Field(description="key of the record of who sent it")
    agreement: MaskAgreement = Field(description="with the network's mask of that revision")


class Lesion(Part):
    """One lesion. In pixels: of pictures only. In mm2: of fewer than five slices only."""

    id: Number = Field(description="1 is the largest lesion")
    volume_ml: Size | None = Field(description="null for pictures and fewer than five slices")
    voxels: Number
    longest_diameter_mm: float | None = Field(
        description="longest line on one slice of the plane of acquisition, outer edge to outer"
        " edge"
    )
    perpendicular_diameter_mm: float | None = Field(
        description="longest line at right angles to it on the same slice"
    )
    product_mm2: Size | None = Field(
        default=None, description="longest times perpendicular diameter, as RANO measures a lesion"
    )
    max_diameter_3d_mm: Size | None = Field(
        default=None,
        description="longest line between two points of the surface, in any direction; null for"
        " pictures and fewer than five slices",
    )
    diameter_slice: MayMiss[Count] = Field(
        default=None, description="index along the slice axis of the slice with both diameters"
    )
    longest_diameter_ends_ras_mm: tuple[Point, Point] | None = Field(
        default=None, description="both ends of the longest diameter, RAS millimetres"
    )
    perpendicular_diameter_ends_ras_mm: tuple[Point, Point] | None = Field(
        default=None, description="both ends of the perpendicular diameter, RAS millimetres"
    )
    centroid_ras_mm: Point | None = Field(description="RAS millimetres")
    side: Side = Field(description="the patient's own side")
    crosses_midline: bool | None = Field(
        default=None,
        description="whether it reaches more than 3 mm to both sides of the head's mid-plane",
    )
    across_midline_mm: Size | None = Field(
        default=None,
        description="how far it reaches beyond the head's mid-plane, on the side where it reaches"
        " less far; a midline that is shifted is not seen",
    )
    anterior_posterior: Depth | None = Field(
        default=None, description="third of the brain's length in which its centre lies"
    )
    superior_inferior: Height | None = Field(
        default=None, description="third of the brain's height in which its centre lies"
    )
    largest_slice: Count = Field(
        description="index along the slice axis of the slice with most voxels"
    )
    mean_probability: Share | None
    area_px: MayMiss[int] = Field(default=None, description="pictures only")
    product_px2: MayMiss[float] = Field(default=None, description="pictures only")
    longest_diameter_px: MayMiss[float] = Field(default=None, description="pictures only")
    longest_diameter_ends_px: tuple[Range, Range] | None = Field(
        default=None, description="pictures only: both ends, column and row of the pixels"
    )
    perpendicular_diameter_px: MayMiss[float] = Field(default=None, description="pictures only")
    perpendicular_diameter_ends_px: tuple[Range, Range] | None = Field(
        default=None, description="pictures only"
    )
    area_mm2: MayMiss[float] = Field(default=None, description="fewer than five slices only")
    lobes: dict[Lobe, Percent] | None = Field(
        default=None,
        description="per cent of the lesion in each lobe, by a coarse atlas; null where no head"
        " could be fitted",
    )
    lobe_words: MayMiss[str] = Field(default=None, description="the same in words")


class Slices(Part):
    """The plane of acquisition, and what is marked in each slice of it."""

    plane: Plane = Field(description="the plane of acquisition")
    axis: Axis = Field(description="the voxel axis across that plane")
    reversed: bool = Field(description="pictures show the slices from the last to the first")
    areas_px: tuple[Count, ...] | None = Field(
        description="marked pixels of each slice, in the file's order; null when not judged"
    )


class Change(Part):
    """What changed since the patient's scan before: this scan less the prior."""

    prior_scan_id: ScanId
    prior_revision: Number = Field(description="the revision whose mask it was compared with")
    prior_acquired_at: str = Field(
        description="ISO 8601, as the scanner wrote it or a person entered it"
    )
    days: Size
    volume_ml: float = Field(description="this scan less the prior")
    volume_percent: float | None = Field(
        description="of the prior's volume; null where that is 0, or if measured differently"
    )
    longest_diameter_mm: float
    longest_diameter_percent: float | None
    volume_ml_per_30_days: float | None = Field(
        description="null over a short time, or if measured differently"
    )
    ranges_overlap: bool | None = Field(
        description="whether the ranges of both volumes have a value in common"
    )
    new_lesions: tuple[Number, ...] | None = Field(
        description="ids of lesions of this scan that the prior has not; null where they could not"
        " be matched"
    )
    gone_lesions: tuple[Number, ...] | None = Field(
        description="ids of lesions of the prior that this scan has not"
    )
    comparable: bool = Field(description="false: measured differently")
    measured_differently: tuple[Difference, ...]
    registered: bool = Field(description="whether both heads were brought into line")
    to_prior_ras_mm: Matrix | None = Field(
        default=None,
        description="4x4, RAS mm of this scan to those of the prior one; null unless registered",
    )
    repeat_range_ml: Range | None = Field(
        default=None,
        description="between which volumes the prior, scanned and measured again, lies in 19 of 20"
        " cases; null where that was not measured, and for scans that are not comparable",
    )
    beyond_repeat: bool | None = Field(
        default=None, description="whether this scan's volume lies outside repeat_range_ml"
    )
    repeat_percent: Size | None = Field(
        default=None,
        description="by how much, in per cent of the prior's volume, repeated measuring varies in"
        " the direction of this change; null where the prior's volume is 0",
    )
    words: str

    @property
    def told(self) -> "Change":
        """It without shares, which nobody may read of scans that are not comparable."""
        if self.comparable:
            return self
        return self.changed(volume_percent=None, longest_diameter_percent=None)


class HistoryEntry(Part):
    """One scan of the growth curve."""

    scan_id: ScanId
    acquired_at: str
    volume_ml: Size
    volume_ml_range: Range | None


class Seconds(Part):
    """How long each step took, in seconds."""

    if not TYPE_CHECKING:  # it is no argument
        __pydantic_extra__: dict[str, Size]
    read: Size
    segment: Size
    write: Size
    compare: MayMiss[Size] = None

    def by_step(self) -> Mapping[str, float]:
        """Each step that was timed, in their order."""
        return self.as_json()
