"""What a person measured by hand as an SR (TID 1500): each shape on its image, and its numbers."""

from dataclasses import replace
from typing import Any

import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom.sr.coding import Code

from daemon.outputs.dicom import sr_codes as coded
from daemon.outputs.dicom.common_attributes import Series, described, record_of, stamp
from daemon.outputs.dicom.content_uids import bytes_of, seal, uid_of
from daemon.outputs.dicom.review_statement import ByHand, MeasuredByHand
from daemon.outputs.dicom.source_references import Origin, read_origin
from daemon.outputs.dicom.sr import build_by_hand
from daemon.outputs.dicom.sr_groups import on_image
from daemon.report import Report
from model.drawn_shapes import Drawn, Shape
from model.reading.dicom.frames import OURS
from model.volume import Volume

Graphic = sr.GraphicTypeValues
TOOLS = {  # by these words viewers know what to draw
    Shape.LENGTH: "Length",
    Shape.ANGLE: "Angle",
    Shape.ELLIPSE: "EllipticalROI",
    Shape.PROBE: "Probe",
}


def measured_by_hand(volume: Volume, report: Report, said: MeasuredByHand) -> bytes | None:
    """The SR as its file holds it; None where the images name no study that it could join.

    volume: as it was read from the images that the report is about.
    """
    origin = read_origin(volume)
    if origin is None:
        return None
    at = origin.in_zone(said.at)
    analysis = replace(  # no network has made any of it
        record_of(report, origin, "", None), model=OURS, weights_sha256=""
    )
    groups = [_group(each, origin, report.scan_id) for each in said.measurements]
    made = build_by_hand(origin, analysis, groups, said)
    made.SeriesNumber = said.number
    made.SeriesDescription = described(Series.BY_HAND, report.revision)
    stamp(made, origin, at)
    seal([made])
    return bytes_of(made)


def _group(each: ByHand, origin: Origin, scan_id: str) -> Any:
    """One shape; without coordinates where it lies across the images, in another plane."""
    number = uid_of(scan_id, "measured by hand", each.number)
    drawn = on_image(*_outline(each.drawn), origin)
    measurements: list[sr.Measurement] = []
    for name, value, unit, how in _values(each):
        if value is not None:
            where = [drawn] if drawn is not None and not measurements else None
            made = sr.Measurement(name, value, unit, derivation=how, referenced_coordinates=where)
            measurements.append(made)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            number, f"Cornerstone3DTools@^0.1.0:{TOOLS[each.drawn.shape]}"
        ),
        finding_sites=[sr.FindingSite(coded.BRAIN)],
        measurements=measurements,
    )


def _values(each: ByHand) -> tuple[tuple[Code, float | None, Code, Code | None], ...]:
    """Name, value, unit and derivation; grey values are the file's, without a unit."""
    found = each.figures
    return (
        (coded.LENGTH, found.length_mm, coded.MM, None),
        (coded.ANGLE, found.angle_degrees, coded.DEGREE, None),
        (coded.AREA, found.area_mm2, coded.MM2, None),
        (coded.SIGNAL, found.mean, coded.RATIO, coded.MEAN),
        (coded.SIGNAL, found.sd, coded.RATIO, coded.SD),
        (coded.SIGNAL, found.value, coded.RATIO, None),
    )


def _outline(drawn: Drawn) -> tuple[Graphic, NDArray[np.float64]]:
    """As DICOM draws it: an ellipse by the ends of its longer axis, then of the other one."""
    points = np.array(drawn.points, np.float64)
    if drawn.shape is Shape.PROBE:
        return Graphic.POINT, points
    if drawn.shape is not Shape.ELLIPSE:
        return Graphic.POLYLINE, points
    middle, halves = points.mean(axis=0), np.abs(points[1] - points[0]) / 2
    axes = sorted(np.diag(halves), key=np.linalg.norm)[:0:-1]  # the slice's own axis has no length
    ends = [middle + sign * axis for axis in axes for sign in (-1, 1)]
    return Graphic.ELLIPSE, np.array(ends)
