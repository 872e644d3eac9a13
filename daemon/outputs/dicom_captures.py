"""The overlay as a DICOM secondary capture series, for a PACS that shows neither SEG nor SR."""

from collections.abc import Iterator

import highdicom as hd
import numpy as np
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian

from daemon.outputs.dicom_origin import DESCRIPTION, Judgement, Origin
from model.reading.dicom.frames import OURS

SERIES_NUMBER = 7303
FEET = {"I": "F", "S": "H"}  # DICOM's letters for down and up


def build_captures(
    origin: Origin, pictures: list[Image.Image], directions: tuple[str, str], judgement: Judgement
) -> Iterator[hd.sc.SCImage]:
    """One object a picture. directions: where the rows' and the columns' pixels run to, in RAS
    letters, such as ("L", "P")."""
    along, down = (FEET.get(letter, letter) for letter in directions)
    for number, picture in enumerate(pictures, start=1):
        image = hd.sc.SCImage.from_ref_dataset(
            ref_dataset=origin.present[0],
            pixel_array=np.asarray(picture.convert("RGB")),
            photometric_interpretation=hd.PhotometricInterpretationValues.RGB,
            bits_allocated=8,
            coordinate_system=hd.CoordinateSystemNames.PATIENT,
            series_instance_uid=judgement.uid("capture series"),
            series_number=SERIES_NUMBER,
            sop_instance_uid=judgement.uid("capture", number),
            instance_number=number,
            manufacturer=OURS,
            patient_orientation=(along, down),
            transfer_syntax_uid=ExplicitVRLittleEndian,
            series_description=DESCRIPTION,
        )
        image.BodyPartExamined = "BRAIN"
        image.BurnedInAnnotation = "YES"  # our own words, no patient's
        yield image
