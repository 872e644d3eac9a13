"""The numbers of a report as a DICOM SR: a Measurement Report (TID 1500, PS3.16)."""

from typing import Any

import highdicom as hd
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from daemon.outputs.catalogue import text
from daemon.outputs.dicom.seg import ABNORMAL, BRAIN, NEOPLASM
from daemon.outputs.dicom.source_references import DESCRIPTION, AnalysisRecord, Origin
from daemon.outputs.wording import SMALLEST_SHARE
from daemon.report import Report
from daemon.report_parts import Lesion
from model.reading.dicom.frames import OURS

SERIES_NUMBER = 7302
VOLUME = codes.SCT.Volume  # 118565006
LONG_AXIS = codes.SCT.LongAxis  # 103339001
SHORT_AXIS = codes.SCT.ShortAxis  # 103340004
LOBES = {
    "frontal": codes.SCT.FrontalLobe,  # 83251001
    "parietal": codes.SCT.ParietalLobe,  # 16630005
    "temporal": codes.SCT.TemporalLobe,  # 78277001
    "occipital": codes.SCT.OccipitalLobe,  # 31065004
}
SIDES = {"left": codes.SCT.Left, "right": codes.SCT.Right}
ML, MM = codes.UCUM.CubicCentimeter, codes.UCUM.Millimeter


def build_sr(
    origin: Origin,
    seg: hd.seg.Segmentation | None,
    report: Report,
    analysis: AnalysisRecord,
    before: Dataset | None,
) -> sr.ComprehensiveSR:
    """Total volume, then of each lesion volume and diameters, on its segment where there is one.

    before: the SR of the revision that this one replaces; it is named as the predecessor.
    """
    groups: list[Any] = [_total(report, analysis)]
    groups += [_lesion(lesion, origin, seg, analysis) for lesion in report.lesions]
    content = sr.MeasurementReport(
        observation_context=_who(analysis),
        procedure_reported=codes.LN.BrainMRI,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    return sr.ComprehensiveSR(
        evidence=[*origin.present, *([seg] if seg is not None else [])],
        content=content,
        series_instance_uid=analysis.uid("sr series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=analysis.uid("sr"),
        instance_number=1,
        manufacturer=OURS,
        is_complete=not report.is_incomplete,
        is_final=False,
        is_verified=False,
        series_description=DESCRIPTION,
        previous_versions=None if before is None else [before],
    )


def _who(analysis: AnalysisRecord) -> sr.ObservationContext:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=analysis.uid("device"),
        name=f"{OURS}. {text('report.research_use')}",
        manufacturer_name=OURS,
        model_name=analysis.model,
        serial_number=analysis.weights_sha256[:16],
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _algorithm(analysis: AnalysisRecord) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(analysis.model, analysis.weights_sha256[:16])


def _total(report: Report, analysis: AnalysisRecord) -> Any:
    what = "tumor in part" if report.is_incomplete else "whole tumor"
    tracking = sr.TrackingIdentifier(analysis.uid("whole tumor"), what)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        finding_type=NEOPLASM,
        finding_category=ABNORMAL,
        finding_sites=[sr.FindingSite(BRAIN)],
        algorithm_id=_algorithm(analysis),
        measurements=_sizes({VOLUME: (report.volume_ml, ML)}),
    )


def _lesion(
    lesion: Lesion,
    origin: Origin,
    seg: hd.seg.Segmentation | None,
    analysis: AnalysisRecord,
) -> Any:
    number = lesion.id
    what: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(
            analysis.uid("lesion", number), f"lesion {number}"
        ),
        "finding_type": NEOPLASM,
        "finding_category": ABNORMAL,
        "finding_sites": _sites(lesion),
        "algorithm_id": _algorithm(analysis),
        "measurements": _sizes(
            {
                VOLUME: (lesion.volume_ml, ML),
                LONG_AXIS: (lesion.longest_diameter_mm, MM),
                SHORT_AXIS: (lesion.perpendicular_diameter_mm, MM),
            }
        ),
    }
    if seg is None:
        return sr.MeasurementsAndQualitativeEvaluations(**what)
    source = sr.SourceSeriesForSegmentation(origin.present[0].SeriesInstanceUID)
    segment = sr.ReferencedSegment(
        seg.SOPClassUID, seg.SOPInstanceUID, number, source_series=source
    )
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **what)


def _sites(lesion: Lesion) -> list[sr.FindingSite]:
    """The lobes that hold a share worth a word, on its side; else the brain."""
    shares = lesion.lobes or {}
    lobes = [
        LOBES[name] for name, share in shares.items() if name in LOBES and share >= SMALLEST_SHARE
    ]
    side = SIDES.get(lesion.side)
    return [sr.FindingSite(site, laterality=side) for site in lobes or [BRAIN]]


def _sizes(values: dict[Any, tuple[float | None, Any]]) -> list[sr.Measurement]:
    """Only what is known."""
    return [
        sr.Measurement(name, value, unit)
        for name, (value, unit) in values.items()
        if value is not None
    ]
