"""Where a tumor lies, in the words that page, viewer and worklist share."""

from typing import Any

import pytest

from daemon.outputs.wording import finding_sentence, main_lobe, midline_words, place_words
from tests.phantoms.reports import LESION as MADE_LESION
from tests.phantoms.reports import make_lesion, make_report

LESION = MADE_LESION | {
    "crosses_midline": False,
    "across_midline_mm": 0.0,
    "longest_diameter_mm": 41.2,
    "perpendicular_diameter_mm": 29.0,
    "lobes": {"frontal": 91.6, "deep": 8.4},
    "lobe_words": "frontal 92 %",
    "anterior_posterior": "anterior",
    "superior_inferior": "middle",
}
REPORT: dict[str, Any] = {
    "quality": [],
    "volume_ml": 18.9,
    "volume_ml_range": [14.0, 34.0],
    "lesions": [LESION],
    "midline_shift_mm": 6.4,
    "midline_shift_to": "left",
    "midline_shift_score": 2.1,
}
NOT_SHIFTED = {"midline_shift_mm": 1.3, "midline_shift_to": None}
NOT_SEEN = {"midline_shift_mm": None, "midline_shift_to": None}
INCOMPLETE = [{"code": "incomplete", "message": "The half of it."}]
START = "FLAIR abnormality (whole tumor): 18.9 ml (14.0 to 34.0), one lesion on the patient's right"


@pytest.mark.parametrize(
    ("changed", "lesion", "sentence"),
    [
        ({}, {}, f"{START}, frontal lobe 92 %, 41 × 29 mm; midline shifted 6 mm to the left."),
        (NOT_SHIFTED, {}, f"{START}, frontal lobe 92 %, 41 × 29 mm."),
        (NOT_SEEN, {"lobes": None}, f"{START}, 41 × 29 mm."),
        (NOT_SEEN, {"lobes": {"deep": 60.0}}, f"{START}, deep grey matter 60 %, 41 × 29 mm."),
        (
            {"finding": "no_tumor", "lesions": []},
            {},
            "No FLAIR abnormality found, but the midline is shifted 6 mm to the left.",
        ),
        (
            {"finding": "no_tumor", "lesions": []} | NOT_SHIFTED,
            {},
            "No FLAIR abnormality found.",
        ),
        (
            {"quality": INCOMPLETE, "volume_ml_range": None} | NOT_SHIFTED,
            {"lobes": None},
            "FLAIR abnormality in an incomplete scan: 18.9 ml, one lesion on the patient's right,"
            " 41 × 29 mm.",
        ),
        (
            {"quality": INCOMPLETE, "finding": "no_tumor", "lesions": []} | NOT_SHIFTED,
            {},
            "No FLAIR abnormality found in an incomplete scan.",
        ),
    ],
)
def test_the_sentence_names_lobe_and_shift_where_they_are_known(
    changed: dict[str, Any], lesion: dict[str, Any], sentence: str
) -> None:
    report = REPORT | {"lesions": [LESION | lesion]} | changed
    assert finding_sentence(make_report(**report)) == sentence


def test_a_report_of_before_has_neither() -> None:
    old = {key: value for key, value in REPORT.items() if not key.startswith("midline")}
    lesion = {key: value for key, value in LESION.items() if "lobe" not in key}
    report = make_report(**old | {"lesions": [lesion]})
    assert finding_sentence(report) == f"{START}, 41 × 29 mm."
    assert main_lobe(report.lesions[0]) == midline_words(report) == ""
    assert place_words(report.lesions[0]) == "lobe not determined; anterior, mid craniocaudal"


def test_the_place_tells_what_is_not_determined() -> None:
    undecided = LESION | {"lobes": None, "lobe_words": "lobe not determined"}
    crossing = {"crosses_midline": True, "across_midline_mm": 7.6}
    assert place_words(make_lesion(**undecided | crossing)) == (
        "8 mm across the midline; lobe not determined; anterior, mid craniocaudal"
    )
    assert midline_words(make_report(**REPORT)) == "6 mm to the left"
    assert midline_words(make_report(**REPORT | NOT_SHIFTED)) == "< 3 mm"
    assert midline_words(make_report(**REPORT | NOT_SEEN)) == "not determined"
