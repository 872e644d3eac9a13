"""What our DICOM objects take over from the analyzed series."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import BinaryIO

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM, validate_value

from model.reading.dicom.files import read_header
from model.volume import Volume

INHERITED = (  # what every object of a study repeats (PS3.3 C.7.1.1, C.7.2.1)
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
KEPT = (  # what belongs to these where it is there: without the issuer an id is anybody's
    *("IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID"),
    *("OtherPatientIDs", "OtherPatientIDsSequence", "IssuerOfAccessionNumberSequence"),
    *("PatientBirthTime", "PatientIdentityRemoved", "DeidentificationMethod"),
    "DeidentificationMethodCodeSequence",
    *("StudyDescription", "ProcedureCodeSequence", "PhysiciansOfRecord"),
    *("PatientAge", "PatientSize", "PatientWeight", "AdmissionID", "IssuerOfAdmissionIDSequence"),
)
ZONE = "TimezoneOffsetFromUTC"  # of all times of an object (PS3.3 C.12.1.1.8)
TIMES = (  # when a picture was taken or made; a further copy of it changes none of these
    *(("SeriesDate", "SeriesTime"), ("AcquisitionDate", "AcquisitionTime")),
    *(("ContentDate", "ContentTime"), ("StudyDate", "StudyTime")),
)
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
IDENTIFYING = (  # of any object, with its times
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("SpecificCharacterSet", "SeriesNumber", *(each for pair in TIMES for each in pair)),
)
DESCRIBING = (  # what the objects need to know of an image; the rest of its header stays there
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator", "SpecificCharacterSet"),
    *("Rows", "Columns", "NumberOfFrames", "InstanceNumber", "ImageType", "BurnedInAnnotation"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("SpacingBetweenSlices", "DimensionOrganizationSequence", "DimensionIndexSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(each for pair in TIMES for each in pair),
    *LOSSY,
)
SEXES = ("M", "F", "O", "")


@dataclass(frozen=True)
class Origin:
    """The images that were analyzed, without pixels, in the order of the slices of their volume.

    present: one a slice that was there, or the one Enhanced file of them all; there: which slices
    of the volume these are; frames: their numbers in that file, from 0; None for classic images.
    """

    present: tuple[Dataset, ...]
    there: tuple[int, ...]
    frames: tuple[int, ...] | None

    @property
    def is_one_series(self) -> bool:
        """Whether the images name one study, series and frame of reference: a SEG can lie in no
        more than one (PS3.3 C.7.4.1, C.8.20.2)."""
        tags = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
        return len({tuple(str(image.get(tag, "")) for tag in tags) for image in self.present}) == 1

    @property
    def newest(self) -> datetime | None:
        """When its newest picture was taken or made, as its headers say; None if they do not."""
        told = (_moment(image, *pair) for image in self.present for pair in TIMES)
        return max((each for each in told if each), default=None)

    def in_zone(self, moment: datetime) -> datetime:
        """A moment of the clock as the study's times are told: in its zone, else in ours."""
        return moment.astimezone(_zone(str(self.present[0].get(ZONE, "")))).replace(tzinfo=None)

    def picture_of(self, index: int) -> tuple[Dataset, int | None] | None:
        """The image that a slice of the volume was read from, and its frame, counted from 1 where
        it has several; None for a slice that was missing and filled in."""
        if index not in self.there:
            return None
        place = self.there.index(index)
        if self.frames is None:
            return self.present[place], None
        return self.present[0], self.frames[place] + 1


def read_origin(volume: Volume) -> Origin | None:
    """The headers of the analyzed images; None where they name no study that objects could join."""
    files = {source.file: None for source in volume.sources if source}
    wanted = [*INHERITED, *KEPT, ZONE, *DESCRIBING]
    headers = {file: _sound(read_header(file, wanted)) for file in files}
    if not files or not all(header.get("StudyInstanceUID") for header in headers.values()):
        return None
    there = tuple(k for k, source in enumerate(volume.sources) if source)
    present = [source for source in volume.sources if source]
    first = headers[present[0].file]
    if len(files) == 1 and "PerFrameFunctionalGroupsSequence" in first:
        _share_plane(first, present[0].frame)
        return Origin((first,), there, tuple(source.frame for source in present))
    images = [headers[source.file] for source in present]
    for image in images:  # they were analyzed as one grid, whatever the last digits say
        image.ImageOrientationPatient, image.PixelSpacing = (
            first.get("ImageOrientationPatient"),
            first.get("PixelSpacing"),
        )
        if not image.get("SliceThickness"):
            image.SliceThickness = f"{volume.spacing[2]:.6g}"
    return Origin(tuple(images), there, None)


def origin_of(files: Iterable[BinaryIO]) -> dict[str, Origin]:
    """What DICOM files say of their studies, by its number, whether or not they are pictures.

    A file that is no DICOM, or does not name study, series and itself, is left out.
    """
    studies: dict[str, list[Dataset]] = defaultdict(list)
    for file in files:
        try:
            header = _sound(read_header(file, [*INHERITED, *KEPT, ZONE, *IDENTIFYING]))
        except OSError:
            raise
        except Exception:  # pydicom raises many kinds on hostile bytes; others may be sound
            continue
        if all(header.get(name) for name in IDENTIFYING[:4]):
            studies[str(header.StudyInstanceUID)].append(header)
    return {study: Origin(tuple(images), (), None) for study, images in studies.items()}


def _share_plane(header: Dataset, frame: int) -> None:
    """Direction and pixel size, which some scanners write frame by frame, for all of a file."""
    own = header.PerFrameFunctionalGroupsSequence[frame]
    shared = header.get("SharedFunctionalGroupsSequence")
    if not shared:
        header.SharedFunctionalGroupsSequence = [Dataset()]
        shared = header.SharedFunctionalGroupsSequence
    for name in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if name not in shared[0] and name in own:
            setattr(shared[0], name, own[name].value)


def _sound(header: Dataset) -> Dataset:
    """The header with what every object repeats; values that DICOM forbids are left blank."""
    for name in INHERITED:
        if not _is_valid(header, name):
            setattr(header, name, "")
    for name in (*KEPT, ZONE):
        if name.endswith("Sequence"):
            for item in header.get(name) or ():
                _drop_invalid(item)
        elif name in header and not _is_valid(header, name):
            del header[name]
    for item in header.get("OtherPatientIDsSequence", []):
        if not item.get("TypeOfPatientID"):  # each must say it (PS3.3 C.7.1.1)
            item.TypeOfPatientID = "TEXT"
    return header


def _drop_invalid(item: Dataset) -> None:
    """Values that DICOM forbids go from an item of a sequence, and empty ones of optional kinds."""
    for tag in list(item.keys()):
        element = item[tag]
        if element.VR == "SQ":
            for inner in element.value or ():
                _drop_invalid(inner)
        elif element.is_empty or not _is_valid(item, element.keyword):
            del item[tag]


def keep_identity(made: Dataset, origin: Origin) -> None:
    """Give an object what names patient and study in its source, and its time zone."""
    source = origin.present[0]
    for name in (*KEPT, ZONE):
        if name in source and name not in made:
            made[name] = source[name]


def _zone(written: str) -> timezone | None:
    """The zone of "+0900"; None where there is none that can be."""
    try:
        return timezone(datetime.strptime(written, "%z").utcoffset() or timedelta())
    except ValueError:
        return None


def _moment(header: Dataset, day: str, hour: str) -> datetime | None:
    """The day and the time of a header as one; None without a day that can be."""
    try:
        on = DA(header.get(day) or None)
        at = TM(header.get(hour) or None)
        return datetime.combine(on, at or time()) if on else None
    except (TypeError, ValueError):
        return None


def _is_valid(header: Dataset, name: str) -> bool:
    try:
        element = header[name]
        for value in element.value if element.VM > 1 else [element.value]:
            validate_value(element.VR, value, config.RAISE)
    except Exception:  # missing, or of a form that pydicom cannot even read
        return False
    return name != "PatientSex" or element.value in SEXES
