"""A result as one transaction for a FHIR server: DiagnosticReport, Observations, the network.

Each resource is put under its own identifier, so that a later message about the same scan changes
what is there: revisions and reviews make no second report, and sending again does none either.
"""

import json
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from pydicom.sr.coding import Code

from daemon.outputs.catalogue import text
from daemon.outputs.fhir.coding import (
    NETWORKS,
    OWN,
    SCANS,
    SYSTEMS,
    Json,
    concept,
    entry_name,
    oid,
    term,
)
from daemon.outputs.fhir.observations import (
    WITHDRAWN,
    Observed,
    moment_of,
    observations_of,
)
from daemon.outputs.fhir.source import SeriesOfResult, Source, read_source
from daemon.outputs.fhir.standing import Standing
from daemon.outputs.wording import change_words, finding_sentence
from daemon.report import Report
from model.reading.dicom.frames import OURS

BRAIN_MR = Code("24590-2", "LN", "MR Brain")  # as LOINC itself calls it


def message_of(folder: Path, report: Report, standing: Standing, patient_system: str = "") -> str:
    """The whole message as JSON, the same for the same values. Raises OSError.

    folder: of the published result; patient_system: the URI of what numbers the patients, as the
    server knows it.
    """
    source = read_source(folder, report)
    subject = _subject(source, patient_system)
    now = _observed(report, source, standing, subject)
    gone: dict[str, Json] = {}
    for before in standing.earlier:
        old = Observed(before, Source(study=source.study), WITHDRAWN, standing.at, subject)
        gone |= dict(observations_of(old))
    entries = [
        _device(report),
        _put(_report(report, source, standing, subject, list(now))),
        *(_put(each) for each in now.values()),
        *(_put(each) for key, each in gone.items() if key not in now),
        *(_device(each) for each in _others(report, standing.earlier)),
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return json.dumps(bundle, indent=1, ensure_ascii=False) + "\n"


def _others(report: Report, earlier: Sequence[Report]) -> list[Report]:
    """One of each other network: what is taken back names it."""
    by_network = {each.model.weights_sha256: each for each in earlier}
    by_network.pop(report.model.weights_sha256, None)
    return list(by_network.values())


def _observed(report: Report, source: Source, standing: Standing, subject: Json) -> dict[str, Json]:
    return dict(observations_of(Observed(report, source, standing.status, standing.at, subject)))


def _subject(source: Source, system: str) -> Json:
    """The patient by the ID, as the study writes it; nobody where there is none."""
    if not source.patient_id:
        return {}
    named: Json = {"value": source.patient_id}
    if system:
        named["system"] = system
    if source.issuer:
        named["assigner"] = {"display": source.issuer}
    shown = {"display": source.patient_name} if source.patient_name else {}
    return {"type": "Patient", "identifier": named, **shown}


def _report(
    report: Report, source: Source, standing: Standing, subject: Json, keys: Sequence[str]
) -> Json:
    said = _sentences(report)
    order = {"value": source.accession, "type": term("v2-0203", "ACSN", "Accession ID")}
    reviewer = [{"type": "Practitioner", "display": standing.reviewer}] if standing.reviewer else []
    made: Json = {
        "resourceType": "DiagnosticReport",
        "meta": {"tag": [{"system": OWN, "code": "RESEARCH", "display": "Research use only"}]},
        "language": "en",
        "text": {"status": "generated", "div": _div(said)},
        "contained": [_images(source, subject)] if source.study else [],
        "identifier": [{"system": SCANS, "value": report.scan_id}],
        "basedOn": [{"type": "ServiceRequest", "identifier": order}] if source.accession else [],
        "status": standing.status,
        "category": [term("v2-0074", "RAD", "Radiology")],
        "code": concept(BRAIN_MR, text("fhir.title")),
        "subject": subject,
        "effectiveDateTime": moment_of(report, source),
        "issued": standing.at,
        "resultsInterpreter": reviewer,
        "result": [{"reference": entry_name(f"{report.scan_id}/{key}")} for key in keys],
        "imagingStudy": [{"reference": "#images"}] if source.study else [],
        "conclusion": " ".join(said),
    }
    return {name: value for name, value in made.items() if value not in (None, [], {}, "")}


def _sentences(report: Report) -> list[str]:
    said = [text("report.research_use"), finding_sentence(report)]
    if report.change is not None:
        said.append(change_words(report))
    return [*said, *report.sentences]


def _div(said: Sequence[str]) -> str:
    """For people: what the report says, escaped."""
    lines = "".join(f"<p>{escape(each)}</p>" for each in said)
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{lines}</div>'


def _images(source: Source, subject: Json) -> Json:
    """What was analyzed and what was made of it. It stays in the report: the study itself is the
    archive's to tell of."""
    return {
        "resourceType": "ImagingStudy",
        "id": "images",
        "identifier": [oid(source.study)],
        "status": "available",
        "subject": subject or {"display": text("fhir.nobody")},
        "series": [_series(each) for each in source.series],
    }


def _series(series: SeriesOfResult) -> Json:
    """Of images only how many they are; our own objects one by one."""
    made: Json = {
        "uid": series.uid,
        "modality": {"system": SYSTEMS["DCM"], "code": series.modality},
        "numberOfInstances": len(series.objects),
    }
    if series.modality != "MR":
        made["instance"] = [
            {"uid": uid, "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{kind}"}}
            for kind, uid in series.objects
        ]
    return made


def _device(report: Report) -> Json:
    """The network. A server that knows it keeps what it has."""
    digest = report.model.weights_sha256
    made = {
        "resourceType": "Device",
        "identifier": [{"system": NETWORKS, "value": digest}],
        "manufacturer": OURS,
        "deviceName": [{"name": report.model.name, "type": "model-name"}],
        "version": [{"value": version("gliowatch")}],
        "note": [{"text": text("report.research_use")}],
    }
    known = f"identifier={quote(f'{NETWORKS}|{digest}', safe='')}"
    request = {"method": "POST", "url": "Device", "ifNoneExist": known}
    return {"fullUrl": entry_name(digest), "resource": made, "request": request}


def _put(made: Json) -> Json:
    """An entry that makes the resource, or changes the one of this identifier."""
    key = made["identifier"][0]["value"]
    asked = quote(f"{SCANS}|{key}", safe="")
    request = {"method": "PUT", "url": f"{made['resourceType']}?identifier={asked}"}
    return {"fullUrl": entry_name(key), "resource": made, "request": request}
