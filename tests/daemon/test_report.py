"""The typed report: every form of before is read and written as it was, a wrong one is refused."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.report import read_brief, read_report
from tests.conftest import REPORT_SCHEMA, ROOT
from tests.phantoms.reports import CHANGE, LESION, MASK, make_report, report_json
from tools.schemas import REPORT_SCHEMA as SCHEMA_FILE
from tools.schemas import schema_text

ENDS = [[22.0, 30.0, 12.5], [54.0, 30.0, 12.5]]
SERIES = {
    "description": "t1",
    "number": None,
    "modality": "MR",
    "slices": 24,
    "chosen": False,
    "reason": "It is not FLAIR.",
}
LINES = {
    "product_mm2": 1996.4,
    "max_diameter_3d_mm": 60.1,
    "diameter_slice": 67,
    "longest_diameter_ends_ras_mm": ENDS,
    "perpendicular_diameter_ends_ras_mm": None,
    "crosses_midline": None,
    "across_midline_mm": 0.0,
    "anterior_posterior": "middle",
    "superior_inferior": None,
}
POINT = {"scan_id": "0" * 20, "acquired_at": "2023-05-06", "volume_ml": 35.0}
HISTORY = [POINT | {"volume_ml_range": [30.0, 40.0]}, POINT | {"volume_ml_range": None}]
FORMS: dict[str, dict[str, Any]] = {
    "the first": {},
    "a confidence": {"confidence": 0.83},
    "a DICOM study": {
        "input": {
            "kind": "dicom",
            "study": {"uid": "1.2", "accession": "", "date": "2024-05-06"},
            "series": [SERIES],
        }
    },
    "lines and places": {"lesions": [LESION | LINES]},
    "lobes": {
        "lesions": [LESION | {"lobes": {"deep": 60.0, "frontal": 40.0}, "lobe_words": "deep"}],
        "lobe_score": 0.8,
    },
    "a change": {"change": CHANGE, "date_entered": None, "history": HISTORY},
    "compared anew": {"revision": 2, "supersedes": 1, "judged_revision": 1, "date_entered": "2024"},
    "slices": {
        "slices": {"plane": "axial", "axis": 2, "reversed": True, "areas_px": [0, 3]},
        "change": CHANGE | {"to_prior_ras_mm": [[1.0, 0.0, 0.0, 0.0]] * 4},
    },
    "a corrected mask": {"mask": MASK, "volume_ml_range": None, "confidence": None},
    "a spacing that was entered": {"spacing_entered": [0.9, 0.8, None]},
    "a midline shift": {
        "midline_shift_mm": 6.4,
        "midline_shift_to": "left",
        "midline_shift_score": 2.1,
    },
    "a picture": {
        "input": {"kind": "image", "spacing_mm": None, "orientation": None, "acquired_at": None},
        "volume_ml": None,
        "volume_ml_range": None,
        "area_px": 90,
        "lesions": [
            LESION
            | {"volume_ml": None, "area_px": 90, "product_px2": 81.0, "longest_diameter_px": 9.0}
            | {"longest_diameter_ends_px": [[1.0, 2.0], [3.0, 4.0]]}
        ],
    },
    "a few slices": {"area_mm2": 812.0, "lesions": [LESION | {"area_mm2": 812.0}]},
    "not judged": {
        "finding": "not_judged",
        "volume_ml": None,
        "volume_ml_range": None,
        "volume_voxels": None,
        "lesions": [],
    },
    "another step": {"seconds": {"read": 1.0, "segment": 2.0, "write": 3.0, "compare": 0.5}},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_report_is_read_and_written_as_it_was(form: str) -> None:
    written = report_json(**FORMS[form])
    report = read_report(json.dumps(written))
    assert report.as_json() == written
    assert read_report(report.as_column()) == read_report(report.as_text()) == report


def test_what_a_form_of_before_lacks_is_not_known_and_not_written() -> None:
    report = make_report()
    (lesion,) = report.lesions
    missing = (report.confidence, report.mask, report.slices, report.history, lesion.lobes)
    assert {*missing, report.midline_shift_score, report.input.study} == {None}
    assert {lesion.lobe_words, lesion.diameter_slice, lesion.area_px} == {None}
    assert report.changed(date_entered=None).as_json() == report.as_json() | {"date_entered": None}


def test_keys_are_written_in_the_order_of_the_fields() -> None:
    later = make_report(history=HISTORY, slices=FORMS["slices"]["slices"], lobe_score=0.5)
    keys = list(later.changed(midline_shift_mm=1.0).as_json())
    assert keys[:3] == ["schema", "scan_id", "revision"]
    order = ["volume_voxels", "midline_shift_mm", "lesions", "change", "seconds", "lobe_score"]
    assert [key for key in keys if key in {*order, "slices", "history"}] == [
        *order,
        "slices",
        "history",
    ]


def test_a_field_of_a_version_to_come_is_kept() -> None:
    later = report_json(hippocampus="whole")
    later["lesions"][0]["grade_of_doubt"] = 2
    later["seconds"]["register"] = 1.5
    report = read_report(json.dumps(later))
    assert report.changed(revision=2, supersedes=1).as_json() == later | {
        "revision": 2,
        "supersedes": 1,
    }


WRONG: dict[str, dict[str, Any]] = {
    "schema": {"schema": "gliowatch/report/2"},
    "finding": {"finding": "glioma"},
    "volume as text": {"volume_ml": "41.2"},
    "negative volume": {"volume_ml": -1.0},
    "revision 0": {"revision": 0},
    "no patient": {"patient_id": None},
    "a range of one": {"volume_ml_range": [1.0]},
    "a side": {"lesions": [LESION | {"side": "top"}]},
    "no voxels": {"lesions": [LESION | {"voxels": 0}]},
    "null that may only be missing": {"lesions": [LESION | {"diameter_slice": None}]},
    "a lobe": {"lesions": [LESION | {"lobes": {"insula": 100.0}}]},
    "a point of two": {"lesions": [LESION | {"centroid_ras_mm": [1.0, 2.0]}]},
    "a kind": {"input": {"kind": "video"}},
    "a shape of two": {"input": {"shape": [240, 240]}},
    "a difference": {"change": {"measured_differently": ["mood"]}},
    "words for yes": {"change": {"registered": "yes"}},
    "a curve of one": {"history": HISTORY[:1]},
    "no source": {"mask": {"source": "network"}},
    "seconds as text": {"seconds": {"read": 1.0, "segment": 2.0, "write": 3.0, "more": "long"}},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_report_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_report(json.dumps(report_json(**WRONG[wrong])))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema": "gliowatch/report/1"}'])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_report(text)


def test_every_field_that_was_always_there_is_needed() -> None:
    whole = report_json()
    for where in (whole, whole["input"], whole["model"], whole["lesions"][0], whole["seconds"]):
        for name in list(where):
            kept = where.pop(name)
            with pytest.raises(ValueError, match=name):
                read_report(json.dumps(whole))
            where[name] = kept
    assert read_report(json.dumps(whole))


def test_a_report_is_changed_only_as_a_new_one_and_in_fields_that_there_are() -> None:
    report, name = make_report(), "revision"
    with pytest.raises(ValueError, match="frozen"):
        setattr(report, name, 2)
    with pytest.raises(TypeError, match="no field volume_l"):
        report.changed(volume_l=1.0)
    with pytest.raises(ValueError, match="revision"):
        report.changed(revision="two")


def test_a_wrong_brief_is_refused() -> None:
    with pytest.raises(ValueError, match="finding"):
        read_brief('{"finding": "glioma"}')


def test_the_schema_in_the_repository_is_that_of_the_types() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema_text(), "run python -m tools.schemas"


def test_the_schema_asks_what_it_did_when_it_was_kept_by_hand() -> None:
    """The lines were made from the last schema that was written by hand."""
    before = (Path(__file__).parent / "report_demands.txt").read_text("utf-8").splitlines()
    now = {line.split()[0]: set(line.split()[1:]) for line in demands("report", REPORT_SCHEMA)}
    for line in before:
        path, *asked = line.split()
        assert now[path] == set(asked), path
    assert len(before) > 150


FACETS = ("minimum", "exclusiveMinimum", "maximum", "minItems", "maxItems", "pattern", "const")


def demands(path: str, schema: dict[str, Any]) -> Iterator[str]:
    """A line for each value of a report: where it stands, and what a JSON Schema asks of it."""
    schema, is_null = resolved(schema)
    others = schema.get("additionalProperties")
    words = [str(schema["type"])] if schema.keys().isdisjoint(("enum", "const")) else []
    words += [f"{name}={schema[name]}" for name in FACETS if name in schema]
    words += [
        *map(str, schema.get("enum", ())),
        *(f"needs:{n}" for n in schema.get("required", ())),
    ]
    words += ["null"] if is_null else []
    words += ["closed"] if others is False or "propertyNames" in schema else []
    yield " ".join([path, *words])
    named = dict.fromkeys(schema.get("propertyNames", {}).get("enum", ()), others)
    for name, part in (schema.get("properties", {}) | named).items():
        yield from demands(f"{path}.{name.replace(' ', '_')}", part)
    items = [schema["items"]] * schema.get("minItems", 1) if "items" in schema else []
    for number, part in enumerate(schema.get("prefixItems", items)):
        yield from demands(f"{path}[{number}]", part)


def resolved(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A schema without references and null, and whether it allows null."""
    if "$ref" in schema:
        return resolved(REPORT_SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        (part,) = (each for each in schema["anyOf"] if each.get("type") != "null")
        return resolved(part)[0], len(schema["anyOf"]) > 1
    kinds, words = schema.get("type"), schema.get("enum", [])
    plain = schema | ({"type": kinds[0]} if isinstance(kinds, list) else {})
    plain |= {"enum": [word for word in words if word is not None]} if words else {}
    return plain, isinstance(kinds, list) or None in words


def test_the_report_is_light() -> None:
    code = "import sys, daemon.report; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
