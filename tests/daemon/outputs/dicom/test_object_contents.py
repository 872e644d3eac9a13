"""What our objects say, tag by tag, and that their UIDs follow from it: on phantoms, no network."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from daemon.outputs.dicom.comparison_objects import compare_objects
from daemon.outputs.dicom.result_objects import write_objects
from daemon.outputs.pdf import write_pdf
from daemon.report import Report
from daemon.safe_files import link_file
from model.inference.segmentation import Segmentation
from model.reading.dicom.patient_tags import Identity
from model.reading.dicom.study import read_dicom
from model.volume import Volume
from tests.daemon.outputs.dicom.test_objects import MASK, errors_of
from tests.model.reading.dicom.test_enhanced import items
from tests.phantoms.dicom_series import Series, write_series
from tests.phantoms.reports import CHANGE, make_lesion, make_report

QUALITY = [{"code": "no_date", "message": "The file carries no date."}]
SOURCE = {
    "StudyDate": "20240506",
    "StudyTime": "070809",
    "AcquisitionDate": "20240506",
    "AcquisitionTime": "071500.25",
    "TimezoneOffsetFromUTC": "-0500",
    "StudyDescription": "Brain",
    "PatientAge": "052Y",
    "IssuerOfPatientID": "HOSP_A",
    "LossyImageCompression": "01",
    "LossyImageCompressionRatio": "8.0",
    "LossyImageCompressionMethod": "ISO_10918_1",
    "BurnedInAnnotation": "NO",
}


def tell(number: int, image: Dataset) -> None:
    for name, value in SOURCE.items():
        setattr(image, name, value)
    image.OtherPatientIDsSequence = items(PatientID="OTHER1", IssuerOfPatientID="HOSP_B")


@dataclass(frozen=True)
class Case:
    """A phantom with its mask, to make results of."""

    volume: Volume
    root: Path

    def written(
        self,
        report: Report,
        name: str,
        mask: np.ndarray[Any, Any] | None = MASK,
        before: str | None = None,
        asked: datetime | None = None,
    ) -> Path:
        """The folder of a result."""
        folder = self.root / name
        folder.mkdir()
        found = None
        if mask is not None:
            found = Segmentation(mask.astype(np.uint8), mask.astype(np.float32), 0.5)
        earlier = self.root / before if before else None
        made = write_objects(self.volume, found, report, folder, earlier, asked)
        assert made.doubt is None
        save_plain_page(report, folder)
        made.add_page(report, folder / f"{report.scan_id}_report.pdf")
        return folder


def save_plain_page(report: Report, folder: Path) -> None:
    Image.new("RGB", (40, 40)).save(folder / f"{report.scan_id}_overlay.png")
    write_pdf(report, Identity("P", "Doe^Jane"), folder)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    root = tmp_path_factory.mktemp("case")
    (root / "source").mkdir()
    return Case(read_dicom(write_series(root / "source", series=Series(change=tell))), root)


def ends_of(volume: Volume, *places: tuple[float, float, float]) -> list[list[float]]:
    """Points of the grid (columns, rows, slices) in RAS mm."""
    return [[float(mm) for mm in (volume.affine @ np.array([*place, 1.0]))[:3]] for place in places]


def report_on(volume: Volume, **changes: Any) -> Report:
    lesion = make_lesion(
        volume_ml=0.5,
        longest_diameter_mm=9.0,
        perpendicular_diameter_mm=4.0,
        longest_diameter_ends_ras_mm=ends_of(volume, (3, 4, 3), (6, 7, 3)),
        perpendicular_diameter_ends_ras_mm=ends_of(volume, (3, 7, 3), (6, 4, 3)),
        lobes={"frontal": 60.0, "parietal": 40.0},
    ).as_json()
    told: dict[str, Any] = {
        "scan_id": "5" * 20,
        "input": {"kind": "dicom"},
        "volume_ml": 0.5,
        "volume_ml_range": [0.4, 0.9],
        "confidence": 0.81,
        "midline_shift_mm": 4.5,
        "midline_shift_to": "left",
        "lesions": [lesion],
        "quality": QUALITY,
    }
    return make_report(**(told | changes))


def objects_in(folder: Path) -> dict[str, Path]:
    """Each object by its name without the scan's."""
    found = sorted((folder / "dicom").rglob("*.dcm"))
    return {str(path.relative_to(folder / "dicom"))[21:]: path for path in found}


def test_two_runs_give_the_same_bytes(case: Case) -> None:
    report = report_on(case.volume)
    one, other = (objects_in(case.written(report, name)) for name in ("once", "twice"))
    assert set(one) == {
        *("seg.dcm", "sr.dcm", "report.dcm"),
        *(f"overlay/{n:04d}.dcm" for n in (1, 2, 3)),
    }
    assert all(one[name].read_bytes() == other[name].read_bytes() for name in one)


def test_any_other_byte_makes_another_uid(case: Case) -> None:
    report = report_on(case.volume)
    other = report_on(case.volume, volume_ml_range=[0.4, 0.8])
    one, two = objects_in(case.written(report, "range")), objects_in(case.written(other, "range2"))
    names = {name: (pydicom.dcmread(one[name]), pydicom.dcmread(two[name])) for name in one}
    assert names["seg.dcm"][0].SOPInstanceUID == names["seg.dcm"][1].SOPInstanceUID
    for name in ("sr.dcm", "report.dcm"):
        assert names[name][0].SOPInstanceUID != names[name][1].SOPInstanceUID
        assert names[name][0].SeriesInstanceUID != names[name][1].SeriesInstanceUID


def test_each_object_names_patient_study_and_maker(case: Case) -> None:
    numbers, described = set(), set()
    for name, path in objects_in(case.written(report_on(case.volume), "tags")).items():
        made = pydicom.dcmread(path)
        for keyword in ("StudyDescription", "PatientAge", "IssuerOfPatientID", "StudyTime"):
            assert str(made[keyword].value) == SOURCE[keyword], (name, keyword)
        assert made.OtherPatientIDsSequence[0].PatientID == "OTHER1"
        assert made.TimezoneOffsetFromUTC == "-0500"
        assert (made.SeriesDate, made.SeriesTime) == ("20240506", "071500")
        assert (made.ContentDate, made.ContentTime) == ("20240506", "071500")
        assert made.ContentQualification == "RESEARCH"
        assert made.ManufacturerModelName == "unet-16"
        assert made.DeviceSerialNumber == "fedcba9876543210"
        assert made.SoftwareVersions
        assert "unet-16" in {
            each.get("ManufacturerModelName") for each in made.ContributingEquipmentSequence
        } or name.startswith("seg")
        assert len(made.SeriesDescription) <= 64
        assert "research use only" in made.SeriesDescription
        numbers.add(made.SeriesNumber)
        described.add(made.SeriesDescription)
        assert errors_of(path) == [], name
    assert numbers == {7301, 7302, 7303, 7304}
    assert len(described) == 4


def test_numbers_that_the_study_uses_are_left_to_it(case: Case) -> None:
    series = {"description": "ours", "modality": "MR", "slices": 1, "chosen": True, "reason": ""}
    told = {"kind": "dicom", "series": [series | {"number": 7303}]}
    made = objects_in(case.written(report_on(case.volume, input=told), "taken"))
    assert {pydicom.dcmread(path).SeriesNumber // 10 for path in made.values()} == {830}


def test_a_revision_that_says_the_same_keeps_the_objects(case: Case) -> None:
    case.written(report_on(case.volume), "first")
    late = [*QUALITY, {"code": "late_files", "message": "Files came late."}]
    again = report_on(case.volume, revision=2, supersedes=1, quality=late)
    one = objects_in(case.root / "first")
    two = objects_in(
        case.written(again, "late", before="first", asked=datetime(2024, 5, 8, tzinfo=UTC))
    )
    assert {name: path.read_bytes() for name, path in one.items()} == {
        name: path.read_bytes() for name, path in two.items()
    }


def test_a_revision_with_another_mask_tells_itself_apart(case: Case) -> None:
    case.written(report_on(case.volume), "small")
    larger = MASK.copy()
    larger[2:8, 4:7, 2:5] = True
    again = report_on(case.volume, revision=2, supersedes=1, volume_ml=0.7)
    asked = datetime(2024, 5, 8, 3, 0, tzinfo=UTC)
    made = objects_in(case.written(again, "larger", larger, before="small", asked=asked))
    one = objects_in(case.root / "small")
    for name in ("seg.dcm", "sr.dcm", "report.dcm"):
        new, old = pydicom.dcmread(made[name]), pydicom.dcmread(one[name])
        assert new.SOPInstanceUID != old.SOPInstanceUID
        assert new.SeriesNumber == old.SeriesNumber + 10
        assert " r2:" in new.SeriesDescription
        assert (new.SeriesDate, new.SeriesTime) == ("20240507", "220000"), "in the study's zone"
        assert errors_of(made[name]) == []
    (study,) = pydicom.dcmread(made["sr.dcm"]).PredecessorDocumentsSequence
    (document,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert document.ReferencedSOPInstanceUID == pydicom.dcmread(one["sr.dcm"]).SOPInstanceUID


def test_a_corrected_mask_is_manual(case: Case) -> None:
    mask = {"by": "Ada"}
    made = objects_in(case.written(report_on(case.volume, mask=mask, revision=2), "drawn"))
    seg = hd.seg.segread(made["seg.dcm"])
    assert {each.SegmentAlgorithmType for each in seg.SegmentSequence} == {"MANUAL"}
    assert seg.ContentDate == "20240507"
    assert errors_of(made["seg.dcm"]) == []


def groups_by_name(path: Path) -> dict[str, Any]:
    content: Any = hd.sr.srread(path).content
    groups = [
        *content.get_image_measurement_groups(),
        *content.get_volumetric_roi_measurement_groups(),
    ]
    return {group.tracking_identifier: group for group in groups}


def sizes_of(group: Any) -> dict[str, float]:
    return {each.name.value: each.value for each in group.get_measurements()}


def test_the_axes_lie_on_their_image(case: Case) -> None:
    made = objects_in(case.written(report_on(case.volume), "axes"))
    group = groups_by_name(made["sr.dcm"])["Cornerstone3DTools@^0.1.0:Bidirectional"]
    long, short = group.get_measurements()
    assert [each.name.meaning for each in (long, short)] == ["Long Axis", "Short Axis"]
    (line,) = long.referenced_coordinates
    assert np.allclose(line.value, [[3.5, 4.5], [6.5, 7.5]], atol=1e-3)
    shown = line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    there = case.volume.sources[3]
    assert there is not None
    assert shown == pydicom.dcmread(there.file).SOPInstanceUID


def test_the_sr_says_range_confidence_shift_change_and_doubts(case: Case) -> None:
    report = report_on(case.volume, change=CHANGE)
    path = objects_in(case.written(report, "numbers"))["sr.dcm"]
    groups = groups_by_name(path)
    whole, changed = groups["whole tumor"], groups["change since the prior scan"]
    assert sizes_of(whole) == {
        "118565006": 0.5,
        "VOLUME_LOW": 0.4,
        "VOLUME_HIGH": 0.9,
        "CONFIDENCE": 0.81,
        "MIDLINE_SHIFT": 4.5,
    }
    assert sizes_of(changed)["CHANGE_VOLUME"] == CHANGE["volume_ml"]
    assert sizes_of(changed)["INTERVAL"] == 366
    said = pydicom.dcmread(path).to_json()
    for words in (QUALITY[0]["message"], CHANGE["words"], "Research use only", "99GLIOWATCH"):
        assert words in said
    assert errors_of(path) == []


def test_what_was_not_analyzed_says_so(case: Case) -> None:
    why = [{"code": "not_axial", "message": "This is no axial FLAIR."}]
    report = report_on(
        case.volume,
        finding="not_judged",
        quality=why,
        lesions=[],
        **dict.fromkeys(("volume_ml", "volume_ml_range", "confidence", "volume_voxels")),
    )
    made = objects_in(case.written(report, "silent", mask=None))
    assert set(made) == {"sr.dcm", "report.dcm"}
    (group,) = groups_by_name(made["sr.dcm"]).values()
    assert group.get_measurements() == []
    assert "111225" in {each.value.value for each in group.get_qualitative_evaluations()}
    assert "This is no axial FLAIR." in pydicom.dcmread(made["sr.dcm"]).to_json()
    assert all(errors_of(path) == [] for path in made.values())


def test_a_capture_names_its_image_and_nobody(case: Case) -> None:
    made = objects_in(case.written(report_on(case.volume), "captures"))
    sources = [pydicom.dcmread(each.file) for each in case.volume.sources if each]
    marked = np.flatnonzero(MASK.any(axis=(0, 1)))
    shown = []
    for name, path in made.items():
        if not name.startswith("overlay"):
            continue
        capture = pydicom.dcmread(path)
        assert capture.BurnedInAnnotation == "NO"
        assert capture.LossyImageCompression == "01"
        assert capture.LossyImageCompressionRatio == 8
        assert capture.FrameOfReferenceUID == sources[0].FrameOfReferenceUID
        assert capture.SecondaryCaptureDeviceManufacturer == "gliowatch"
        width = capture.PixelSpacing[1] * capture.Columns
        assert width == pytest.approx(14 * 0.9, rel=0.01)
        shown.append(capture.SourceImageSequence[0].ReferencedSOPInstanceUID)
    assert sorted(shown) == sorted(sources[k].SOPInstanceUID for k in marked)


def test_the_page_is_what_lies_beside(case: Case) -> None:
    folder = case.written(report_on(case.volume), "page")
    path = objects_in(folder)["report.dcm"]
    made = pydicom.dcmread(path)
    page = (folder / f"{'5' * 20}_report.pdf").read_bytes()
    assert made.EncapsulatedDocument[: made.EncapsulatedDocumentLength] == page
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert made.BurnedInAnnotation == "YES", "it names the patient"
    assert errors_of(path) == []


def test_a_new_prior_replaces_sr_and_page_alone(case: Case) -> None:
    case.written(report_on(case.volume), "alone")
    folder = case.root / "compared"
    for name, path in objects_in(case.root / "alone").items():
        target = folder / "dicom" / f"{'5' * 20}_{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        link_file(str(path), str(target))
    report = report_on(case.volume, change=CHANGE, revision=2, supersedes=1)
    save_plain_page(report, folder)
    asked = datetime(2024, 5, 8, 3, 0, tzinfo=UTC)
    compared = compare_objects(folder / "dicom", report, asked)
    compared.add_page(report, folder / f"{'5' * 20}_report.pdf")
    one, two = objects_in(case.root / "alone"), objects_in(folder)
    others = {name for name in one if one[name].read_bytes() != two[name].read_bytes()}
    assert others == {"sr.dcm", "report.dcm"}
    assert "change since the prior scan" in groups_by_name(two["sr.dcm"])
    assert "change since the prior scan" not in groups_by_name(one["sr.dcm"])
    assert all(errors_of(two[name]) == [] for name in others)
    assert pydicom.dcmread(two["sr.dcm"]).SeriesNumber == 7312
    again = replace(compared, as_before=True)
    before = two["report.dcm"].read_bytes()
    again.add_page(report, folder / f"{'5' * 20}_report.pdf")
    assert two["report.dcm"].read_bytes() == before
