"""What a report says as a DICOM SR: a Measurement Report (TID 1500, PS3.16)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from daemon.outputs.catalogue import text
from daemon.outputs.dicom import sr_codes as coded
from daemon.outputs.dicom.common_attributes import AnalysisRecord, Series
from daemon.outputs.dicom.content_uids import reread
from daemon.outputs.dicom.review_statement import MeasuredByHand
from daemon.outputs.dicom.source_references import Origin
from daemon.outputs.dicom.sr_groups import (
    Measured,
    change_group,
    groups_of,
    is_change,
    not_attempted,
)
from daemon.outputs.wording import WHY_REVISED, change_words, finding_sentence, place_words
from daemon.report import Report
from model.reading.dicom.frames import OURS

CONTAINS = sr.RelationshipTypeValues.CONTAINS


def build_sr(report: Report, measured: Measured, before: Dataset | None) -> sr.ComprehensiveSR:
    """The whole, then each lesion, on its segment where there is one, then all that is said of it.

    before: the SR of the revision that this one replaces; it is named as the predecessor.
    """
    seg = measured.seg
    return _document(
        [*measured.origin.present, *([seg] if seg is not None else [])],
        measured.analysis,
        groups=groups_of(report, measured),
        texts=_texts(report),
        is_complete=not report.is_incomplete,
        before=before,
    )


def build_refusal(origin: Origin, analysis: AnalysisRecord, reason: str) -> sr.ComprehensiveSR:
    """Of a study that could not be taken: that nothing of it was analyzed, and why."""
    said = text("report.not_analyzed_because", reason=reason)
    return _document(
        list(origin.present),
        analysis,
        groups=[not_attempted(analysis)],
        texts=_use_and(said, reason),
        is_complete=True,
        before=None,
    )


def build_by_hand(
    origin: Origin, analysis: AnalysisRecord, groups: list[Any], said: MeasuredByHand
) -> sr.ComprehensiveSR:
    """What a person measured by hand, with that person as the observer."""
    by = sr.PersonObserverIdentifyingAttributes(
        said.name, organization_name=said.organization or None
    )
    texts = [(coded.USE, text("report.research_use"))]
    texts.append((coded.COMMENT, text("objects.by_hand_of", person=said.person)))
    for each in said.measurements:
        shape = text(f"shape_name.{each.drawn.shape}")
        texts.append((coded.COMMENT, text("objects.by_hand_at", shape=shape, at=each.at)))
    return _document(
        list(origin.present),
        analysis,
        groups=groups,
        texts=texts,
        is_complete=True,
        before=None,
        person=sr.ObserverContext(codes.DCM.Person, by),
    )


def _use_and(said: str, reason: str) -> Iterator[tuple[Code, str]]:
    yield coded.USE, text("report.research_use")
    yield coded.IMPRESSION, said
    yield coded.REASON, reason


def _document(
    evidence: list[Dataset],
    analysis: AnalysisRecord,
    groups: list[Any],
    texts: Iterable[tuple[Code, str]],
    is_complete: bool,
    before: Dataset | None,
    person: sr.ObserverContext | None = None,
) -> sr.ComprehensiveSR:
    """person: who observed, in place of the network."""
    content = sr.MeasurementReport(
        observation_context=_who(analysis)
        if person is None
        else sr.ObservationContext(observer_person_context=person),
        procedure_reported=codes.LN.BrainMRI,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    content[0].ContentSequence.append(_evaluations(texts))
    made = sr.ComprehensiveSR(
        evidence=evidence,
        content=content,
        series_instance_uid=analysis.uid("sr series"),
        sop_instance_uid=analysis.uid("sr"),
        instance_number=1,
        is_complete=is_complete,
        is_final=False,
        is_verified=False,
        previous_versions=None if before is None else [before],
        contributing_equipment=[analysis.contribution] if person is None else None,
        **analysis.series(Series.SR),
        **analysis.equipment,
    )
    _name_scheme(made)
    return made


def _name_scheme(made: Dataset) -> None:
    """Whose the codes are that the standard does not know (PS3.3 C.12.1.1.7)."""
    item = Dataset()
    item.CodingSchemeDesignator = coded.SCHEME
    item.CodingSchemeName = coded.SCHEME_NAME
    item.CodingSchemeResponsibleOrganization = OURS
    made.CodingSchemeIdentificationSequence = [item]


def _who(analysis: AnalysisRecord) -> sr.ObservationContext:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=analysis.device,
        name=f"{OURS}. {text('report.research_use')}",
        manufacturer_name=OURS,
        model_name=analysis.model,
        serial_number=analysis.serial_number,
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _evaluations(texts: Iterable[tuple[Code, str]]) -> sr.ContainerContentItem:
    """What no number says: the finding, its places, change, doubts, and for what use it is."""
    items = [sr.TextContentItem(name, said, CONTAINS) for name, said in texts]
    container = sr.ContainerContentItem(coded.EVALUATIONS, relationship_type=CONTAINS)
    container.ContentSequence = sr.ContentSequence(items)
    return container


def _texts(report: Report) -> Iterator[tuple[Code, str]]:
    yield coded.USE, text("report.research_use")
    yield coded.IMPRESSION, finding_sentence(report)
    if report.finding == "not_judged":
        reasons = [each.message for each in report.quality[:1]]
        yield coded.REASON, next(iter(reasons), text("report.not_analyzed"))
    else:
        yield coded.CHANGE, change_words(report)
    for lesion in report.lesions:
        said = text("objects.lesion", number=lesion.id, place=place_words(lesion))
        yield coded.LOCATION, said
    for note in report.quality:
        if note.code not in WHY_REVISED:  # those speak of the revision, not of the scan
            yield coded.QUALITY, note.message


def compared_anew(old: Dataset, report: Report) -> Dataset | None:
    """The SR of the revision before, its predecessor, with another change and other doubts.

    None for an SR of an earlier version, which says neither.
    """
    made = reread(old)
    by_name = {item.ConceptNameCodeSequence[0].CodeValue: item for item in made.ContentSequence}
    measurements = by_name.get(codes.DCM.ImagingMeasurements.value)
    evaluations = by_name.get(coded.EVALUATIONS.value)
    if measurements is None or evaluations is None:
        return None
    groups = [group for group in measurements.ContentSequence if not is_change(group)]
    if report.change:
        groups += change_group(report.change, report.scan_id)
    measurements.ContentSequence = groups
    evaluations.ContentSequence = _evaluations(_texts(report)).ContentSequence
    made.PredecessorDocumentsSequence = [predecessor(old)]
    return made


def predecessor(old: Dataset) -> Dataset:
    """A reference to a document (PS3.3 C.17.2.3)."""
    document, series, study = Dataset(), Dataset(), Dataset()
    document.ReferencedSOPClassUID = old.SOPClassUID
    document.ReferencedSOPInstanceUID = old.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = old.SeriesInstanceUID, [document]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = old.StudyInstanceUID, [series]
    return study


def verified_by(old: Dataset, person: str, organization: str, at: datetime) -> Dataset:
    """The SR as a person has accepted it (PS3.3 C.17.2): VERIFIED, by whom and when."""
    made = reread(old)
    observer = Dataset()
    observer.VerifyingObserverName = person
    observer.VerifyingOrganization = organization
    observer.VerificationDateTime = at.strftime("%Y%m%d%H%M%S")
    observer.VerifyingObserverIdentificationCodeSequence = []
    made.VerifyingObserverSequence = [observer]
    made.VerificationFlag = "VERIFIED"
    made.PredecessorDocumentsSequence = [predecessor(old)]
    return made
