"""The door for every kind of scan: files in, one Volume out."""

from model.errors import UnreadableScan
from model.reading.dicom import read_dicom
from model.reading.nifti import read_nifti
from model.reading.pictures import read_picture
from model.volume import Kind, Scan, Volume


def read(scan: Scan) -> Volume:
    """Open the files of one scan. Raises UnreadableScan with the reason in one sentence."""
    if not scan.files:
        raise UnreadableScan("There is no file to read.")
    try:
        match scan.kind:
            case Kind.NIFTI:
                return read_nifti(scan.files[0])
            case Kind.IMAGE:
                return read_picture(scan.files[0])
            case Kind.DICOM:
                return read_dicom(scan.files)
    except MemoryError:
        raise UnreadableScan("The scan is too large for this machine's memory.") from None
