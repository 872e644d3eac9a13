"""The report on paper: one A4 page for every finding, with the viewer's words, in any script."""

import asyncio
import json
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from PIL import Image

from daemon.index.database import open_records
from daemon.index.people.patients import add_patient
from daemon.outputs.catalogue import text as said
from daemon.outputs.pdf import write_pdf
from daemon.outputs.report_builder import change_sentence
from daemon.outputs.wording import finding_sentence
from daemon.report import Report
from daemon.report_parts import Change
from daemon.service import run_daemon
from daemon.settings import Settings
from model.reading.dicom.patient_tags import Identity
from tests.phantoms.heads import head, write_nifti
from tests.phantoms.reports import CHANGE, INPUT, make_lesion, make_report

LESION = make_lesion(
    volume_ml=41.24,
    voxels=100,
    longest_diameter_mm=52.0,
    perpendicular_diameter_mm=38.0,
    largest_slice=7,
    mean_probability=0.9,
)
REPORT = make_report(
    scan_id="0123456789abcdef0123",
    revision=2,
    input=INPUT
    | {
        "kind": "dicom",
        "description": "t2_flair",
        "acquired_at": "2026-05-12T10:20:30",
        "spacing_mm": [0.9, 0.9, 5.5],
        "study": {"uid": "1.2", "accession": "A77", "date": "2026-05-12"},
    },
    model={"name": "a-network", "weights_sha256": "fedcba9876543210", "threshold": 0.5},
    quality=[{"code": "few", "message": "Two slices are missing."}],
    volume_ml=41.24,
    volume_ml_range=[39.0, 44.0],
    confidence=0.83,
).changed(lesions=(LESION,))
NOTHING = REPORT.changed(
    finding="no_tumor", volume_ml=0.0, volume_ml_range=None, lesions=(), quality=()
)
NOT_ANALYZED = NOTHING.changed(
    finding="not_judged",
    volume_ml=None,
    confidence=None,
    quality=({"code": "not_flair", "message": "It looks like another sequence."},),
)
ADA = Identity("P1", "Lovelace, Ada", "1970-12-31", "Female")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan's folder with plain pictures of the usual sizes."""
    folder = tmp_path_factory.mktemp("scan")
    for name, size in (("overlay", (560, 666)), ("planes", (1100, 430))):
        Image.new("RGB", size, (90, 90, 90)).save(folder / f"{REPORT.scan_id}_{name}.png")
    return folder


def page_text(path: Path) -> str:
    """All text of the one page, which is A4."""
    with pypdfium2.PdfDocument(path) as document:
        assert len(document) == 1
        page = document[0]
        assert [round(length) for length in page.get_size()] == [595, 842]
        return " ".join(str(page.get_textpage().get_text_bounded()).split())


def made(folder: Path, report: Report, who: Identity = ADA) -> Path:
    write_pdf(report, who, folder)
    return folder / f"{report.scan_id}_report.pdf"


@pytest.mark.parametrize("report", [REPORT, NOTHING, NOT_ANALYZED])
def test_every_finding_has_its_page(folder: Path, report: Report) -> None:
    text = page_text(made(folder, report))
    expected = [
        *("Lovelace, Ada", "P1", "1970-12-31", "Female", "2026-05-12 10:20", "accession A77"),
        *("t2_flair", "0123456789abcdef0123, revision 2", "0.90 × 0.90 × 5.50 mm"),
        *("a-network, weights fedcba987654", said("report.research_use"), finding_sentence(report)),
        *(note.message for note in report.quality),
    ]
    for words in expected:
        assert words in text, words
    assert (said("report.no_earlier") in text) == (report.finding != "not_judged")


def test_numbers_and_change(folder: Path) -> None:
    changed = REPORT.changed(change=CHANGE | {"words": "FLAIR change vs prior: 12 % larger."})
    text = page_text(made(folder, changed))
    for words in ("Range 39.0 to 44.0 ml", "expected Dice 0.83", "1 41.24 ml 52 × 38 mm Right"):
        assert words in text, words
    assert "FLAIR change vs prior: 12 % larger." in text
    assert said("report.no_earlier") not in text


def test_a_change_with_all_that_is_told_of_it_is_not_cut(folder: Path) -> None:
    told = {"repeat_range_ml": [30.0, 40.0], "beyond_repeat": True, "repeat_percent": 12.5}
    differs = {"ranges_overlap": True, "new_lesions": [1, 2], "gone_lesions": [3]}
    change = Change.model_validate_json(json.dumps(CHANGE | told | differs))
    words = change_sentence(change)
    page = page_text(made(folder, REPORT.changed(change=change.as_json() | {"words": words})))
    assert "The volume change is more than repeated measuring varies (12 %)." in words
    assert words in page


def test_more_than_fits_is_counted(folder: Path) -> None:
    many = REPORT.changed(
        lesions=[LESION.changed(id=number) for number in range(1, 12)],
        quality=[
            {"code": "x", "message": f"Doubt {n} of some length, long enough to need two lines."}
            for n in range(40)
        ],
    )
    text = page_text(made(folder, many))
    assert "5 more: see the report in JSON." in text
    assert text.count("more: see the report in JSON.") == 2


def test_the_same_report_is_the_same_bytes(folder: Path) -> None:
    name = "\u0645\u062d\u0645\u062f Ada \u738b"
    first = made(folder, REPORT, Identity("P1", name)).read_bytes()
    other = made(folder, REPORT, Identity("P1", "\u0639\u0628\u062f \u0623\u062d\u0645\u062f"))
    assert other.read_bytes() != first
    assert made(folder, REPORT, Identity("P1", name)).read_bytes() == first
    assert b"Ada" not in first


def test_hostile_names_are_text(folder: Path) -> None:
    hostile = "<img src=x> \x00\x07\u202ecod.exe\u2028</b>&amp; (\\) \ud800"
    text = page_text(made(folder, REPORT, Identity("\n" + hostile, hostile)))
    assert text.count("<img src=x> cod.exe </b>&amp; (\\)") == 2


def test_a_long_name_is_cut_with_an_ellipsis(folder: Path) -> None:
    for name in ("A" * 300, "Maximiliana " * 30, "\u738b" * 300, "x" * 100_000):
        text = page_text(made(folder, REPORT, Identity("P1", name)))
        assert f"{name[:20]}" in text
        assert name[:300] not in text
        assert "\u2026" in text


@how(max_examples=10, deadline=None)
@given(name=st.text(max_size=60))
def test_no_name_breaks_the_page(folder: Path, name: str) -> None:
    path = made(folder, REPORT, Identity(name, name))
    assert finding_sentence(REPORT) in page_text(path)


async def test_the_daemons_page_bears_the_name_that_people_entered(hospital: Settings) -> None:
    name = "\u738b\u5c0f\u660e"
    async with open_records(hospital.daemon.records) as records:
        await add_patient(records, "P1", {"name": name, "birth_date": "1970-12-31"})
    (hospital.daemon.inbox / "P1").mkdir()
    phantom = head()
    write_nifti(hospital.daemon.inbox / "P1" / "scan.nii.gz", phantom.voxels, phantom.affine)
    await run_daemon(hospital, True, asyncio.Event())
    (path,) = hospital.daemon.outbox.glob("P1/*/*_report.pdf")
    text = page_text(path)
    assert name in text
    assert "1970-12-31" in text
    (report,) = hospital.daemon.outbox.glob("P1/*/*_report.json")
    assert name not in report.read_text("utf-8")
