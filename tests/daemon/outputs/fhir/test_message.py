"""Every kind of result as FHIR: valid by another library's models, and saying what the report says.

The models are those of R4B, which differ from R4 in other resources than these.
"""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydantic import ValidationError
from pydicom.dataset import Dataset

from daemon.outputs.dicom import sr_codes
from daemon.outputs.dicom.result_objects import write_objects
from daemon.outputs.fhir.coding import OWN, SCANS, SYSTEMS, TERMS, UNITS
from daemon.outputs.fhir.message import message_of
from daemon.outputs.fhir.standing import Standing, Status
from daemon.report import Report
from model.inference.segmentation import Segmentation
from model.reading.dicom.study import read_dicom
from tests.conftest import ROOT
from tests.daemon.test_report import FORMS
from tests.phantoms.dicom_series import STORED, Series, write_series
from tests.phantoms.reports import make_lesion, make_report

AT = "2026-05-06T09:00:00.123+00:00"
NOTHING: dict[str, Any] = {
    "volume_ml": 0.0,
    "volume_ml_range": None,
    "volume_voxels": 0,
    "lesions": [],
}
KINDS: dict[str, dict[str, Any]] = FORMS | {
    "no tumor": {"finding": "no_tumor", "volume_ml_range": None, **NOTHING},
    "of nobody": {"patient_id": "unassigned"},
    "incomplete": {"quality": [{"code": "incomplete", "message": "A slice is missing."}]},
}
STANDINGS: list[Status] = ["preliminary", "final", "amended", "entered-in-error"]
SCAN = make_report().scan_id


def resources(message: str) -> list[dict[str, Any]]:
    """Those of a message, each of which the library has read without a fault."""
    bundle = json.loads(message)
    made = [entry["resource"] for entry in bundle["entry"]]
    model("Bundle").model_validate(bundle)
    for each in made:
        read = model(each["resourceType"]).model_validate(each)
        assert json.loads(read.model_dump_json()).keys() == each.keys(), "something is not of R4"
    return made


def model(name: str) -> Any:
    return getattr(import_module(f"fhir.resources.R4B.{name.lower()}"), name)


def told(report: Report, status: Status = "preliminary", **more: Any) -> list[dict[str, Any]]:
    return resources(message_of(Path("none"), report, Standing(status, AT, **more)))


def by_key(made: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The Observations by the end of their identifiers."""
    return {
        each["identifier"][0]["value"].partition("/")[2]: each
        for each in made
        if each["resourceType"] == "Observation"
    }


def everything(part: Any) -> Iterator[dict[str, Any]]:
    """All objects of a JSON, at any depth."""
    if isinstance(part, dict):
        yield part
    for each in part.values() if isinstance(part, dict) else part:
        if isinstance(each, dict | list):
            yield from everything(each)


def test_the_library_refuses_what_is_no_resource() -> None:
    device = told(make_report())[0]
    for wrong in ({"manufactured": "x"}, {"deviceName": [{"type": "model-name"}]}):
        with pytest.raises(ValidationError):
            model("Device").model_validate(device | wrong)


@pytest.mark.parametrize(("kind", "status"), [*zip(KINDS, cycle(STANDINGS), strict=False)])
def test_every_kind_of_result_is_valid(kind: str, status: Status) -> None:
    made = told(make_report(**KINDS[kind]), status)
    (report,) = (each for each in made if each["resourceType"] == "DiagnosticReport")
    observations = [each for each in made if each["resourceType"] == "Observation"]
    assert report["status"] == status
    assert {each["status"] for each in observations} == {status}
    assert "Research use only" in report["conclusion"]
    assert "Research use only" in report["text"]["div"]
    assert report["meta"]["tag"][0]["code"] == "RESEARCH"
    named = {each["reference"] for each in report["result"]}
    assert len(named) == len(observations)


@pytest.mark.parametrize("kind", KINDS)
def test_systems_units_and_references_are_known(kind: str) -> None:
    bundle = json.loads(message_of(Path("none"), make_report(**KINDS[kind]), Standing("final", AT)))
    entries = {entry["fullUrl"] for entry in bundle["entry"]}
    known = {*SYSTEMS.values(), *(f"{TERMS}{name}" for name in LISTS)}
    assert len(entries) == len(bundle["entry"])
    for part in everything(bundle):
        if "reference" in part:
            assert part["reference"] in entries
        if "value" in part and "code" in part:
            assert part["system"] == "http://unitsofmeasure.org"
            assert part["code"] in UNITS
        elif {"system", "code"} <= part.keys():
            assert part["system"] in known


LISTS = ("observation-category", "v2-0074", "v2-0203", "data-absent-reason")


def test_sizes_are_those_of_the_report() -> None:
    lesion = make_lesion(lobes={"frontal": 60.0, "deep": 35.0, "temporal": 5.0}, product_mm2=1996.4)
    kinds = KINDS["a midline shift"] | KINDS["a confidence"] | KINDS["a change"]
    report = make_report(**kinds).changed(lesions=(lesion,))
    found = by_key(told(report))
    assert list(found) == ["finding", "volume", "midline-shift", "lesion-1", "change"]
    assert found["volume"]["valueQuantity"] == {
        "value": 41.237,
        "unit": "ml",
        "system": "http://unitsofmeasure.org",
        "code": "mL",
    }
    assert parts(found["volume"]) == {"VOLUME_LOW": (39.0, "mL"), "VOLUME_HIGH": (44.0, "mL")}
    assert parts(found["finding"]) == {"CONFIDENCE": (0.83, "1")}
    assert parts(found["lesion-1"]) == {
        "118565006": (41.237, "mL"),
        "103339001": (52.4, "mm"),
        "103340004": (38.1, "mm"),
        "PRODUCT": (1996.4, "mm2"),
        "LOBE_SHARE_FRONTAL": (60.0, "%"),
        "LOBE_SHARE_DEEP": (35.0, "%"),
        "272741003": ("24028007", ""),
    }
    assert found["lesion-1"]["bodySite"]["coding"][0]["code"] == "83251001"
    deep = by_key(told(make_report(**KINDS["lobes"])))["lesion-1"]  # it has no code among the lobes
    assert deep["bodySite"]["coding"][0]["code"] == "12738006"
    assert parts(found["midline-shift"]) == {"272741003": ("7771000", "")}
    assert parts(found["change"])["CHANGE_VOLUME"] == (6.2, "mL")
    assert found["finding"]["effectiveDateTime"] == "2024-05-06"  # its zone is not known


def parts(observation: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    """Code and value of each component."""
    found = {}
    for each in observation["component"]:
        code = each["code"]["coding"][0]["code"]
        if "valueQuantity" in each:
            found[code] = each["valueQuantity"]["value"], each["valueQuantity"]["code"]
        else:
            found[code] = each["valueCodeableConcept"]["coding"][0]["code"], ""
    return found


def test_what_was_not_analyzed_says_so_and_measures_nothing() -> None:
    found = by_key(told(make_report(**KINDS["not judged"])))
    assert list(found) == ["finding"]
    absent = found["finding"]["dataAbsentReason"]
    assert absent["coding"][0]["code"] == "not-performed"
    assert not any(key.startswith("value") for key in found["finding"])


def test_without_a_finding_there_is_no_volume() -> None:
    found = by_key(told(make_report(**KINDS["no tumor"])))
    assert list(found) == ["finding"]
    code = found["finding"]["valueCodeableConcept"]["coding"][0]["code"]
    assert code == sr_codes.WITHOUT_FINDINGS.value


def test_a_revision_changes_the_same_resources_and_takes_back_what_is_gone() -> None:
    first = make_report(lesions=[make_lesion().as_json(), make_lesion(id=2).as_json()])
    second = make_report(revision=2, supersedes=1)
    before, now = by_key(told(first)), by_key(told(second, earlier=(first,)))
    assert before.keys() == now.keys()
    assert now["lesion-1"]["status"] == "preliminary"
    assert now["lesion-2"]["status"] == "entered-in-error"
    (report,) = (each for each in told(second, earlier=(first,)) if "result" in each)
    assert len(report["result"]) == len(now) - 1


def test_what_another_network_said_is_taken_back_in_its_name() -> None:
    other = {"name": "unet-32", "weights_sha256": "ab" * 32, "threshold": 0.5}
    first = make_report(model=other, lesions=[make_lesion().as_json(), make_lesion(id=2).as_json()])
    standing = Standing("preliminary", AT, earlier=(first,))
    bundle = json.loads(message_of(Path("none"), make_report(revision=2, supersedes=1), standing))
    entries = {entry["fullUrl"] for entry in bundle["entry"]}
    named = {part["reference"] for part in everything(bundle) if "reference" in part}
    assert named <= entries
    assert len([each for each in resources(json.dumps(bundle)) if "deviceName" in each]) == 2


def test_resources_are_put_under_their_own_identifiers() -> None:
    bundle = json.loads(message_of(Path("none"), make_report(), Standing("final", AT, "R. Viewer")))
    requests = [(each["request"]["method"], each["request"]["url"]) for each in bundle["entry"]]
    system = SCANS.replace(":", "%3A")
    assert requests[:3] == [
        ("POST", "Device"),
        ("PUT", f"DiagnosticReport?identifier={system}%7C{SCAN}"),
        ("PUT", f"Observation?identifier={system}%7C{SCAN}%2Ffinding"),
    ]
    (report,) = (each["resource"] for each in bundle["entry"] if "result" in each["resource"])
    assert report["resultsInterpreter"] == [{"type": "Practitioner", "display": "R. Viewer"}]


def test_a_dicom_study_is_named_with_its_patient_images_and_segments(tmp_path: Path) -> None:
    def describe(number: int, image: Dataset) -> None:
        image.PatientName, image.PatientID, image.IssuerOfPatientID = "Doe^Jane", "MRN7", "HOSP"
        image.AccessionNumber, image.TimezoneOffsetFromUTC = "A77", "+0100"

    (tmp_path / "study").mkdir()
    volume = read_dicom(write_series(tmp_path / "study", series=Series(change=describe)))
    mask = np.zeros(STORED.shape, np.uint8)
    mask[3:6, 4:7, 2:5] = 1
    report = make_report(quality=[])
    (tmp_path / "result").mkdir()
    segmentation = Segmentation(mask, mask.astype(np.float32), 0.5)
    assert write_objects(volume, segmentation, report, tmp_path / "result").doubt is None
    standing = Standing("preliminary", AT)
    made = resources(message_of(tmp_path / "result", report, standing, "urn:oid:1.2.3"))
    (told_of,) = (each for each in made if each["resourceType"] == "DiagnosticReport")
    assert told_of["subject"] == {
        "type": "Patient",
        "identifier": {"value": "MRN7", "system": "urn:oid:1.2.3", "assigner": {"display": "HOSP"}},
        "display": "Doe, Jane",
    }
    assert told_of["basedOn"][0]["identifier"]["value"] == "A77"
    assert told_of["effectiveDateTime"] == "2024-05-06T07:08:09+01:00"
    seg = pydicom.dcmread(tmp_path / "result" / "dicom" / f"{SCAN}_seg.dcm")
    (images,) = told_of["contained"]
    series = {each["modality"]["code"]: each for each in images["series"]}
    assert images["identifier"][0]["value"] == f"urn:oid:{seg.StudyInstanceUID}"
    assert series["MR"]["numberOfInstances"] == STORED.shape[2]
    assert series["SEG"]["instance"][0]["uid"] == seg.SOPInstanceUID
    assert series.keys() == {"MR", "SEG", "SR"}
    tracked = by_key(made)["lesion-1"]["identifier"][1]
    assert tracked == {
        "system": "urn:dicom:uid",
        "value": f"urn:oid:{seg.SegmentSequence[0].TrackingUID}",
    }


def test_a_study_without_a_name_gets_none(tmp_path: Path) -> None:
    assert "display" not in told(make_report())[1]["subject"]
    assert "subject" not in told(make_report(patient_id="unassigned"))[1]


def test_what_people_wrote_is_text_in_the_narrative() -> None:
    note = {"code": "other", "message": "<script>alert(1)</script>"}
    div = told(make_report(quality=[note]))[1]["text"]["div"]
    assert "<script>" not in div
    assert "&lt;script&gt;" in div


def test_the_document_names_our_own_systems() -> None:
    document = (ROOT / "docs" / "fhir.md").read_text()
    assert OWN in document
    assert SCANS in document
    named = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", document))
    ours = {each.value for each in vars(sr_codes).values() if _is_ours(each)}
    assert ours & named >= {"CONFIDENCE", "MIDLINE_SHIFT", "CHANGE_VOLUME", "PRODUCT"}
    assert named <= ours | {"RESEARCH"}


def _is_ours(each: object) -> bool:
    return getattr(each, "scheme_designator", "") == sr_codes.SCHEME
