"""All files of one analyzed scan, written into one folder; masks on the input's own grid."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray
from PIL import Image

from daemon.outputs.lesion_figures import save_lesions, save_planes
from daemon.outputs.overlay import save_montage, save_overlay
from daemon.outputs.pdf import write_pdf
from daemon.outputs.report_builder import save_report
from daemon.outputs.slice_rendering import display
from daemon.report import Report
from model.inference.segmentation import Segmentation
from model.reading.dicom.patient_tags import Identity
from model.reading.nifti_grid import MARK_BYTES, header_of
from model.volume import FloatArray, Kind, MaskArray, Volume

if TYPE_CHECKING:  # highdicom: only a worker needs it
    from daemon.outputs.dicom.comparison_objects import ComparedObjects
    from daemon.outputs.dicom.result_objects import Written

PACKED = 2  # level of ISA-L, which at this one is ten times as fast as zlib at its lowest


def save_mask(mask: MaskArray, volume: Volume, path: Path) -> None:
    """uint8 0/1 on the volume's grid, which its header tells as the scan's own does."""
    _save(mask.astype(np.uint8), volume, path)


def save_probability(probability: FloatArray, volume: Volume, path: Path) -> None:
    """float32 in [0, 1], on the volume's grid as a mask."""
    _save(probability, volume, path)


def save_series(volume: Volume, path: Path) -> None:
    """What was analyzed as float32 NIfTI without patient data, of DICOM slice by slice, in a header
    that every program reads in the same way."""
    _save(volume.voxels, replace(volume, nifti_header=b""), path)


def save_picture_mask(mask: MaskArray, path: Path) -> None:
    """The mask of a picture (columns, rows, 1) as a PNG of the same size: 0 or 255."""
    Image.fromarray(mask[:, :, 0].T * np.uint8(255)).save(path)


def _save(voxels: NDArray[np.generic], volume: Volume, path: Path) -> None:
    """A file whose header holds the grid and no more: the scan's own, bit for bit, of NIfTI."""
    header = header_of(volume.nifti_header) if volume.nifti_header else _in_mm(volume)
    header.set_data_dtype(voxels.dtype)
    header["vox_offset"] = header.template_dtype.itemsize + MARK_BYTES
    content = voxels.astype(header.get_data_dtype(), copy=False).tobytes(order="F")
    whole = header.binaryblock + bytes(MARK_BYTES) + content
    path.write_bytes(igzip.compress(whole, PACKED, mtime=0))


def _in_mm(volume: Volume) -> nib.Nifti1Header:
    """The grid of what is no NIfTI: units mm, scanner coordinates."""
    affine = volume.affine if volume.file_affine is None else volume.file_affine
    header = nib.Nifti1Header()
    header.set_data_shape(volume.shape)
    header.set_xyzt_units("mm")
    header.set_qform(affine, "scanner", strip_shears=True)
    header.set_sform(affine, "scanner")
    header["scl_slope"], header["scl_inter"] = 1, 0
    return header


def write_files(
    volume: Volume,
    segmentation: Segmentation | None,
    folder: Path,
    scan_id: str,
    save_probabilities: bool,
) -> None:
    """Mask and pictures of a scan; without a segmentation only a plain picture of it."""
    shown = display(volume, segmentation.mask if segmentation else None)
    save_overlay(shown, folder / f"{scan_id}_overlay.png")
    if volume.kind is Kind.DICOM or volume.needs_copy:
        save_series(volume, folder / f"{scan_id}_flair.nii.gz")
    if segmentation is None:
        return
    save_montage(shown, folder / f"{scan_id}_montage.png")
    if volume.kind is Kind.IMAGE:
        save_picture_mask(segmentation.mask, folder / f"{scan_id}_seg.png")
    else:
        save_mask(segmentation.mask, volume, folder / f"{scan_id}_seg.nii.gz")
    if save_probabilities:
        save_probability(segmentation.probability, volume, folder / f"{scan_id}_prob.nii.gz")


def write_views(volume: Volume, segmentation: Segmentation, report: Report, folder: Path) -> None:
    """What a analyzed scan's report speaks of, as pictures: each lesion, and three planes."""
    lesions = report.lesions
    save_lesions(volume, segmentation.mask, report, folder)
    if not volume.is_picture:
        centre = lesions[0].centroid_ras_mm if lesions else None
        path = folder / f"{report.scan_id}_planes.png"
        save_planes(volume, segmentation.mask, centre, path)


def write_report(
    report: Report,
    patient: Identity,
    folder: Path,
    written: "Written | ComparedObjects | None" = None,
) -> None:
    """The report for people, which names the patient, as a file and among the DICOM objects that
    were written, and the one for machines.

    That one comes last: a folder that holds it holds everything.
    """
    name = report.scan_id
    write_pdf(report, patient, folder)
    if written:
        written.add_page(report, folder / f"{name}_report.pdf")
    save_report(report, folder / f"{name}_report.json")
