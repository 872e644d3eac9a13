"""Codes, sizes and names as FHIR writes them."""

import uuid
from hashlib import sha256
from typing import Any

from pydicom.sr.coding import Code

from daemon.outputs.dicom.content_uids import uid_of
from daemon.outputs.dicom.sr_codes import SCHEME

Json = dict[str, Any]

OWN = f"urn:oid:{uid_of('FHIR', 'codes')}"  # of what no standard has a code for
SCANS = f"urn:oid:{uid_of('FHIR', 'scans')}"  # scan_id, and what is below one
NETWORKS = f"urn:oid:{uid_of('FHIR', 'networks')}"  # SHA-256 of the weights
DICOM_UIDS = "urn:dicom:uid"
TERMS = "http://terminology.hl7.org/CodeSystem/"
SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    SCHEME: OWN,
}
UNITS = {"mL": "ml", "mm": "mm", "mm2": "mm²", "d": "days", "%": "%", "1": "", "{pixels}": "pixels"}


def concept(code: Code, words: str = "") -> Json:
    """A code of a standard or of ours; words: what it is called here."""
    coding = {"system": SYSTEMS[code.scheme_designator], "code": code.value}
    return {"coding": [coding | {"display": code.meaning}], "text": words or code.meaning}


def term(system: str, code: str, display: str) -> Json:
    """A code of one of HL7's own systems."""
    return {"coding": [{"system": TERMS + system, "code": code, "display": display}]}


def quantity(value: float, unit: str) -> Json:
    """A size in a unit of UCUM."""
    named = {"system": "http://unitsofmeasure.org", "code": unit}
    return {"value": value, **({"unit": UNITS[unit]} if UNITS[unit] else {}), **named}


def oid(uid: str) -> Json:
    """A UID of DICOM as an identifier."""
    return {"system": DICOM_UIDS, "value": f"urn:oid:{uid}"}


def entry_name(key: str) -> str:
    """How the resources of one message name each other."""
    return f"urn:uuid:{uuid.UUID(bytes=sha256(key.encode()).digest()[:16], version=4)}"
