"""DICOM files made anew: made-up names in every tag, and not one of them in what comes out."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR, keyword_dict, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, RLELossless, SecondaryCaptureImageStorage

from daemon.outputs.deidentified.headers import Cleaner
from daemon.outputs.deidentified.kept_elements import KEPT, Form, Vocabulary
from daemon.outputs.deidentified.sources import LeftOut, Sources, write_sources
from daemon.outputs.tables import Hidden
from model.reading.read import read, scan_at
from model.rules import RULES
from tests.conftest import ROOT
from tests.phantoms.dicom_series import STORED, Series, write_series

MARK, REAL_ID, BORN, TAKEN = "ZZNAME", "48151623", "19410203", "20240131"
NAMING = Hidden(b"s" * 32)
TABLE = Path(__file__).parent / "ps3.15_table_e1-1.txt"
TEXTS = {  # a value with the mark for each text-like representation, as scanners would write it
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "CS", "AE", "UR"), MARK),
    **{"DA": BORN, "DT": f"{BORN}101112", "UI": "1.2.3.48151623", "AS": "083Y"},
    **dict.fromkeys(("OB", "UN"), MARK.encode()),
}
SPARED = {0x00080018, 0x0020000D, 0x0020000E, 0x00080016, 0x00200052}  # numbers that the test needs


def marked(depth: int = 1) -> Dataset:
    """A data set with every element of the standard that can hold text, and sequences of them."""
    names = Dataset()
    for tag in keyword_dict.values():
        vr, group = dictionary_VR(tag), tag >> 16
        if group in (0x0000, 0x0002, 0x0004, 0xFFFE, 0x7FE0) or tag in SPARED:
            continue
        if vr in TEXTS:
            names.add_new(tag, vr, TEXTS[vr])
        elif vr == "SQ" and depth:
            names.add_new(tag, "SQ", [inner()])
    for group in (0x0009, 0x0029, 0x2001, 0x7FE1):
        names.private_block(group, MARK, create=True).add_new(1, "LO", MARK)
    for tag in (0x60000022, 0x50002500, 0x60003000):  # overlays and curves
        names.add_new(
            tag, "OW" if tag == 0x60003000 else "LO", MARK.encode() if tag == 0x60003000 else MARK
        )
    return names


def inner() -> Dataset:
    """An item of a sequence with names in it."""
    item = Dataset()
    item.PatientName, item.PatientID, item.PatientComments = MARK, REAL_ID, MARK
    item.StudyDate, item.ReferencedSOPInstanceUID = TAKEN, "1.2.3.48151623"
    item.private_block(0x0009, MARK, create=True).add_new(1, "LO", MARK)
    return item


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series with names wherever names can be; the pixels' unused bits hold some as well."""
    folder = tmp_path_factory.mktemp("hostile") / MARK
    folder.mkdir()
    names = marked()

    def change(number: int, image: Dataset) -> None:
        for element in names:
            is_needed = element.keyword in ("Modality", "PhotometricInterpretation")
            if not is_needed and (element.tag not in image or element.VR in ("PN", "LO", "SH")):
                image[element.tag] = element
        image.SeriesDescription = f"t2 FLAIR {MARK} tra {REAL_ID}"
        image.ImageType = ["ORIGINAL", "PRIMARY", MARK]
        image.PatientID, image.PatientName, image.PatientBirthDate = REAL_ID, MARK, BORN
        image.StudyDate = image.AcquisitionDate = TAKEN
        image.AcquisitionDateTime = f"{TAKEN}1011{number:02d}"
        image.AcquisitionTime = f"1011{number:02d}"
        image.EchoTime, image.InversionTime = "120", "2500"
        image.BurnedInAnnotation = "NO"
        for keyword in ("SpecificCharacterSet", "ConversionType", "BodyPartExamined"):
            if keyword in image:
                del image[keyword]
        image.ReferencedImageSequence = [inner()]
        image.file_meta.SourceApplicationEntityTitle = MARK
        image.file_meta.PrivateInformationCreatorUID = UID("1.2.3.48151623")
        image.file_meta.PrivateInformation = MARK.encode()
        image.preamble = MARK.encode().ljust(128, b"\0")
        image.BitsStored, image.HighBit = 12, 11
        stored = np.frombuffer(image.PixelData, "<u2").copy()
        stored[:6] |= np.uint16(0xF000)  # an overlay in the bits that are not used
        image.PixelData = stored.tobytes() + MARK.encode() * 2

    write_series(folder, series=Series(change=change))
    for file in folder.iterdir():
        with file.open("ab") as stream:
            stream.write(MARK.encode())
    return folder


@pytest.fixture(scope="module")
def cleaned(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "case"
    done = write_sources(sorted(hostile.iterdir()), REAL_ID, NAMING, RULES, folder)
    assert done == Sources(STORED.shape[2], done.left_out)
    assert not done.left_out.total()
    return folder


def test_no_name_comes_out_of_any_tag(hostile: Path, cleaned: Path) -> None:
    before = b"".join(file.read_bytes() for file in hostile.iterdir())
    files = [file for file in cleaned.rglob("*") if file.is_file()]
    after = b"".join(file.read_bytes() for file in files)
    names = "\n".join(str(file.relative_to(cleaned)) for file in files).encode()
    for secret in (MARK, MARK.lower(), REAL_ID, BORN, TAKEN, "1.2.3.4"):
        assert secret.lower() in before.decode("latin-1").lower()
        assert secret.encode() not in after + names
    assert before.count(MARK.encode()) > 3000  # every text-like tag of the standard had one


def test_it_is_still_the_same_scan(hostile: Path, cleaned: Path) -> None:
    was, now = read(scan_at(hostile)), read(scan_at(cleaned))
    assert np.array_equal(was.voxels, now.voxels)
    assert np.allclose(was.affine, now.affine, atol=1e-9)
    assert now.description == "t2 flair tra"
    assert now.acquired_at is not None
    assert now.acquired_at[:10] == NAMING.moment(REAL_ID, "2024-01-31")
    assert [series.chosen for series in now.series] == [True]


def test_numbers_are_others_and_agree(hostile: Path, cleaned: Path) -> None:
    headers = [pydicom.dcmread(file) for file in sorted(cleaned.rglob("*.dcm"))]
    assert len({header.StudyInstanceUID for header in headers}) == 1
    assert len({header.SeriesInstanceUID for header in headers}) == 1
    assert len({header.SOPInstanceUID for header in headers}) == len(headers)
    (reference,) = headers[0].ReferencedImageSequence
    cleaner = Cleaner(NAMING, REAL_ID, 0.0, Vocabulary(RULES))
    assert reference.ReferencedSOPInstanceUID == cleaner.other_uid("1.2.3.48151623")
    assert "PatientName" not in reference
    was = {pydicom.dcmread(file).SOPInstanceUID for file in hostile.iterdir()}
    assert {header.SOPInstanceUID for header in headers} == {cleaner.other_uid(uid) for uid in was}
    for header in headers:
        assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
        assert header.preamble == bytes(128)


def test_it_says_what_was_done(cleaned: Path) -> None:
    header = pydicom.dcmread(next(cleaned.rglob("*.dcm")))
    assert header.PatientIdentityRemoved == "YES"
    assert header.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in header.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107"]
    assert header.PatientID == header.PatientName == NAMING.patient(REAL_ID)
    assert not any(element.tag.is_private for element in header)
    assert not any(element.tag.group >> 8 in (0x50, 0x60) for element in header)


def test_the_list_holds_nothing_that_the_standard_takes_away_as_it_is() -> None:
    changed = {Form.UID, Form.DATE, Form.TIME, Form.MOMENT, Form.WORDS, Form.CONTRAST, Form.ITEMS}
    lines = [line.split() for line in TABLE.read_text().splitlines() if line[0] != "#"]
    listed = {Tag(int(group, 16), int(element, 16)) for group, element, _ in lines}
    assert len(listed) > 600
    for keyword, form in KEPT.items():
        assert keyword in keyword_dict, keyword
        if Tag(tag_for_keyword(keyword) or 0) in listed:
            assert form in changed, keyword


def left_out(folder: Path, change: Any, **series: Any) -> LeftOut:
    folder.mkdir()
    files = write_series(folder, series=Series(change=change, **series))
    done = write_sources(files, REAL_ID, NAMING, RULES, folder / "out")
    assert done.written == 0
    assert not (folder / "out").exists()
    (reason,) = done.left_out
    return reason


def test_what_may_show_a_name_is_left_out(tmp_path: Path) -> None:
    def burned_in(_: int, image: Dataset) -> None:
        image.BurnedInAnnotation = "YES"

    def capture(_: int, image: Dataset) -> None:
        image.SOPClassUID = SecondaryCaptureImageStorage

    def screen(_: int, image: Dataset) -> None:
        image.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]

    def nameless(_: int, image: Dataset) -> None:
        del image.SeriesInstanceUID

    def packed_wrongly(_: int, image: Dataset) -> None:
        image.PixelData = image.PixelData[:10]

    assert left_out(tmp_path / "a", burned_in) is LeftOut.TEXT_INSIDE
    assert left_out(tmp_path / "b", capture) is LeftOut.NO_PICTURE
    assert left_out(tmp_path / "c", screen) is LeftOut.TEXT_INSIDE
    assert left_out(tmp_path / "d", nameless) is LeftOut.DAMAGED
    assert left_out(tmp_path / "e", packed_wrongly) is LeftOut.DAMAGED
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4 Dear Mrs. " + MARK.encode())
    done = write_sources([tmp_path / "letter.pdf"], REAL_ID, NAMING, RULES, tmp_path / "out")
    assert done.left_out == {LeftOut.NO_DICOM: 1}


def test_packed_pictures_are_unpacked(tmp_path: Path) -> None:
    """A packed picture may carry remarks of its own."""
    for file in write_series(tmp_path):
        image = pydicom.dcmread(file)
        image.compress(RLELossless)
        image.save_as(file)
    before = read(scan_at(tmp_path))
    out = tmp_path.parent / f"{tmp_path.name}-out"
    write_sources(sorted(tmp_path.iterdir()), REAL_ID, NAMING, RULES, out)
    assert np.array_equal(before.voxels, read(scan_at(out)).voxels)
    assert not any(
        pydicom.dcmread(file).file_meta.TransferSyntaxUID.is_compressed
        for file in out.rglob("*.dcm")
    )


def test_padding_that_needs_more_bits_than_are_stored_stays(tmp_path: Path) -> None:
    def change(_: int, image: Dataset) -> None:
        image.BitsStored, image.HighBit, image.PixelPaddingValue = 12, 11, 0x8000
        stored = np.frombuffer(image.PixelData, "<u2").copy()
        stored[:20] = 0x8000
        image.PixelData = stored.tobytes()

    write_series(tmp_path, series=Series(change=change))
    before = read(scan_at(tmp_path))
    out = tmp_path.parent / f"{tmp_path.name}-out"
    write_sources(sorted(tmp_path.iterdir()), REAL_ID, NAMING, RULES, out)
    assert np.array_equal(before.voxels, read(scan_at(out)).voxels)


@pytest.mark.parametrize("name", ["d2n_noise_siemens_multiframe_anatomical_001"])
def test_enhanced_files_read_the_same(name: str, tmp_path: Path) -> None:
    folder = ROOT.parent / "shared" / "data" / "dicom" / name
    if not folder.exists():
        pytest.skip("the shared scans are not here")
    files = [file for file in folder.rglob("*") if file.is_file()]
    done = write_sources(files, REAL_ID, NAMING, RULES, tmp_path / "out")
    assert done.written
    assert np.array_equal(read(scan_at(folder)).voxels, read(scan_at(tmp_path / "out")).voxels)
