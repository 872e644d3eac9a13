"""What a PACS hears of a review: the SR as it was verified, or a note that rejects the objects."""

from pathlib import Path

import highdicom as hd
import pydicom
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from daemon.outputs.dicom.common_attributes import (
    AnalysisRecord,
    Series,
    described,
    record_of,
    stamp,
)
from daemon.outputs.dicom.content_uids import bytes_of, seal
from daemon.outputs.dicom.review_statement import Verdict
from daemon.outputs.dicom.source_references import Origin
from daemon.outputs.dicom.sr import verified_by
from daemon.report import Report
from model.reading.dicom.frames import OURS


def review_object(
    folder: Path, report: Report, verdict: Verdict, later: Path | None = None
) -> bytes | None:
    """An accepted result's SR, verified, or the rejection of all its objects; None if it has none.

    folder: where the objects of the result lie; later: where those of the revision that took its
    place do: what both have is not rejected.
    """
    if verdict.accepted:
        return _verified_sr(folder / f"{report.scan_id}_sr.dcm", report, verdict)
    kept = set() if later is None else {_name_of(path) for path in later.rglob("*.dcm")}
    objects = [path for path in sorted(folder.rglob("*.dcm")) if _name_of(path) not in kept]
    return _rejection(objects, report, verdict)


def _name_of(path: Path) -> str:
    return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def _verified_sr(path: Path, report: Report, verdict: Verdict) -> bytes | None:
    if not path.is_file():
        return None
    old = pydicom.dcmread(path)
    origin = Origin((old,), (), None)
    at = origin.in_zone(verdict.at)
    made = verified_by(old, verdict.name, verdict.organization, at)
    made.SeriesNumber = verdict.number
    made.SeriesDescription = described(Series.VERIFIED, report.revision)
    stamp(made, origin, at)
    seal([made])
    return bytes_of(made)


def _rejection(objects: list[Path], report: Report, verdict: Verdict) -> bytes | None:
    """A key object selection titled 113001, Rejected for Quality Reasons (IHE RAD-66)."""
    if not objects:
        return None
    rejected = [pydicom.dcmread(path, stop_before_pixels=True) for path in objects]
    origin = Origin((rejected[0],), (), None)
    at = origin.in_zone(verdict.at)
    analysis = record_of(report, origin, "", None)
    made = hd.ko.KeyObjectSelectionDocument(
        evidence=rejected,
        content=hd.ko.KeyObjectSelection(
            document_title=codes.DCM.RejectedForQualityReasons,
            referenced_objects=rejected,
            observer_person_context=_person(verdict) if verdict.person else None,
            observer_device_context=None if verdict.person else _device(analysis),
        ),
        series_instance_uid=analysis.uid("rejection series"),
        series_number=verdict.number,
        series_description=described(Series.REJECTION, report.revision),
        sop_instance_uid=analysis.uid("rejection"),
        instance_number=1,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        contributing_equipment=[analysis.contribution],
        content_qualification=hd.ContentQualificationValues.RESEARCH,
        **analysis.equipment,
    )
    stamp(made, origin, at)
    seal([made])
    return bytes_of(made)


def _person(verdict: Verdict) -> hd.sr.ObserverContext:
    attributes = hd.sr.PersonObserverIdentifyingAttributes(
        name=verdict.name, organization_name=verdict.organization or None
    )
    return hd.sr.ObserverContext(codes.DCM.Person, attributes)


def _device(analysis: AnalysisRecord) -> hd.sr.ObserverContext:
    attributes = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=analysis.device, name=OURS, manufacturer_name=OURS, model_name=analysis.model
    )
    return hd.sr.ObserverContext(codes.DCM.Device, attributes)
