"""Which series of a study is analyzed, and what is said of the others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from model.reading.dicom.sequence import Sequence, sequence_of
from model.reading.dicom.study import read_dicom, read_each_flair
from model.reading.read import read_again
from model.rules import AskedSeries, FlairRules
from model.volume import Kind, Scan, Volume
from tests.phantoms.dicom_series import AFFINE, STORED, Change, Series, write_series
from tests.phantoms.heads import grid

SAGITTAL = grid((14, 10, 6), (0.9, 0.7, 5.0), (4, -8, 15), (0, 89, 0))


def with_tags(**values: Any) -> Change:
    def change(number: int, image: Dataset) -> None:
        for name, value in values.items():
            setattr(image, name, value)

    return change


def add(folder: Path, name: str, change: Change | None = None, slices: int = 6) -> tuple[Path, ...]:
    number = len(list(folder.iterdir()))
    series = Series(name=name, uid=f"1.2.3.{number + 1}", prefix=f"S{number}-", change=change)
    affine = SAGITTAL if "sag" in name else AFFINE
    return write_series(folder, STORED[:, :, :slices] + np.uint16(number), affine, series)


@pytest.mark.parametrize(
    ("name", "change", "slices", "why"),
    [
        ("FLAIR mpr", with_tags(ImageType=["DERIVED", "SECONDARY", "MPR"]), 6, "computed"),
        ("sag FLAIR", None, 6, "not axial"),
        ("FLAIR", None, 3, "too few"),
        ("FLAIR post gad", None, 6, "contrast"),
        ("FLAIR", with_tags(ContrastBolusAgent="Gadovist"), 6, "contrast"),
        ("FLAIR", None, 5, "fewer slices"),
        ("FLAIR", with_tags(SeriesNumber="3"), 6, "taken again"),
        ("AX T1 FLAIR", with_tags(InversionTime="800"), 6, "not FLAIR"),
        ("ep2d_diff", with_tags(DiffusionBValue=1000.0), 6, "not FLAIR"),
        ("scout", with_tags(Modality="CT"), 6, "CT"),
        ("series 4", None, 6, "does not identify"),
    ],
)
def test_the_better_flair_is_analyzed_and_the_other_says_why_not(
    tmp_path: Path, name: str, change: Change | None, slices: int, why: str
) -> None:
    files = add(tmp_path, name, change, slices)
    files += add(tmp_path, "t2_tirm_tra_dark-fluid", with_tags(SeriesNumber="4"))
    volume = read_dicom(files)
    told = {each.description: each for each in volume.series}
    assert [each.chosen for each in volume.series] == [False, True]
    assert why in volume.series[0].reason
    assert told["t2_tirm_tra_dark-fluid"].reason == ""
    assert volume.unfit is None


def test_the_name_of_the_whole_examination_makes_no_flair(tmp_path: Path) -> None:
    exam = {"ProtocolName": "BRAIN FLAIR DWI", "EchoTime": "90"}
    files = add(tmp_path, "Ax T2 FSE", with_tags(ScanningSequence="SE", **exam))
    files += add(tmp_path, "ADC", with_tags(ScanningSequence="EP", **exam))
    files += add(tmp_path, "Ax T2 FLAIR", with_tags(InversionTime="2250", **exam), slices=5)
    told = [(each.description, each.chosen) for each in read_dicom(files).series]
    assert told == [("Ax T2 FSE", False), ("ADC", False), ("Ax T2 FLAIR", True)]


def test_a_double_inversion_is_no_flair(tmp_path: Path) -> None:
    files = add(tmp_path, "t2_spc_DIR_tra", with_tags(InversionTime="3000", EchoTime="325"))
    files += add(tmp_path, "t2_spc_flair", with_tags(InversionTime="1800"), slices=5)
    assert [each.chosen for each in read_dicom(files).series] == [False, True]


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize(
    "values",
    [{"NumberOfFrames": "21600"}, {"NumberOfFrames": "-1"}, {"SeriesNumber": "99999999999"}],
)
def test_an_odd_file_of_another_series_does_not_harm_the_flair(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    flair = add(tmp_path, "FLAIR")
    volume = read_dicom(add(tmp_path, "fmri", with_tags(**values), slices=1) + flair)
    assert np.array_equal(volume.voxels, STORED)
    told = {each.description: each for each in volume.series}
    assert told["FLAIR"].chosen
    assert told["fmri"].reason


def test_our_own_captures_that_come_back_are_no_part_of_the_study(tmp_path: Path) -> None:
    flair = add(tmp_path, "FLAIR")
    volume = read_dicom(add(tmp_path, "FLAIR", with_tags(Manufacturer="gliowatch")) + flair)
    assert len(volume.series) == 1


def test_a_flair_after_contrast_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    files = add(tmp_path, "FLAIR +C", with_tags(ContrastBolusAgent="Gd")) + add(tmp_path, "t1 sag")
    assert [each.chosen for each in read_dicom(files).series] == [True, False]


def test_two_series_that_say_nothing_are_not_guessed(tmp_path: Path) -> None:
    volume = read_dicom(add(tmp_path, "series 4") + add(tmp_path, "series 5"))
    assert volume.unfit is not None
    assert volume.unfit.code == "no_flair"
    assert all("does not identify" in each.reason for each in volume.series)


def test_a_broken_flair_is_refused_and_a_fragment_of_it_is_not_taken(tmp_path: Path) -> None:
    whole = add(tmp_path, "FLAIR")
    other = add(tmp_path, "t1 mprage")
    volume = read_dicom(other + whole)
    assert np.array_equal(volume.voxels, STORED)
    with pytest.raises(Exception, match="missing"):
        read_dicom(other + whole[:2] + whole[3:])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("T2_FLAIR_AX", Sequence.FLAIR),
        ("t2w/flair SENSE", Sequence.FLAIR),
        ("3D Cube T2FLAIR", Sequence.FLAIR),
        ("横断位 T2 压水", Sequence.FLAIR),
        ("フレア 軸位断", Sequence.FLAIR),
        ("t2_spc_da-fl_sag", Sequence.FLAIR),
        ("Repérage", Sequence.OTHER),
        ("Übersicht", Sequence.OTHER),
        ("difusión", Sequence.OTHER),
        ("T2* GRE", Sequence.OTHER),
        ("T2_TSE_TRA", Sequence.OTHER),
        ("Serie 3", Sequence.UNKNOWN),
        ("flairing", Sequence.FLAIR),
        ("unflair", Sequence.UNKNOWN),
    ],
)
def test_names_in_several_languages(name: str, expected: Sequence) -> None:
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.SeriesDescription = name
    assert sequence_of(header) is expected


def test_a_site_may_have_its_own_words() -> None:
    header = Dataset()
    header.SeriesDescription = "Hirnprotokoll weiss"
    assert sequence_of(header) is Sequence.UNKNOWN
    assert sequence_of(header, FlairRules(flair_names=("weiss",))) is Sequence.FLAIR


def test_script_in_a_description_stays_text(tmp_path: Path) -> None:
    script = 'FLAIR <script>alert("x")</script>'
    assert read_dicom(add(tmp_path, script)).description == script


def asked(name: str, number: int, slices: int = 6) -> AskedSeries:
    return AskedSeries(number, name, slices, "Eve")


def study(folder: Path) -> tuple[Path, ...]:
    files = add(folder, "t2 tse", with_tags(SeriesNumber="2"))
    files += add(folder, "FLAIR", with_tags(SeriesNumber="3"))
    return files + add(folder, "FLAIR +C", with_tags(SeriesNumber="4"))


def read_asked(files: tuple[Path, ...], wanted: AskedSeries) -> list[Volume]:
    return list(read_each_flair(files, asked=wanted))


@pytest.mark.parametrize(
    ("name", "number", "added", "unfit"),
    [("t2 tse", 2, 0, "not_flair"), ("FLAIR", 3, 6, None), ("FLAIR +C", 4, 12, None)],
)
def test_the_series_that_a_person_wants_is_read_alone_with_what_speaks_against_it(
    tmp_path: Path, name: str, number: int, added: int, unfit: str | None
) -> None:
    files, wanted = study(tmp_path), asked(name, number)
    (volume,) = read_asked(files, wanted)
    assert np.array_equal(volume.voxels, STORED + added)
    assert volume.asked == wanted
    assert [each.description for each in volume.series if each.chosen] == [name]
    assert not any(each.reason for each in volume.series if each.chosen)
    assert all(each.reason for each in volume.series if not each.chosen)
    assert (volume.unfit.code if volume.unfit else None) == unfit
    assert "Eve" in next(each.message for each in volume.notes if each.code == "series_asked")
    assert "series_chosen" not in [each.code for each in volume.notes]
    assert read_again(Scan(Kind.DICOM, files), tmp_path / "none", asked=wanted).asked == wanted


def test_a_short_series_that_a_person_wants_is_not_measured_by_the_flair(tmp_path: Path) -> None:
    short = add(tmp_path, "t2 tse", with_tags(SeriesNumber="8"))[:2]
    (volume,) = read_asked(study(tmp_path) + short, asked("t2 tse", 8, slices=2))
    assert volume.unfit is not None
    assert volume.unfit.code == "not_flair"  # and not that FLAIR slices lie beside it


def test_late_slices_may_have_joined_the_series_that_is_wanted(tmp_path: Path) -> None:
    (volume,) = read_asked(study(tmp_path), asked("t2 tse", 2, slices=4))
    assert volume.description == "t2 tse"


@pytest.mark.parametrize("wanted", [asked("t2 tse", 9), asked("gone", 2)])
def test_where_it_is_not_there_the_usual_series_is_read_and_says_so(
    tmp_path: Path, wanted: AskedSeries
) -> None:
    volume = read_asked(study(tmp_path), wanted)[0]
    assert (volume.description, volume.asked) == ("FLAIR", wanted)
    said = {each.code: each.message for each in volume.notes}
    assert "no such series" in said["series_asked_failed"]


def test_where_two_look_like_it_neither_is_guessed(tmp_path: Path) -> None:
    files = study(tmp_path) + add(tmp_path, "t2 tse", with_tags(SeriesNumber="2"))
    volume = read_asked(files, asked("t2 tse", 2))[0]
    assert volume.description == "FLAIR"
    assert "series_asked_failed" in [each.code for each in volume.notes]


def test_where_it_is_damaged_the_usual_one_is_read_and_tells_why(tmp_path: Path) -> None:
    whole = add(tmp_path, "t2 tse", with_tags(SeriesNumber="7"))
    files = study(tmp_path) + whole[:2] + whole[3:]
    volume = read_asked(files, asked("t2 tse", 7, slices=5))[0]
    assert volume.description == "FLAIR"
    said = {each.code: each.message for each in volume.notes}
    assert "missing" in said["series_asked_failed"]


def test_of_repeats_the_one_that_a_person_wants_is_read(tmp_path: Path) -> None:
    files = add(tmp_path, "FLAIR", with_tags(SeriesNumber="3"))
    files += add(tmp_path, "FLAIR", with_tags(SeriesNumber="4"))
    usual = read_dicom(files)
    assert "taken_again" in [each.code for each in usual.notes]
    (volume,) = read_asked(files, asked("FLAIR", 3))
    assert [each.number for each in volume.series if each.chosen] == [3]
    assert "taken_again" not in [each.code for each in volume.notes]
