"""The mask as DICOM SEG: BINARY, one segment a lesion, on the frames of the analyzed series."""

from typing import Any

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from daemon.outputs.dicom.common_attributes import AnalysisRecord, Series
from daemon.outputs.dicom.source_references import Origin
from model.reading.dicom.frames import OURS

NEOPLASM = codes.SCT.Neoplasm  # 108369006
ABNORMAL = codes.SCT.MorphologicallyAbnormalStructure  # 49755003
BRAIN = codes.SCT.Brain  # 12738006
COLOUR = hd.color.CIELabColor.from_rgb(255, 210, 0)  # of the outline in our pictures
KINDS = hd.seg.SegmentAlgorithmTypeValues


def build_seg(
    origin: Origin, numbered: NDArray[np.int32], analysis: AnalysisRecord
) -> hd.seg.Segmentation:
    """numbered: (columns, rows, slices), the number of the lesion or 0; not all 0.

    A slice that was missing from the series and filled in has no image to lie on: it is left out.
    """
    lesions = range(1, int(numbered.max()) + 1)
    label = f"FLAIR abnormality {analysis.scan_id}"
    seg = hd.seg.Segmentation(
        source_images=origin.present,
        pixel_array=_frames(origin, numbered),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(number, analysis) for number in lesions],
        series_instance_uid=analysis.uid("seg series"),
        sop_instance_uid=analysis.uid("seg"),
        instance_number=1,
        content_label="TUMOR",
        content_description=label[:64],
        content_creator_name=f"{OURS}^",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **analysis.series(Series.SEG),
        **analysis.equipment,
    )
    _name_dimensions(seg, analysis)
    return seg


def _name_dimensions(seg: Dataset, analysis: AnalysisRecord) -> None:
    """By the mask, where highdicom has given a new number to the order of the frames."""
    number = analysis.uid("dimensions")
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = number


def _algorithm_of(analysis: AnalysisRecord) -> Any:
    """The network by name and version, as DICOM names an algorithm (PS3.3 10.16)."""
    return hd.AlgorithmIdentificationSequence(
        name=analysis.model,
        family=codes.cid7162.ArtificialIntelligence,
        version=analysis.weights_sha256[:16],
        source=OURS,
    )


def _described(number: int, analysis: AnalysisRecord) -> hd.seg.SegmentDescription:
    extent = "in an incomplete scan" if analysis.incomplete else "whole tumor"
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=f"FLAIR abnormality {number} ({extent})",
        segmented_property_category=ABNORMAL,
        segmented_property_type=NEOPLASM,
        algorithm_type=KINDS.MANUAL if analysis.corrected else KINDS.AUTOMATIC,
        algorithm_identification=None if analysis.corrected else _algorithm_of(analysis),
        tracking_uid=analysis.uid("lesion", number),
        tracking_id=f"lesion {number}",
        anatomic_regions=[BRAIN],
        display_color=COLOUR,
    )


def _frames(origin: Origin, numbered: NDArray[np.int32]) -> NDArray[np.uint16]:
    """(frames, rows, columns) in the order of the source's frames, the number of the segment."""
    slices = numbered.transpose(2, 1, 0)[list(origin.there)]
    if origin.frames is not None:
        count = int(origin.present[0].NumberOfFrames)
        ordered = np.zeros((count, *slices.shape[1:]), slices.dtype)
        ordered[list(origin.frames)] = slices
        slices = ordered
    return slices.astype(np.uint16)
