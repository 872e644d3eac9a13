"""What a PACS hears of a review: the SR as it was verified, or a note that rejects the objects."""

from pathlib import Path

import highdicom as hd
import pydicom
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from daemon.outputs.dicom.content_uids import bytes_of, seal
from daemon.outputs.dicom.object_record import Series, described, record_of, stamp
from daemon.outputs.dicom.source_references import Origin
from daemon.outputs.dicom.sr import verified_by
from daemon.outputs.dicom.verdict import Verdict
from daemon.report import Report

NUMBERS = 100_000  # our series of reviews have numbers above this one


def review_object(folder: Path, report: Report, verdict: Verdict) -> bytes | None:
    """An accepted result's SR, verified, or the rejection of all its objects; None if it has none.

    folder: where the objects of the result lie.
    """
    if verdict.accepted:
        return _verified_sr(folder / f"{report.scan_id}_sr.dcm", report, verdict)
    return _rejection(sorted(folder.rglob("*.dcm")), report, verdict)


def _verified_sr(path: Path, report: Report, verdict: Verdict) -> bytes | None:
    if not path.is_file():
        return None
    old = pydicom.dcmread(path)
    origin = Origin((old,), (), None)
    at = origin.in_zone(verdict.at)
    made = verified_by(old, verdict.name, verdict.organization, at)
    made.SeriesNumber = NUMBERS + verdict.number
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
    who = hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(
            name=verdict.name, organization_name=verdict.organization or None
        ),
    )
    made = hd.ko.KeyObjectSelectionDocument(
        evidence=rejected,
        content=hd.ko.KeyObjectSelection(
            document_title=codes.DCM.RejectedForQualityReasons,
            referenced_objects=rejected,
            observer_person_context=who,
        ),
        series_instance_uid=analysis.uid("rejection series"),
        series_number=NUMBERS + verdict.number,
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
