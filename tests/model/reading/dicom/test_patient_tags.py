"""Which scanner took a study, as its first MR file that names one tells."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from daemon.report_parts import StudyOfScan
from model.reading.dicom.patient_tags import Scanner, named_in
from tests.phantoms.dicom_series import Series, write_series


def tagged(folder: Path, prefix: str = "IM", **tags: Any) -> tuple[Path, ...]:
    """A series of slices with these tags."""

    def change(_: int, image: Dataset) -> None:
        for name, value in tags.items():
            setattr(image, name, value)

    return write_series(folder, series=Series(prefix=prefix, change=change))


@pytest.mark.parametrize(
    ("written", "tesla"), [("2.89362", 2.894), ("15000", 1.5), ("0", None), ("", None)]
)
def test_the_scanner_is_told_as_it_is_written(
    tmp_path: Path, written: str, tesla: float | None
) -> None:
    tags = {"Manufacturer": "SIEMENS ", "ManufacturerModelName": "Prisma_fit"}
    files = tagged(tmp_path, **tags, MagneticFieldStrength=written)
    (study,) = named_in(files).studies
    assert study.scanner == Scanner("SIEMENS", "Prisma_fit", tesla)


def test_a_file_of_a_workstation_tells_no_scanner(tmp_path: Path) -> None:
    shot = tagged(tmp_path, "A", Modality="OT", Manufacturer="Workstation", StationName="MR1")
    nameless = tagged(tmp_path, "B", Modality="MR", Manufacturer="")
    real = tagged(tmp_path, "C", Modality="MR", Manufacturer="GE", MagneticFieldStrength="3")
    (study,) = named_in((*shot, *nameless, *real)).studies
    assert (study.scanner, study.station) == (Scanner("GE", "", 3.0), "MR1")
    (study,) = named_in((*shot, *nameless)).studies
    assert study.scanner is None


@pytest.mark.parametrize(
    ("scanner", "name"),
    [
        (("SIEMENS", "Aera", 1.494), "Siemens Aera 1.5 T MR7"),
        (("Siemens Healthineers", "Aera", 1.5), "Siemens Aera 1.5 T MR7"),
        (("GE MEDICAL SYSTEMS", "SIGNA", 0.55), "GE SIGNA 0.55 T MR7"),
        (("", "", 7.0), "7 T MR7"),
        (None, "MR7"),
    ],
)
def test_a_scanner_keeps_its_name_with_newer_software(
    scanner: tuple[str, str, float] | None, name: str
) -> None:
    names = ("manufacturer", "model", "field_tesla")
    told = dict(zip(names, scanner, strict=True)) if scanner else None
    study = StudyOfScan.of(uid="1.2", accession="", date="", station="MR7", scanner=told)
    assert study.scanner_name == name
    assert StudyOfScan.of("1.2", "", "", "", None).scanner_name == ""
