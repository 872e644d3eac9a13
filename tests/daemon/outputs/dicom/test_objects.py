"""DICOM SEG, SR and secondary captures, as pydicom, dciodvfy, dcmqi and highdicom read them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from daemon.commands.segment import segment_once
from daemon.outputs.dicom.result_objects import write_objects
from daemon.outputs.overlay import OUTLINE
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from model.inference.segmentation import Segmentation
from model.reading.dicom.study import read_dicom
from model.volume import Note, Volume
from tests.conftest import SAMPLES, SHARED
from tests.model.reading.dicom.test_enhanced import items, second_echo, write_enhanced
from tests.phantoms.dicom_series import STORED, Series, write_series
from tests.phantoms.heads import codes
from tests.phantoms.reports import make_lesion, make_report
from tests.programs import program
from tools.draw_seg import draw, marked_images

STUDY = SAMPLES / "from-the-pacs" / "study"
BRAINIX = SHARED / "dicom" / "brainix_flair"
REPORT = make_report(
    scan_id="s",
    model={"name": "gliowatch-flair-unet", "weights_sha256": "ab" * 32, "threshold": 0.5},
    quality=[],
    volume_ml=0.5,
    lesions=[],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample study, analyzed."""
    target = tmp_path_factory.mktemp("judged")
    (analyzed,) = segment_once([STUDY], target, "P", analysis_rules(ModelSettings()))
    assert analyzed.folder is not None, analyzed.reason
    return analyzed.folder


def all_objects(folder: Path) -> list[Path]:
    return sorted(folder.glob("dicom/*.dcm")) + sorted(folder.glob("dicom/*_overlay/*.dcm"))


def read_one(folder: Path, ending: str) -> Dataset:
    (path,) = folder.glob(f"dicom/*{ending}")
    return pydicom.dcmread(path)


def report_of(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*_report.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_seg_is_drawn_over_the_images_that_it_names(folder: Path, tmp_path: Path) -> None:
    seg = read_one(folder, "_seg.dcm")
    marked = marked_images(seg)
    names = {
        pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID: path
        for path in STUDY.iterdir()
    }
    assert marked
    assert {uid for uid, _ in marked} <= set(names)
    (path,) = folder.glob("dicom/*_seg.dcm")
    draw(path, STUDY, tmp_path / "drawn.png")
    drawn = np.asarray(Image.open(tmp_path / "drawn.png").convert("RGB"))
    assert (drawn == OUTLINE).all(axis=2).sum() > 50


def errors_of(path: Path) -> list[str]:
    """What dciodvfy (D. Clunie's dicom3tools) calls an error."""
    done = subprocess.run([program("dciodvfy"), str(path)], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    assert not any(line.startswith("Abort") for line in lines), lines
    return [line for line in lines if line.startswith("Error")]


def test_dciodvfy_finds_no_error_in_any_object(folder: Path) -> None:
    objects = all_objects(folder)
    assert len(objects) > 3
    for path in objects:
        assert errors_of(path) == [], path.name


@pytest.mark.skipif(not BRAINIX.is_dir(), reason="../shared/data is not here")
def test_invalid_values_of_a_real_source_are_not_handed_on(tmp_path: Path) -> None:
    (analyzed,) = segment_once([BRAINIX], tmp_path, "P", analysis_rules(ModelSettings()))
    assert analyzed.folder is not None
    source = pydicom.dcmread(next((analyzed.folder / "source").rglob("IM*")))
    assert source.PatientSex == "0000"
    for path in all_objects(analyzed.folder):
        assert pydicom.dcmread(path).PatientSex == ""
        assert errors_of(path) == []
    check_mask_given_back(analyzed.folder, tmp_path / "back")


def check_mask_given_back(folder: Path, target: Path) -> None:
    """dcmqi (Herz et al., Cancer Research 2017) makes of the SEG the voxels of our NIfTI mask."""
    target.mkdir()
    (seg,) = folder.glob("dicom/*_seg.dcm")
    command = [program("segimage2itkimage"), "--inputDICOM", str(seg), "--outputDirectory"]
    command += [str(target), "--outputType", "nii", "--prefix", "s"]
    subprocess.run(command, check=True, capture_output=True)
    (ours,) = folder.glob("*_seg.nii.gz")
    mask = nib.Nifti1Image.from_filename(ours)
    back = np.zeros(mask.shape, np.uint8)
    for path in target.glob("*.nii*"):
        image = nib.Nifti1Image.from_filename(path)
        marked = np.argwhere(np.asarray(image.dataobj) > 0)
        places = nib.affines.apply_affine(np.linalg.inv(mask.affine) @ image.affine, marked)
        assert np.abs(places - places.round()).max() < 0.01  # of a voxel
        back[tuple(places.round().astype(int).T)] = 1
    assert back.any()
    assert np.array_equal(back, np.asarray(mask.dataobj))


def test_dcmqi_gives_back_our_mask(folder: Path, tmp_path: Path) -> None:
    check_mask_given_back(folder, tmp_path / "back")


def test_the_seg_has_a_segment_for_each_lesion(folder: Path) -> None:
    (path,) = folder.glob("dicom/*_seg.dcm")
    seg, report = hd.seg.segread(path), report_of(folder)
    assert seg.segmentation_type is hd.seg.SegmentationTypeValues.BINARY
    assert list(seg.segment_numbers) == [lesion["id"] for lesion in report["lesions"]]
    for lesion in report["lesions"]:
        number = lesion["id"]
        described = seg.get_segment_description(number)
        assert described.segmented_property_type.value == "108369006"
        assert described.anatomic_regions[0].value == "12738006"
        algorithm = described.algorithm_identification
        assert algorithm is not None
        assert algorithm.version == report["model"]["weights_sha256"][:16]
        pixels = seg.get_pixels_by_source_instance(
            [each[2] for each in seg.get_source_image_uids()], segment_numbers=[number]
        )
        assert int(pixels.sum()) == lesion["voxels"]


LOBE_CODES = {
    "frontal": "83251001",
    "parietal": "16630005",
    "temporal": "78277001",
    "occipital": "31065004",
}
SIDE_CODES = {"7771000": "left", "24028007": "right"}


def found_sites(group: Any) -> list[tuple[str, str]]:
    """Where a group of measurements was found: lobe or brain, and its side."""
    sites = [item for item in group[0].ContentSequence if item.name.value == "363698007"]
    return [(site.value.value, SIDE_CODES[site.ContentSequence[0].value.value]) for site in sites]


def test_the_sr_says_what_the_report_says(folder: Path) -> None:
    (path,) = folder.glob("dicom/*_sr.dcm")
    document, report = hd.sr.srread(path), report_of(folder)
    content: Any = document.content
    groups = content.get_volumetric_roi_measurement_groups()
    seg = read_one(folder, "_seg.dcm")
    assert len(groups) == len(report["lesions"])
    for group, lesion in zip(groups, report["lesions"], strict=True):
        told = {each.name.value: each.value for each in group.get_measurements()}
        assert told["118565006"] == lesion["volume_ml"]
        assert told["103339001"] == lesion["longest_diameter_mm"]
        assert told["103340004"] == lesion["perpendicular_diameter_mm"]
        assert found_sites(group) == [
            (LOBE_CODES[name], lesion["side"])
            for name, share in lesion["lobes"].items()
            if name in LOBE_CODES and share >= 10
        ] or [("12738006", lesion["side"])]
        (segment,) = group.referenced_segment[0].ReferencedSOPSequence
        assert segment.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert segment.ReferencedSegmentNumber == lesion["id"]
    text = document.to_json()
    assert "Research use only" in text
    assert str(report["volume_ml"]) in text


def test_all_objects_join_the_study_of_the_source_and_say_research_use(folder: Path) -> None:
    source = pydicom.dcmread(sorted(STUDY.iterdir())[0])
    for path in all_objects(folder):
        made = pydicom.dcmread(path)
        assert made.StudyInstanceUID == source.StudyInstanceUID
        assert made.PatientName == source.PatientName
        assert made.PatientID == source.PatientID
        assert "research use only" in made.SeriesDescription
    assert read_one(folder, "_seg.dcm").FrameOfReferenceUID == source.FrameOfReferenceUID


def test_a_second_run_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    (again,) = segment_once([STUDY], tmp_path, "P", analysis_rules(ModelSettings()))
    assert again.folder is not None
    for one, other in zip(all_objects(folder), all_objects(again.folder), strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def write_for(volume: Volume, mask: np.ndarray[Any, Any], folder: Path) -> Note | None:
    """Write the objects of a mask that a phantom has; the reason for one that is missing."""
    probability = mask.astype(np.float32)
    segmentation = Segmentation(mask.astype(np.uint8), probability, 0.5)
    lesion = make_lesion(
        volume_ml=0.5,
        longest_diameter_mm=9.0,
        perpendicular_diameter_mm=4.0,
        side="left",
        lobes={"frontal": 60.0, "parietal": 31.0, "temporal": 9.0},
    )
    report = REPORT.changed(lesions=(lesion,))
    if not mask.any():
        report = REPORT.changed(finding="no_tumor", volume_ml=0.0)
    folder.mkdir(exist_ok=True)
    return write_objects(volume, segmentation, report, folder).doubt


def made_of(volume: Volume, mask: np.ndarray[Any, Any], folder: Path) -> Path:
    """The objects of a mask that a phantom has; none is missing."""
    assert write_for(volume, mask, folder) is None
    return folder


MASK = np.zeros(STORED.shape, bool)
MASK[3:6, 4:7, 2:5] = True


def test_without_tumor_there_is_an_sr_of_nothing_and_no_seg(tmp_path: Path) -> None:
    volume = read_dicom(write_series(tmp_path))
    made = made_of(volume, np.zeros_like(MASK), tmp_path / "out")
    assert not list(made.glob("dicom/*_seg.dcm"))
    assert len(list(made.glob("dicom/*_overlay/*.dcm"))) == 1
    (path,) = made.glob("dicom/*_sr.dcm")
    content: Any = hd.sr.srread(path).content
    (group,) = content.get_image_measurement_groups()
    assert group.get_measurements() == []
    assert group.finding_type.value == "111286", "no abnormality"
    assert errors_of(path) == []


def test_a_lesion_in_two_lobes_has_two_sites_in_the_sr(tmp_path: Path) -> None:
    made = made_of(read_dicom(write_series(tmp_path)), MASK, tmp_path / "out")
    (path,) = made.glob("dicom/*_sr.dcm")
    content: Any = hd.sr.srread(path).content
    (group,) = content.get_volumetric_roi_measurement_groups()
    assert found_sites(group) == [("83251001", "left"), ("16630005", "left")]
    assert errors_of(path) == []


def test_without_a_frame_of_reference_there_is_no_seg_and_it_is_said(tmp_path: Path) -> None:
    def forget(number: int, image: Dataset) -> None:
        del image.FrameOfReferenceUID

    volume = read_dicom(write_series(tmp_path, series=Series(change=forget)))
    assert "no_frame_of_reference" in codes(volume.notes)
    made = made_of(volume, MASK, tmp_path / "out")
    assert [path.name for path in sorted(made.glob("dicom/*.dcm"))] == ["s_sr.dcm"]


def test_names_in_any_character_set_are_handed_on(tmp_path: Path) -> None:
    def chinese(number: int, image: Dataset) -> None:
        image.SpecificCharacterSet, image.PatientName = "GB18030", "Wang^XiaoDong=王^小东"

    volume = read_dicom(write_series(tmp_path, series=Series(change=chinese)))
    for path in all_objects(made_of(volume, MASK, tmp_path / "out")):
        assert pydicom.dcmread(path).PatientName.ideographic == "王^小东", path.name


def test_a_slice_that_was_filled_in_has_no_frame(tmp_path: Path) -> None:
    tall = np.random.default_rng(3).integers(0, 999, (14, 10, 24)).astype(np.uint16)
    files = write_series(tmp_path, tall)
    volume = read_dicom(files[:7] + files[8:])
    mask = np.zeros(tall.shape, bool)
    mask[3:6, 4:7, 6:9] = True
    made = made_of(volume, mask, tmp_path / "out")
    assert read_one(made, "_seg.dcm").NumberOfFrames == 2


def test_an_enhanced_source_gets_a_seg_on_its_frames(tmp_path: Path) -> None:
    order = [3, 0, 5, 1, 4, 2]
    volume = read_dicom(write_enhanced(tmp_path / "one", order=order))
    made = made_of(volume, MASK, tmp_path / "out")
    (path,) = made.glob("dicom/*_seg.dcm")
    found = hd.seg.segread(path)
    frames = found.get_pixels_by_source_frame(
        str(pydicom.dcmread(tmp_path / "one").SOPInstanceUID),
        [order.index(k) + 1 for k in range(6)],
        segment_numbers=[1],
        assert_missing_frames_are_empty=True,
    )
    assert np.array_equal(frames[..., 0].transpose(2, 1, 0), MASK)


def test_planes_that_are_told_frame_by_frame_get_a_seg(tmp_path: Path) -> None:
    def move(number: int, group: Dataset) -> None:
        if number >= 0:
            group.PlaneOrientationSequence = items(
                ImageOrientationPatient=["1", "0", "0", "0", "1", "0"]
            )
            group.PixelMeasuresSequence = items(PixelSpacing=["0.9", "0.7"], SliceThickness="5")
        else:
            group.SharedFunctionalGroupsSequence = Sequence([Dataset()])

    tall = np.random.default_rng(3).integers(0, 999, (14, 10, 24)).astype(np.uint16)
    order = [n for n in range(24) if n != 7]  # and a slice is missing
    axial = np.diag([-0.7, -0.9, 5.0, 1.0])
    volume = read_dicom(write_enhanced(tmp_path / "one", tall, order, move, axial))
    mask = np.zeros(tall.shape, bool)
    mask[3:6, 4:7, 6:10] = True
    made = made_of(volume, mask, tmp_path / "out")
    assert read_one(made, "_seg.dcm").NumberOfFrames == 3


def test_classic_slices_that_differ_in_the_last_digits_get_a_seg(tmp_path: Path) -> None:
    def jitter(number: int, image: Dataset) -> None:
        image.ImageOrientationPatient = ["1", "0", "0", "0", "1", f"{number * 1e-6:.7f}"]
        del image.SliceThickness

    axial = np.diag([-0.9, -0.7, 5.0, 1.0])
    volume = read_dicom(write_series(tmp_path, affine=axial, series=Series(change=jitter)))
    assert list(made_of(volume, MASK, tmp_path / "out").glob("dicom/*_seg.dcm"))


def test_a_series_of_which_no_seg_can_be_made_says_so(tmp_path: Path) -> None:
    twice = np.concatenate([STORED, STORED + np.uint16(1)], axis=2)
    files = write_enhanced(tmp_path / "one", twice, change=second_echo)
    segmentation = Segmentation(MASK.astype(np.uint8), MASK.astype(np.float32), 0.5)
    (tmp_path / "out").mkdir()
    reason = write_objects(read_dicom(files), segmentation, REPORT, tmp_path / "out").doubt
    assert reason is not None
    assert not list((tmp_path / "out").glob("**/*_seg.dcm"))
    assert not (tmp_path / "out" / "objects").exists()


@pytest.mark.parametrize("tag", ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"])
def test_slices_that_were_joined_get_no_seg_and_no_wrong_reference(
    tag: str, tmp_path: Path
) -> None:
    files = write_series(
        tmp_path, series=Series(change=lambda number, image: setattr(image, tag, f"1.2.9.{number}"))
    )
    reason = write_for(read_dicom(files), MASK, tmp_path / "out")
    assert reason is not None
    assert reason.code == "no_dicom_seg"
    made = sorted((tmp_path / "out").rglob("*.dcm"))
    assert made
    assert not [path for path in made if path.name.endswith("_seg.dcm")]
    assert [errors_of(path) for path in made] == [[]] * len(made)
    sources = [pydicom.dcmread(path) for path in files]
    (study,) = {pydicom.dcmread(path).StudyInstanceUID for path in made}
    assert study in {source.StudyInstanceUID for source in sources}
    (sr,) = (pydicom.dcmread(path) for path in made if path.name.endswith("_sr.dcm"))
    named = {
        (each.StudyInstanceUID, series.SeriesInstanceUID, instance.ReferencedSOPInstanceUID)
        for name in ("CurrentRequestedProcedureEvidence", "PertinentOtherEvidence")
        for each in sr.get(f"{name}Sequence", ())
        for series in each.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert named == {(s.StudyInstanceUID, s.SeriesInstanceUID, s.SOPInstanceUID) for s in sources}


def test_a_study_without_a_number_gets_no_objects(tmp_path: Path) -> None:
    def forget(number: int, image: Dataset) -> None:
        del image.StudyInstanceUID

    volume = read_dicom(write_series(tmp_path, series=Series(change=forget)))
    segmentation = Segmentation(MASK.astype(np.uint8), MASK.astype(np.float32), 0.5)
    (tmp_path / "out").mkdir()
    reason = write_objects(volume, segmentation, REPORT, tmp_path / "out").doubt
    assert reason is not None
    assert "names no study" in reason.message
    assert list((tmp_path / "out").iterdir()) == []


def test_issuer_other_ids_and_time_zone_are_kept(tmp_path: Path) -> None:
    """An object that says no zone is read as of the reader's own; an id alone is anybody's."""

    def tell(number: int, image: Dataset) -> None:
        image.IssuerOfPatientID, image.TimezoneOffsetFromUTC = "HOSP_A", "+0900"
        image.OtherPatientIDsSequence = items(PatientID="OTHER1", IssuerOfPatientID="HOSP_B")

    volume = read_dicom(write_series(tmp_path, series=Series(change=tell)))
    made = made_of(volume, MASK, tmp_path / "out")
    objects = [pydicom.dcmread(path) for path in sorted(made.glob("dicom/**/*.dcm"))]
    assert {each.Modality for each in objects} == {"SEG", "SR", "OT"}
    for each in objects:
        assert each.IssuerOfPatientID == "HOSP_A"
        assert each.OtherPatientIDsSequence[0].PatientID == "OTHER1"
        assert each.OtherPatientIDsSequence[0].IssuerOfPatientID == "HOSP_B"
        assert each.TimezoneOffsetFromUTC == "+0900"
