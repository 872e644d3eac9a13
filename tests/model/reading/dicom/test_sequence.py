"""Which sequence a DICOM header tells of, and when that is a reason not to analyze."""

import pytest
from pydicom.dataset import Dataset

from model.reading.dicom.sequence import Sequence, sequence_of, why_unfit


def header(**tags: object) -> Dataset:
    made = Dataset()
    for name, value in tags.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    "tags",
    [
        {"SeriesDescription": "AX FLAIR"},
        {"SeriesDescription": "t2_tirm_tra_dark-fluid_320"},
        {"ProtocolName": "T2W/FLAIR SENSE", "ScanningSequence": "IR", "InversionTime": 2500},
        {"ScanningSequence": ["SE", "IR"], "InversionTime": 2200, "EchoTime": 394},
        {"ScanningSequence": "IR", "InversionTime": 1650, "EchoTime": 386},
        {"SeriesDescription": "DARK FLUID sag", "InversionTime": 1800},
        {"SeriesDescription": "3D_FLAIR", "ScanningSequence": "SE", "EchoTime": 340},
        {"SeriesDescription": "Ax T2 FLAIR", "ScanningSequence": "RM", "InversionTime": 0},
        {"SeriesDescription": "t2_spc_da-fl_sag_p2_iso", "ScanningSequence": "SE", "EchoTime": 388},
        {"SeriesDescription": "Sag MPR FLAIR", "ProtocolName": "BRAIN T1 T2 ROUTINE"},
    ],
)
def test_flair_is_told_by_numbers_or_name(tags: dict[str, object]) -> None:
    assert sequence_of(header(**tags)) is Sequence.FLAIR
    assert why_unfit(header(**tags)) is None


@pytest.mark.parametrize(
    "tags",
    [
        {"SeriesDescription": "T1 post gad"},
        {"SeriesDescription": "AX T1 FLAIR", "InversionTime": 800, "EchoTime": 20},
        {"SeriesDescription": "AX T1 FLAIR"},
        {"SeriesDescription": "T2W/FE-EPI", "ScanningSequence": "GR", "EchoTime": 40},
        {"SeriesDescription": "ep2d_diff_3scan_trace"},
        {"ScanningSequence": "EP", "SequenceName": "ep_b1000"},
        {"ScanningSequence": "IR", "InversionTime": 140, "EchoTime": 64},
        {"ScanningSequence": "GR", "InversionTime": 900, "EchoTime": 2.4},
        {"ScanningSequence": "SE", "EchoTime": 90},
        {"SeriesDescription": "localizer"},
    ],
)
def test_other_sequences_are_not_analyzed(tags: dict[str, object]) -> None:
    assert sequence_of(header(**tags)) is Sequence.OTHER
    reason = why_unfit(header(**tags))
    assert reason is not None
    assert reason.code == "not_flair"


@pytest.mark.parametrize(
    "tags", [{}, {"SeriesDescription": "series 4"}, {"InversionTime": "", "EchoTime": ""}]
)
def test_a_silent_header_leaves_it_open(tags: dict[str, object]) -> None:
    assert sequence_of(header(**tags)) is Sequence.UNKNOWN
    assert why_unfit(header(**tags)) is None


@pytest.mark.parametrize("part", ["KNEE", "CSPINE", "ABDOMEN", "NECK"])
def test_another_part_of_the_body_is_not_analyzed(part: str) -> None:
    reason = why_unfit(header(SeriesDescription="FLAIR", BodyPartExamined=part))
    assert reason is not None
    assert reason.code == "not_head"


@pytest.mark.parametrize("part", ["HEAD", "BRAIN", "", "MR BRAIN", "HEADNECK", "ORBIT", "OTHER"])
def test_the_head_is_analyzed(part: str) -> None:
    assert why_unfit(header(SeriesDescription="FLAIR", BodyPartExamined=part)) is None
