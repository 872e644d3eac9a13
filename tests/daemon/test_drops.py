"""Folder and file names made from what people and scanners write are safe, and never collide."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.drops import MAX_NAME_BYTES, UNASSIGNED, file_name, folder_name, readable

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@given(TEXT)
def test_a_patients_folder_is_one_safe_name(patient_id: str) -> None:
    name = folder_name(patient_id)
    assert name
    assert "/" not in name
    assert "\0" not in name
    assert not name.startswith(".")
    assert len(name.encode()) <= MAX_NAME_BYTES


@given(TEXT, TEXT)
def test_different_ids_never_share_a_folder(first: str, second: str) -> None:
    names = folder_name(first), folder_name(second)
    if first != second and UNASSIGNED not in names:
        assert names[0] != names[1]


def test_common_ids_stay_as_they_are() -> None:
    for plain in ("TCGA-FG-6692", "5Yp0E", "Müller_3", "患者1", "A B"):
        assert folder_name(plain) == plain
    assert folder_name("A/1") == "A%2F1"
    assert folder_name("..") == "%2E."
    assert folder_name("") == UNASSIGNED
    # what would not be looked into, or would wait for ever
    assert folder_name("@eaDir") == "@eaDi%72"
    assert folder_name("lost+found") == "lost+foun%64"
    assert folder_name("12.part") == "12.par%74"
    assert folder_name("~$7") == "%7E$%37"


@given(st.text(max_size=400))
def test_an_uploaded_name_is_a_bare_name(claimed: str) -> None:
    name = file_name(claimed)
    assert name
    assert "/" not in name
    assert "\\" not in name
    assert "\0" not in name
    assert not name.startswith(".")
    assert len(name.encode()) <= MAX_NAME_BYTES


def test_an_uploaded_name_keeps_its_ending() -> None:
    assert file_name("../../etc/x.nii.gz") == "x.nii.gz"
    assert file_name("C:\\scans\\Müller 3.png") == "Müller 3.png"
    assert file_name("a" * 300 + ".nii.gz").endswith("a.nii.gz")


def test_bytes_that_are_no_text_are_shown() -> None:
    assert readable(b"a\xffb") == "a\\xffb"
