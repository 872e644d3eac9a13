"""File kinds, the choice of a FLAIR, when scans compare: plain values that load nothing."""

from dataclasses import dataclass
from enum import StrEnum

NIFTI_HEADER_SUFFIXES = (".hdr", ".hdr.gz")
NIFTI_VOXEL_SUFFIXES = (".img", ".img.gz")
NIFTI_SUFFIXES = (".nii", ".nii.gz", *NIFTI_HEADER_SUFFIXES, *NIFTI_VOXEL_SUFFIXES)
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
ARCHIVE_SUFFIXES = (".zip",)
SERIES_FAILED = "series_asked_failed"  # code of a note: another series than the one chosen is read
INCOMPLETE = "incomplete"  # code of a note: a part of the head, or of its files, is not there


class Kind(StrEnum):
    """What was dropped, as the report names it."""

    DICOM = "dicom"
    NIFTI = "nifti"
    IMAGE = "image"


def kind_by_name(name: str) -> Kind:
    """NIfTI and pictures by their ending; any other name, or none, may be a DICOM file."""
    lower = name.lower()
    if lower.endswith(NIFTI_SUFFIXES):
        return Kind.NIFTI
    if lower.endswith(PICTURE_SUFFIXES):
        return Kind.IMAGE
    return Kind.DICOM


def is_pair(name: str, other: str) -> bool:
    """Whether two names are those of a header and of its voxels."""
    return other.lower() in (other_half(name.lower()) or ())


def other_half(name: str) -> tuple[str, ...] | None:
    """Names that the other file of a `.hdr` and `.img` pair may have; None if it is of none."""
    lower = name.lower()
    for mine, theirs in (
        (NIFTI_HEADER_SUFFIXES, NIFTI_VOXEL_SUFFIXES),
        (NIFTI_VOXEL_SUFFIXES, NIFTI_HEADER_SUFFIXES),
    ):
        ending = next((suffix for suffix in mine if lower.endswith(suffix)), None)
        if ending is not None:
            stem, is_loud = name[: -len(ending)], name[-len(ending) :].isupper()
            endings = [suffix.upper() for suffix in theirs] if is_loud else theirs
            return tuple(stem + suffix for suffix in endings)
    return None


def is_archive(name: str) -> bool:
    """True for a zip file, by its ending."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


@dataclass(frozen=True)
class ChangeRules:
    """When two scans count as measured alike, and two lesions as the same one.

    spacing_ratio: most by which the spacing may differ, in the plane or across it (1 = not at
    all); plane_degrees: most by which the planes of acquisition may differ; same_lesion_mm:
    lesions that come this close, once the heads are in line, are one; shortest_days: over a
    shorter time no growth per 30 days is given.
    """

    spacing_ratio: float = 1.5
    plane_degrees: float = 20.0
    same_lesion_mm: float = 5.0
    shortest_days: float = 14.0


CHANGE_RULES = ChangeRules()


@dataclass(frozen=True)
class FlairRules:
    """How a FLAIR series is told; the values of settings.toml, [model].

    flair_names, other_names, never_names, contrast_names: words of a description in small
    letters, blanks for all signs between them; a star at the end stands for any ending.
    never_names: of what has a FLAIR's numbers and is none. inversion_ms: lowest and highest
    inversion time that nulls fluid; shortest_echo_ms: of a T2-weighted picture.
    """

    flair_names: tuple[str, ...] = (
        *("flair*", "t2flair*", "dark fluid", "darkfluid", "da fl", "tirm", "irtse long", "压水"),
        *("抑水", "フレア"),
    )
    other_names: tuple[str, ...] = (
        *("t1*", "t2", "t2w", "pd", "pdw", "dp", "mprage", "mp2rage", "bravo", "tfl"),
        *("dwi*", "diff*", "difus*", "adc*", "trace*", "dti*", "epi", "bold", "fmri", "swi*"),
        *("swan", "gre", "hemo", "tof*", "mra", "angio*", "asl", "perf*", "dsc", "stir", "subtr*"),
        *("spectro*", "locali*", "localizador*", "loc", "lokal*", "reperage*", "scout*"),
        *("survey*", "ubersicht*", "topogram*", "plan scan", "3plane*", "calib*", "asset*"),
    )
    never_names: tuple[str, ...] = ("dir", "double ir", "double inv*", "psir", "t1*")
    contrast_names: tuple[str, ...] = (
        *("gd", "gad*", "post", "km", "contrast*", "kontrast*", "c", "ce", "injecte", "mdc"),
    )
    inversion_ms: tuple[float, float] = (1400.0, 3200.0)
    shortest_echo_ms: float = 60.0


RULES = FlairRules()


SMALLEST_MM, LARGEST_PIXEL_MM, LARGEST_GAP_MM = 0.1, 5.0, 20.0


@dataclass(frozen=True)
class Spacing:
    """Distances in mm between the middles of neighbours, as a person entered them.

    across, down: in a slice, along its first and second axis in the file; between: from slice to
    slice, None for a single picture.
    """

    across: float
    down: float
    between: float | None = None

    @property
    def numbers(self) -> tuple[float, float, float | None]:
        """As it stands in a report: across, down, between."""
        return self.across, self.down, self.between


@dataclass(frozen=True)
class AskedSeries:
    """The series of a DICOM study that a person wants analyzed in place of the usual one.

    number, description, slices: which one it is, as the study's list tells it; asked_by: who.
    """

    number: int | None
    description: str
    slices: int
    asked_by: str
