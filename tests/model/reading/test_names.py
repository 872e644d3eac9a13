"""Names of what systems and tools make, and of running transfers; and the names of scans beside."""

import pytest

from model.reading.names import is_in_transfer, is_left_out, is_sidecar, is_transfer

LEFT_OUT = [
    *("@eaDir/scan.nii.gz@SynoEAStream", "P/@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "#recycle/a"),
    *("P/.AppleDouble/a.nii", "__MACOSX/P/._a.nii", "System Volume Information/x", ".git/HEAD"),
    *(
        "P/lost+found/x",
        "$RECYCLE.BIN/x",
        ".Trashes/x",
        ".snapshot/a.nii",
        "@Recycle/x",
        "@RECYCLE/x",
    ),
    *("P/._a.nii", "P/.DS_Store", "desktop.ini", "THUMBS.DB", "a.dcm:Zone.Identifier", "~$a.nii"),
]
TRANSFERS = [
    *("a.nii.gz.filepart", "a.nii.part", "a.zip.crdownload", "A.ZIP.CRDOWNLOAD", "a.nii.download"),
    *("a.nii.!ut", "IM1.dcm.partial", "IM1.0a1b2c3d.partial", ".IM1.dcm.aB3dE6", ".a.nii.part"),
    *("a.nii.aria2", ".in.a.nii.", "P/.~tmp~/a.nii", ".rsync-partial/IM1", "a.nii.download/a.nii"),
]
SCANS = ["a.nii.gz", "P/s/IM0001", "P/part/IM1", "download/a.nii", "P/1.2.840.113619", "tmp/IM1"]


@pytest.mark.parametrize("path", LEFT_OUT)
def test_what_systems_and_tools_make_is_left_out(path: str) -> None:
    assert is_left_out(path)
    assert not is_in_transfer(path)


@pytest.mark.parametrize("path", TRANSFERS)
def test_running_transfers_wait(path: str) -> None:
    assert is_in_transfer(path)
    assert not is_left_out(path)


@pytest.mark.parametrize("path", SCANS)
def test_scans_do_neither(path: str) -> None:
    assert not is_in_transfer(path)
    assert not is_left_out(path)


def test_hidden_names_that_rsync_does_not_make() -> None:
    assert not any(is_transfer(name) for name in (".a.config", ".bashrc", ".1.2", ".a.nii.gz"))
    assert not is_sidecar(".bashrc")
    assert is_left_out(".a.config")
