"""Each thing that a report measures as an Observation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from daemon.outputs.catalogue import text, words
from daemon.outputs.dicom import sr_codes as coded
from daemon.outputs.fhir.coding import (
    SCANS,
    Json,
    concept,
    entry_name,
    oid,
    quantity,
    term,
)
from daemon.outputs.fhir.source import Source
from daemon.outputs.fhir.standing import Status
from daemon.outputs.wording import SMALLEST_SHARE, change_words, finding_sentence, place_words
from daemon.report import Report
from daemon.report_parts import Change, Lesion
from daemon.scan_history import date_of

WITHDRAWN: Status = "entered-in-error"
ML, MM, MM2, DAYS, PERCENT, ONE, PIXELS = "mL", "mm", "mm2", "d", "%", "1", "{pixels}"
Size = tuple[Code, float | None, str]


@dataclass(frozen=True)
class Observed:
    """What all Observations of a result have in common. at: UTC, ISO 8601, since when it is so."""

    report: Report
    source: Source
    status: Status
    at: str
    subject: Json

    def build(self, key: str, code: Json, **values: object) -> Json:
        """One resource; what is None or empty is left out. key: names it below its scan."""
        identifiers = [{"system": SCANS, "value": f"{self.report.scan_id}/{key}"}]
        if uid := values.pop("tracked", None):
            identifiers.append(oid(str(uid)))
        made = {
            "resourceType": "Observation",
            "identifier": identifiers,
            "status": self.status,
            "category": [term("observation-category", "imaging", "Imaging")],
            "code": code,
            "subject": self.subject,
            "effectiveDateTime": moment_of(self.report, self.source),
            "issued": self.at,
            "bodySite": concept(coded.BRAIN),
            "device": device_of(self.report),
            "derivedFrom": self._study(),
            **values,
        }
        return {name: value for name, value in made.items() if value not in (None, [], {}, "")}

    def _study(self) -> list[Json]:
        study = self.source.study
        return [{"type": "ImagingStudy", "identifier": oid(study)}] if study else []


def device_of(report: Report) -> Json:
    """The network, which the same message brings."""
    return {"reference": entry_name(report.model.weights_sha256), "display": report.model.name}


def moment_of(report: Report, source: Source) -> str | None:
    """When the scan was made. FHIR wants the zone with an hour: without it the day alone."""
    at = date_of(report)
    if at is None or "T" not in at:
        return at
    try:
        moment = datetime.fromisoformat(f"{at}{source.zone}")
    except ValueError:  # no zone that there is
        moment = datetime.fromisoformat(at)
    return moment.isoformat() if moment.tzinfo else moment.date().isoformat()


def observations_of(its: Observed) -> Iterator[tuple[str, Json]]:
    """All of a result by their keys, the finding first."""
    report = its.report
    yield "finding", _finding(its)
    if report.finding == "tumor":
        yield from _extent(its)
    if report.midline_shift_mm is not None:
        yield "midline-shift", _shift(its, report.midline_shift_mm)
    for lesion in report.lesions:
        key = f"lesion-{lesion.id}"
        yield key, _lesion(its, key, lesion)
    if report.change is not None:
        yield "change", _change(its, report.change)


def _finding(its: Observed) -> Json:
    """Whether anything was found, in one sentence; of what was not analyzed, that and why."""
    report = its.report
    doubts = [text("report.research_use"), *report.sentences]
    notes = [{"text": each} for each in doubts]
    if report.finding == "not_judged":
        absent = term("data-absent-reason", "not-performed", "Not Performed")
        absent["text"] = finding_sentence(report)
        return its.build("finding", concept(coded.DETECTIONS), dataAbsentReason=absent, note=notes)
    found = coded.WITH_FINDINGS if report.finding == "tumor" else coded.WITHOUT_FINDINGS
    return its.build(
        "finding",
        concept(coded.DETECTIONS),
        valueCodeableConcept=concept(found, finding_sentence(report)),
        note=notes,
        component=_sizes((coded.CONFIDENCE, report.confidence, ONE)),
    )


def _extent(its: Observed) -> Iterator[tuple[str, Json]]:
    """The volume with its range; of a few slices the area, of a picture that in pixels."""
    report = its.report
    low, high = report.volume_ml_range or (None, None)
    if report.volume_ml is not None:
        yield (
            "volume",
            its.build(
                "volume",
                concept(coded.VOLUME, text("fhir.volume")),
                valueQuantity=quantity(report.volume_ml, ML),
                component=_sizes((coded.LOWEST, low, ML), (coded.HIGHEST, high, ML)),
            ),
        )
    area, unit = (report.area_mm2, MM2) if report.area_px is None else (report.area_px, PIXELS)
    if area is not None:
        named = concept(codes.SCT.Area, text("fhir.area"))
        yield "area", its.build("area", named, valueQuantity=quantity(area, unit))


def _shift(its: Observed, millimetres: float) -> Json:
    side = coded.SIDES.get(its.report.midline_shift_to or "")
    return its.build(
        "midline-shift",
        concept(coded.SHIFT),
        valueQuantity=quantity(millimetres, MM),
        component=_side(side),
    )


def _lesion(its: Observed, key: str, lesion: Lesion) -> Json:
    """Its sizes as components; the lobe that holds most of it as its site."""
    shares = sorted((lesion.lobes or {}).items(), key=lambda each: -each[1])
    site = coded.LOBES.get(shares[0][0], coded.BRAIN) if shares else coded.BRAIN
    across = lesion.across_midline_mm if lesion.crosses_midline else None
    sizes = _sizes(
        (coded.VOLUME, lesion.volume_ml, ML),
        (coded.LONG_AXIS, lesion.longest_diameter_mm, MM),
        (coded.SHORT_AXIS, lesion.perpendicular_diameter_mm, MM),
        (coded.PRODUCT, lesion.product_mm2, MM2),
        (coded.LONGEST_3D, lesion.max_diameter_3d_mm, MM),
        (coded.ACROSS, across, MM),
        (codes.SCT.Area, lesion.area_mm2 or lesion.area_px, MM2 if lesion.area_mm2 else PIXELS),
    )
    parts = _sizes(
        *((_share(name), part, PERCENT) for name, part in shares if part >= SMALLEST_SHARE)
    )
    return its.build(
        key,
        concept(codes.SCT.LesionOfBrain, text("fhir.lesion", number=lesion.id)),
        tracked=its.source.tracked.get(lesion.id),
        bodySite=concept(site, place_words(lesion)),
        component=[*_side(coded.SIDES.get(lesion.side)), *sizes, *parts],
    )


def _share(lobe: str) -> Code:
    """A code for each lobe, since a component has no site of its own."""
    value = f"{coded.SHARE.value}_{lobe.upper().replace(' ', '_')}"
    named = text("fhir.share", lobe=words("lobe").get(lobe, lobe))
    return Code(value, coded.SCHEME, named)


def _change(its: Observed, change: Change) -> Json:
    low, high = change.repeat_range_ml or (None, None)
    return its.build(
        "change",
        concept(coded.CHANGE),
        valueString=change_words(its.report),
        component=_sizes(
            (coded.CHANGE_ML, change.volume_ml, ML),
            (coded.CHANGE_PERCENT, change.volume_percent, PERCENT),
            (coded.CHANGE_MM, change.longest_diameter_mm, MM),
            (coded.REPEAT_LOW, low, ML),
            (coded.REPEAT_HIGH, high, ML),
            (coded.INTERVAL, change.days, DAYS),
        ),
        note=[{"text": text("fhir.prior", scan=change.prior_scan_id, at=change.prior_acquired_at)}],
    )


def _side(side: Code | None) -> list[Json]:
    if side is None:
        return []
    return [{"code": concept(codes.SCT.Laterality), "valueCodeableConcept": concept(side)}]


def _sizes(*sizes: Size) -> list[Json]:
    """Only what is known."""
    return [
        {"code": concept(code), "valueQuantity": quantity(value, unit)}
        for code, value, unit in sizes
        if value is not None
    ]
