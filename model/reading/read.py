"""The way in for every kind of scan: files in, one Volume out."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.study import read_dicom
from model.reading.images import read_picture
from model.reading.nifti import read_nifti
from model.rules import RULES, FlairRules, Spacing, kind_by_name
from model.volume import Kind, Scale, Scan, Volume, note


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
        raise UnreadableScan(text("reading.no_file"))
    try:
        match scan.kind:
            case Kind.NIFTI:
                return read_nifti(scan.files[0])
            case Kind.IMAGE:
                return read_picture(scan.files[0])
            case Kind.DICOM:
                return read_dicom(scan.files, rules)
    except MemoryError:
        raise UnreadableScan(text("reading.out_of_memory")) from None


NO_SCALE_CODES = ("no_scale", "units_unknown")  # what the reader says of a scan without a scale


def with_spacing(volume: Volume, spacing: Spacing | None) -> Volume:
    """The volume in these millimetres; as it is, where its file has a scale of its own.

    A volume without a distance between its slices keeps its file's word: half a scale is none.
    """
    is_picture = volume.kind is Kind.IMAGE
    if spacing is None or volume.scale is Scale.DECLARED:
        return volume
    if spacing.between is None and not is_picture:
        return volume
    between = volume.slice_axis
    wanted = np.array(volume.spacing)
    wanted[[axis for axis in range(3) if axis != between]] = spacing.across, spacing.down
    wanted[between] = spacing.between or wanted[between]
    affine = volume.affine.copy()
    affine[:3, :3] *= wanted / np.array(volume.spacing)
    notes = tuple(note for note in volume.notes if note.code not in NO_SCALE_CODES)
    notes += (note("spacing_entered"),)
    notes += (note("orientation_unknown"),) if is_picture else ()
    return replace(
        volume, affine=affine, file_affine=volume.affine, scale=Scale.DECLARED, notes=notes
    )
