"""The measurement groups of an SR: the whole, each lesion, its two axes, and the change."""

from dataclasses import dataclass
from typing import Any

import highdicom as hd
import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from daemon.outputs.dicom import sr_codes as coded
from daemon.outputs.dicom.common_attributes import AnalysisRecord
from daemon.outputs.dicom.content_uids import uid_of
from daemon.outputs.dicom.source_references import Origin
from daemon.outputs.wording import SMALLEST_SHARE
from daemon.report import Report
from daemon.report_parts import Change, Lesion, Point
from model.volume import Affine

BIDIRECTIONAL = "Cornerstone3DTools@^0.1.0:Bidirectional"  # by it viewers know what to draw
CHANGED = "change since the prior scan"
Sizes = dict[Code, tuple[float | None, Code]]


@dataclass(frozen=True)
class Measured:
    """What an SR measures, and upon what.

    affine: float64 4x4, voxel indices of the volume, whose first two axes are columns and rows of
    its images, to RAS mm; seg: None where there is none to refer to.
    """

    origin: Origin
    affine: Affine
    seg: hd.seg.Segmentation | None
    analysis: AnalysisRecord

    @property
    def algorithm(self) -> sr.AlgorithmIdentification:
        """The network by name and version."""
        analysis = self.analysis
        return sr.AlgorithmIdentification(analysis.model, analysis.weights_sha256[:16])


def groups_of(report: Report, measured: Measured) -> list[Any]:
    """All groups of a report, the whole first."""
    groups = [_whole(report, measured)]
    for lesion in report.lesions:
        groups.append(_lesion(lesion, measured))
        groups += _axes(lesion, measured)
    if report.change:
        groups.append(change_group(report.change, report.scan_id))
    return groups


def _whole(report: Report, measured: Measured) -> Any:
    """All lesions together; without any, that there is none; of what was not analyzed, that."""
    what = {
        "tumor": (coded.NEOPLASM, coded.ABNORMAL, coded.WITH_FINDINGS),
        "no_tumor": (coded.NO_ABNORMALITY, None, coded.WITHOUT_FINDINGS),
        "not_judged": (None, None, None),
    }
    finding, category, detections = what[report.finding]
    evaluations = [sr.QualitativeEvaluation(coded.ANALYSES, _succeeded(report))]
    if detections:
        evaluations.append(sr.QualitativeEvaluation(coded.DETECTIONS, detections))
    name = "tumor in part" if report.is_incomplete else "whole tumor"
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(measured.analysis.uid("whole tumor"), name),
        finding_type=finding,
        finding_category=category,
        finding_sites=[sr.FindingSite(coded.BRAIN)],
        algorithm_id=None if report.mask else measured.algorithm,
        measurements=_volumes(report) if report.finding != "not_judged" else None,
        qualitative_evaluations=evaluations,
    )


def not_attempted(analysis: AnalysisRecord) -> Any:
    """Of a study of which nothing could be analyzed."""
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(analysis.uid("whole tumor"), "whole tumor"),
        finding_sites=[sr.FindingSite(coded.BRAIN)],
        qualitative_evaluations=[sr.QualitativeEvaluation(coded.ANALYSES, coded.NOT_ATTEMPTED)],
    )


def _succeeded(report: Report) -> Code:
    if report.finding == "not_judged":
        return coded.NOT_ATTEMPTED
    return coded.IN_PART if report.is_incomplete else coded.SUCCEEDED


def _volumes(report: Report) -> list[sr.Measurement]:
    """Volume, range and confidence where there is a tumor; the midline shift in any case."""
    low, high = report.volume_ml_range or (None, None)
    shift, side = report.midline_shift_mm, coded.SIDES.get(report.midline_shift_to or "")
    sizes: Sizes = {}
    if report.finding == "tumor":
        sizes = {
            coded.VOLUME: (report.volume_ml, coded.ML),
            coded.LOWEST: (low, coded.ML),
            coded.HIGHEST: (high, coded.ML),
            coded.CONFIDENCE: (report.confidence, coded.RATIO),
        }
    site = [sr.FindingSite(coded.BRAIN, laterality=side)] if side else None
    shifted = [] if shift is None else [_size(coded.SHIFT, shift, coded.MM, site)]
    return _sizes(sizes) + shifted


def _lesion(lesion: Lesion, measured: Measured) -> Any:
    """A lesion on its segment, where there is one."""
    analysis, seg = measured.analysis, measured.seg
    what: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(
            analysis.uid("lesion", lesion.id), f"lesion {lesion.id}"
        ),
        "finding_type": coded.NEOPLASM,
        "finding_category": coded.ABNORMAL,
        "finding_sites": _sites(lesion),
        "algorithm_id": None if analysis.corrected else measured.algorithm,
        "measurements": _sizes_of(lesion),
    }
    if seg is None:
        return sr.MeasurementsAndQualitativeEvaluations(**what)
    source = sr.SourceSeriesForSegmentation(measured.origin.present[0].SeriesInstanceUID)
    segment = sr.ReferencedSegment(
        seg.SOPClassUID, seg.SOPInstanceUID, lesion.id, source_series=source
    )
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **what)


def _sizes_of(lesion: Lesion) -> list[sr.Measurement]:
    across = lesion.across_midline_mm if lesion.crosses_midline else None
    sizes = {
        coded.VOLUME: (lesion.volume_ml, coded.ML),
        coded.LONG_AXIS: (lesion.longest_diameter_mm, coded.MM),
        coded.SHORT_AXIS: (lesion.perpendicular_diameter_mm, coded.MM),
        coded.LONGEST_3D: (lesion.max_diameter_3d_mm, coded.MM),
        coded.ACROSS: (across, coded.MM),
    }
    side = coded.SIDES.get(lesion.side)
    shares = [
        _size(coded.SHARE, share, coded.PERCENT, [sr.FindingSite(site, laterality=side)])
        for site, share in _lobes(lesion)
    ]
    return _sizes(sizes) + shares


def _lobes(lesion: Lesion) -> list[tuple[Code, float]]:
    """The lobes that hold a share worth a word."""
    told = (lesion.lobes or {}).items()
    return [
        (coded.LOBES[name], share)
        for name, share in told
        if name in coded.LOBES and share >= SMALLEST_SHARE
    ]


def _sites(lesion: Lesion) -> list[sr.FindingSite]:
    """The lobes of a lesion, on its side; else the brain."""
    lobes, side = [site for site, _ in _lobes(lesion)], coded.SIDES.get(lesion.side)
    return [sr.FindingSite(site, laterality=side) for site in lobes or [coded.BRAIN]]


def _axes(lesion: Lesion, measured: Measured) -> list[Any]:
    """Both diameters as lines upon the image in which they lie, in a group of their own, since
    viewers draw those that hold the two alone; none where that image is not there."""
    lines = {
        coded.LONG_AXIS: (lesion.longest_diameter_mm, lesion.longest_diameter_ends_ras_mm),
        coded.SHORT_AXIS: (
            lesion.perpendicular_diameter_mm,
            lesion.perpendicular_diameter_ends_ras_mm,
        ),
    }
    drawn = []
    for name, (length, ends) in lines.items():
        line = _line(ends, measured) if ends else None
        if length is None or line is None:
            return []
        drawn.append(sr.Measurement(name, length, coded.MM, referenced_coordinates=[line]))
    number = measured.analysis.uid("axes", lesion.id)
    return [
        sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(number, BIDIRECTIONAL),
            finding_type=coded.NEOPLASM,
            finding_category=coded.ABNORMAL,
            finding_sites=_sites(lesion),
            algorithm_id=None if measured.analysis.corrected else measured.algorithm,
            measurements=drawn,
        )
    ]


def _line(ends: tuple[Point, Point], measured: Measured) -> sr.CoordinatesForMeasurement | None:
    """A line on its image."""
    there = np.linalg.inv(measured.affine)
    places = np.array(ends) @ there[:3, :3].T + there[:3, 3]
    return on_image(sr.GraphicTypeValues.POLYLINE, places, measured.origin)


def on_image(
    graphic: sr.GraphicTypeValues, places: NDArray[np.float64], origin: Origin
) -> sr.CoordinatesForMeasurement | None:
    """What is drawn on an image: columns and rows, where the middle of the first pixel is 0.5, 0.5.

    places: (n, 3), voxel indices of the volume; None where they lie on no image, or on several.
    """
    slices = set(np.rint(places[:, 2]).astype(int).tolist())
    found = origin.picture_of(slices.pop()) if len(slices) == 1 else None
    if found is None:
        return None
    image, frame = found
    return sr.CoordinatesForMeasurement(
        graphic_type=graphic,
        graphic_data=(places[:, :2] + 0.5).astype(np.float32),
        source_image=sr.SourceImageForRegion(
            image.SOPClassUID,
            image.SOPInstanceUID,
            None if frame is None else [frame],
        ),
    )


def change_group(change: Change, scan_id: str) -> Any:
    """The change against the prior scan, in a group that a later comparison replaces."""
    change, number = change.told, uid_of(scan_id, CHANGED)
    low, high = change.repeat_range_ml or (None, None)
    sizes: Sizes = {
        coded.CHANGE_ML: (change.volume_ml, coded.ML),
        coded.CHANGE_PERCENT: (change.volume_percent, coded.PERCENT),
        coded.REPEAT_LOW: (low, coded.ML),
        coded.REPEAT_HIGH: (high, coded.ML),
        coded.CHANGE_MM: (change.longest_diameter_mm, coded.MM),
        coded.INTERVAL: (change.days, coded.DAYS),
    }
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(number, CHANGED),
        finding_sites=[sr.FindingSite(coded.BRAIN)],
        measurements=_sizes(sizes),
    )


def is_change(group: Dataset) -> bool:
    """Whether a group is that of the change."""
    return any(item.get("TextValue") == CHANGED for item in group.get("ContentSequence", []))


def _sizes(values: Sizes) -> list[sr.Measurement]:
    """Only what is known."""
    told = [(name, value, unit) for name, (value, unit) in values.items() if value is not None]
    return [_size(name, value, unit) for name, value, unit in told]


def _size(
    name: Code, value: float, unit: Code, sites: list[sr.FindingSite] | None = None
) -> sr.Measurement:
    return sr.Measurement(name, value, unit, finding_sites=sites)
