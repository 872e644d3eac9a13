"""Whose scan it is: PatientIDs are compared, a doubt is shown, and tags fill an empty record."""

import sqlite3
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from daemon.drops import shown_id
from daemon.index.database import fold
from daemon.settings import Settings, load_settings
from model.reading.dicom.patient_tags import Identity, named_in
from tests.conftest import drain, reports
from tests.daemon.intake.test_study_split import BIG
from tests.phantoms.dicom_series import Series, write_series
from tests.viewer.test_house import house_of


def drop_study(folder: Path, study: str, **tags: str) -> None:
    folder.mkdir(parents=True)

    def change(number: int, image: Dataset) -> None:
        image.StudyInstanceUID = study
        for name, value in tags.items():
            setattr(image, name, value)

    write_series(folder, BIG + len(study), series=Series(uid=f"{study}.1", change=change))


def flagged(settings: Settings) -> dict[str, bool]:
    """Patients whose newest report bears the flag."""
    return {
        str(report["patient_id"]): "identity_conflict" in str(report["quality"])
        for report in reports(settings)
    }


def test_one_patient_under_two_folders_is_filed_and_flagged(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    drop_study(inbox / "A" / "x", "1.2.1", PatientID="77")
    drop_study(inbox / "B" / "x", "1.2.22", PatientID="77")
    drop_study(inbox / "C" / "x", "1.2.333", PatientID="88")
    assert drain(inbox.parent).returncode == 0
    flags = flagged(hospital)  # of two that came together, whichever is analyzed second
    assert flags["A"] is not flags["B"]
    assert flags["C"] is False


@pytest.mark.long
def test_two_patients_under_one_folder_are_filed_and_flagged(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    drop_study(inbox / "A" / "x", "1.2.1", PatientID="77")
    assert drain(inbox.parent).returncode == 0
    drop_study(inbox / "A" / "y", "1.2.22", PatientID="88")
    assert drain(inbox.parent).returncode == 0
    found = ["identity_conflict" in str(report["quality"]) for report in reports(hospital)]
    assert sorted(found) == [False, True]


@pytest.mark.long
async def test_both_patients_pages_show_the_doubt(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    drop_study(inbox / "A" / "x", "1.2.1", PatientID="77")
    drop_study(inbox / "B" / "x", "1.2.22", PatientID="77")
    assert drain(inbox.parent).returncode == 0
    settings = load_settings(inbox.parent / "settings.toml")
    async with house_of(settings) as house:
        for report in reports(settings):
            page = await house.page(f"/scans/{report['scan_id']}")
            assert "Patient identity conflict" in page


@pytest.mark.long
def test_tags_fill_an_empty_record_and_never_what_people_entered(hospital: Settings) -> None:
    inbox = hospital.daemon.inbox
    told = {"PatientID": "77", "PatientBirthDate": "19491231", "PatientSex": "F"}
    drop_study(
        inbox / "A" / "x",
        "1.2.1",
        SpecificCharacterSet="GB18030",
        PatientName="Wang^XiaoDong=王^小东",
        **told,
    )
    done = drain(inbox.parent)
    assert done.returncode == 0
    for secret in ("Wang", "王", "1949"):
        assert secret not in done.stderr + done.stdout
    with sqlite3.connect(hospital.daemon.records) as records:
        ask = "SELECT name, birth_date, gender FROM patients WHERE patient_id = 'A'"
        assert records.execute(ask).fetchone() == (
            "Wang, XiaoDong (王 小东)",
            "1949-12-31",
            "Female",
        )
        records.create_function("fold", 1, fold)
        records.create_function("shown_id", 1, shown_id)
        records.execute("UPDATE patients SET name = 'as entered', birth_date = ''")
    drop_study(inbox / "A" / "y", "1.2.22", PatientName="Other^Name", **told)
    assert drain(inbox.parent).returncode == 0
    with sqlite3.connect(hospital.daemon.records) as records:
        assert records.execute(ask).fetchone() == ("as entered", "1949-12-31", "Female")


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_header_that_tells_nothing_valid_gives_nothing(tmp_path: Path) -> None:
    def odd(number: int, image: Dataset) -> None:
        image.PatientSex, image.PatientBirthDate, image.PatientName = "0000", "1949", "^^"

    files = write_series(tmp_path, series=Series(change=odd))
    (tmp_path / "text").write_text("no DICOM")
    named = named_in([*files, tmp_path / "text"])
    assert named.identities == (Identity("patient name"),)
