"""What our DICOM objects take over from the analyzed series, and the numbers by which they go."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import Any

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import DA, TM, validate_value

from model.reading.dicom.files import read_header
from model.reading.dicom.frames import OURS
from model.volume import Volume

DESCRIPTION = "gliowatch: research use only, not a diagnosis"  # of each series, 64 characters
INHERITED = (  # what every object of a study repeats (PS3.3 C.7.1.1, C.7.2.1)
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
KEPT = (  # what belongs to these where it is there: without the issuer an id is anybody's
    *("IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID"),
    *("OtherPatientIDs", "OtherPatientIDsSequence", "IssuerOfAccessionNumberSequence"),
)
ZONE = "TimezoneOffsetFromUTC"  # of all times of an object (PS3.3 C.12.1.1.8)
OUR_TIMES = (  # when we made an object: of the clock of this machine
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("ContentDate", "ContentTime"),
    ("DateOfSecondaryCapture", "TimeOfSecondaryCapture"),
)
DESCRIBING = (  # what the objects need to know of an image; the rest of its header stays there
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator", "SpecificCharacterSet"),
    *("Rows", "Columns", "NumberOfFrames", "InstanceNumber", "ImageType", "LossyImageCompression"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("SpacingBetweenSlices", "DimensionOrganizationSequence", "DimensionIndexSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
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


@dataclass(frozen=True)
class AnalysisRecord:
    """Which analysis an object belongs to; all its UIDs follow from this and the content.

    corrected: whether a person corrected the mask of the network; incomplete: whether a part of
    the head is not there.
    """

    scan_id: str
    revision: int
    model: str
    weights_sha256: str
    content_sha256: str
    corrected: bool = False
    incomplete: bool = False

    def uid(self, kind: str, number: int = 0) -> UID:
        """The same for a retry, another for any other content (PS3.5 B.2: from a UUID)."""
        parts = (self.scan_id, self.revision, self.weights_sha256, self.content_sha256)
        key = "\0".join(map(str, (*parts, kind, number)))
        return UID(f"2.25.{uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16]).int}")

    @property
    def equipment(self) -> dict[str, Any]:
        """Who made an object, as highdicom asks for it."""
        return {
            "manufacturer": OURS,
            "manufacturer_model_name": self.model,
            "software_versions": version("gliowatch"),
            "device_serial_number": self.weights_sha256[:16],
        }


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
        if not name.endswith("Sequence") and name in header and not _is_valid(header, name):
            del header[name]
    return header


def keep_identity(made: Dataset, origin: Origin) -> None:
    """Give an object the issuers and other ids of its source, and its time zone.

    The times of the examination are those of the zone that the source names, so ours become so.
    """
    source = origin.present[0]
    for name in KEPT:
        if name in source and name not in made:
            made[name] = source[name]
    zone = _zone(str(source.get(ZONE, "")))
    if zone is None:
        return
    made.TimezoneOffsetFromUTC = source.TimezoneOffsetFromUTC
    for day, time in OUR_TIMES:
        if made.get(day) and made.get(time):
            here = datetime.combine(DA(made[day].value), TM(made[time].value)).astimezone(zone)
            made[day].value, made[time].value = DA(here.date()), TM(here.time())


def _zone(written: str) -> timezone | None:
    """The zone of "+0900"; None where there is none that can be."""
    try:
        return timezone(datetime.strptime(written, "%z").utcoffset() or timedelta())
    except ValueError:
        return None


def _is_valid(header: Dataset, name: str) -> bool:
    try:
        element = header[name]
        for value in element.value if element.VM > 1 else [element.value]:
            validate_value(element.VR, value, config.RAISE)
    except Exception:  # missing, or of a form that pydicom cannot even read
        return False
    return name != "PatientSex" or element.value in SEXES
