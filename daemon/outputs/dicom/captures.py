"""Secondary captures: our pictures of the marked slices, with references to what they show."""

from collections.abc import Iterator
from dataclasses import dataclass

import highdicom as hd
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from daemon.outputs.dicom.common_attributes import AnalysisRecord, Series
from daemon.outputs.dicom.source_references import LOSSY, Origin
from model.reading.dicom.frames import OURS

FEET = {"I": "F", "S": "H"}  # DICOM's letters for down and up


@dataclass(frozen=True)
class Capture:
    """A picture, and the slice of the volume that it shows; None where it lies across slices."""

    picture: Image.Image
    index: int | None


@dataclass(frozen=True)
class Shown:
    """directions: where the rows' and the columns' pixels run to, in RAS letters, such as ("L",
    "P"); spacing: mm between rows and between columns; None where lengths are not known."""

    directions: tuple[str, str]
    spacing: tuple[float, float] | None


def build_captures(
    origin: Origin, captures: list[Capture], shown: Shown, analysis: AnalysisRecord
) -> Iterator[hd.sc.SCImage]:
    """One object a picture, in their order."""
    along, down = (FEET.get(letter, letter) for letter in shown.directions)
    for number, capture in enumerate(captures, start=1):
        image = hd.sc.SCImage.from_ref_dataset(
            ref_dataset=origin.present[0],
            pixel_array=np.asarray(capture.picture.convert("RGB")),
            photometric_interpretation=hd.PhotometricInterpretationValues.RGB,
            bits_allocated=8,
            coordinate_system=hd.CoordinateSystemNames.PATIENT,
            series_instance_uid=analysis.uid("capture series"),
            sop_instance_uid=analysis.uid("capture", number),
            instance_number=number,
            patient_orientation=(along, down),
            transfer_syntax_uid=ExplicitVRLittleEndian,
            contributing_equipment=[analysis.contribution],
            **analysis.series(Series.CAPTURE),
            **analysis.equipment,
        )
        image.BodyPartExamined = "BRAIN"
        if shown.spacing:
            image.PixelSpacing = [f"{mm:.8g}" for mm in shown.spacing]
        _tell_capture(image, analysis)
        _tell_source(image, origin, capture.index)
        yield image


def _tell_capture(image: Dataset, analysis: AnalysisRecord) -> None:
    """What made the picture, where archives that check captures look for it."""
    image.SecondaryCaptureDeviceID = analysis.serial_number
    image.SecondaryCaptureDeviceManufacturer = OURS
    image.SecondaryCaptureDeviceManufacturerModelName = analysis.model
    image.SecondaryCaptureDeviceSoftwareVersions = image.SoftwareVersions


def _tell_source(image: Dataset, origin: Origin, index: int | None) -> None:
    """Which image it shows, in which frame of reference, what was lost of it before, and whether
    somebody is named in it: our own words name nobody."""
    found = None if index is None else origin.picture_of(index)
    source = found[0] if found else origin.present[0]
    named = any(each.get("BurnedInAnnotation") == "YES" for each in origin.present)
    image.BurnedInAnnotation = "YES" if named else "NO"
    if found:
        image.SourceImageSequence = [_reference(*found)]
    if source.get("FrameOfReferenceUID"):
        image.FrameOfReferenceUID = source.FrameOfReferenceUID
    if source.get("LossyImageCompression") == "01":
        for name in LOSSY:
            if source.get(name):
                setattr(image, name, source.get(name))


def _reference(image: Dataset, frame: int | None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame
    purpose = codes.DCM.SourceImageForImageProcessingOperation
    item.PurposeOfReferenceCodeSequence = [hd.sr.CodedConcept.from_code(purpose)]
    return item
