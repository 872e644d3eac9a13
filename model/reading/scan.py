"""The door for every kind of scan: files in, one Volume out."""

from pathlib import Path

from model.errors import UnreadableScan
from model.reading.dicom import read_dicom
from model.reading.flair_rules import RULES, FlairRules
from model.reading.kinds import kind_by_name
from model.reading.nifti import read_nifti
from model.reading.pictures import read_picture
from model.volume import Kind, Scan, Volume


def scan_at(path: Path) -> Scan:
    """The scan in a file, or in a folder of DICOM files; nothing is opened."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return Scan(Kind.DICOM, tuple(files))
    return Scan(kind_by_name(path.name), (path,))


def read(scan: Scan, rules: FlairRules = RULES) -> Volume:
    """Open the files of one scan. Raises UnreadableScan with the reason in one sentence.

    rules: how the FLAIR among the series of a DICOM study is told.
    """
    if not scan.files:
        raise UnreadableScan("There is no file to read.")
    try:
        match scan.kind:
            case Kind.NIFTI:
                return read_nifti(scan.files[0])
            case Kind.IMAGE:
                return read_picture(scan.files[0])
            case Kind.DICOM:
                return read_dicom(scan.files, rules)
    except MemoryError:
        raise UnreadableScan("The scan is too large for this machine's memory.") from None
