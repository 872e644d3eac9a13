"""An ID is shown and found as the hospital writes it, whatever its folder has to be called."""

import asyncio
from html import escape

import pytest
from pydicom.dataset import Dataset

from daemon.drops import folder_name, shown_id
from daemon.settings import Settings
from tests.conftest import drain, gliowatch, reports
from tests.daemon.intake.test_study_split import BIG
from tests.daemon.outputs.test_pdf import page_text
from tests.phantoms.dicom_series import Series, write_series
from tests.viewer.api.test_api import ask, token_of
from tests.viewer.test_house import house_of

SLASHED, HARD = "12/34", "a?b*<c> 5%"


def send(settings: Settings, patient_id: str, study: str) -> None:
    """A study whose files lie loose in the inbox."""

    def change(number: int, image: Dataset) -> None:
        image.PatientID, image.StudyInstanceUID = patient_id, study

    series = Series(uid=f"{study}.1", prefix=f"{study}-", change=change)
    write_series(settings.daemon.inbox, BIG + len(study), series=series)


@pytest.mark.parametrize("patient_id", [SLASHED, HARD, "50%", "50%25", "%41", ".x", "a ", "Ä~"])
def test_an_id_comes_back_from_its_folders_name(patient_id: str) -> None:
    assert shown_id(folder_name(patient_id)) == patient_id


def test_a_folder_that_somebody_named_is_shown_as_it_is_named() -> None:
    for name in ("50%", "%41", "a:b", "100%25%"):
        assert shown_id(name) == name


async def test_an_id_is_shown_and_searched_as_it_is(hospital: Settings) -> None:
    send(hospital, SLASHED, "1.2.1")
    send(hospital, HARD, "1.2.22")
    assert drain(hospital.daemon.inbox.parent).returncode == 0
    found = {str(report["patient_id"]): str(report["scan_id"]) for report in reports(hospital)}
    assert found.keys() == {SLASHED, HARD}
    assert len(reports(hospital)) == 2  # of six loose files each, none was analyzed before the rest
    (pdf,) = hospital.daemon.outbox.glob("12%2F34/*/*_report.pdf")
    assert SLASHED in page_text(pdf)
    table = (await asyncio.to_thread(gliowatch, hospital, "export")).stdout
    assert {line.split(",")[0] for line in table.splitlines()[1:]} == {SLASHED, HARD}
    async with house_of(hospital) as house:
        for patient_id, scan_id in found.items():
            shown, encoded = escape(patient_id), escape(folder_name(patient_id))
            for text in (patient_id, patient_id[1:]):
                for back in ("/", "/patients"):
                    status, place = await house.post("/searches", {"back": back, "text": text})
                    page = await house.page(place)
                    assert (status, shown in page, encoded in page) == (303, True, False), back
            page = await house.page(f"/scans/{scan_id}")
            assert shown in page
            assert encoded not in page
        for text in ("%2F", "2F34", "12%2F34"):
            status, place = await house.post("/searches", {"back": "/patients", "text": text})
            assert escape(SLASHED) not in (await house.page(place)).split("</form>")[-1]
        token = await token_of(house)
        listed = (await ask(house, "GET", "patients", token))[1]["patients"]
        assert {each["patient_id"] for each in listed} == {SLASHED, HARD}
        (key,) = {each["patient_key"] for each in listed if each["patient_id"] == SLASHED}
        one = (await ask(house, "GET", f"patients/{key}", token))[1]
        assert one["patient"]["patient_id"] == SLASHED
