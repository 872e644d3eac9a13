"""All files of one judged scan, written into one folder."""

from pathlib import Path
from typing import Any

from daemon.outputs.display import display
from daemon.outputs.lesion_pictures import save_lesions
from daemon.outputs.masks import save_mask, save_picture_mask, save_probability, save_series
from daemon.outputs.pdf import write_pdf
from daemon.outputs.pictures import save_montage, save_overlay
from daemon.outputs.planes import save_planes
from daemon.outputs.report import save_report
from model.inference.segmentation import Segmentation
from model.reading.dicom.patient_tags import Identity
from model.volume import Kind, Volume


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
    if volume.kind is Kind.DICOM:
        save_series(volume, folder / f"{scan_id}_flair.nii.gz")
    if segmentation is None:
        return
    save_montage(shown, folder / f"{scan_id}_montage.png")
    affine = volume.affine if volume.file_affine is None else volume.file_affine
    if volume.kind is Kind.IMAGE:
        save_picture_mask(segmentation.mask, folder / f"{scan_id}_seg.png")
    else:
        save_mask(segmentation.mask, affine, folder / f"{scan_id}_seg.nii.gz")
    if save_probabilities:
        save_probability(segmentation.probability, affine, folder / f"{scan_id}_prob.nii.gz")


def write_views(
    volume: Volume, segmentation: Segmentation, report: dict[str, Any], folder: Path
) -> None:
    """What a judged scan's report speaks of, as pictures: each lesion, and three planes."""
    lesions = report["lesions"]
    save_lesions(volume, segmentation.mask, report, folder)
    if not volume.is_picture:
        centre = lesions[0]["centroid_ras_mm"] if lesions else None
        path = folder / f"{report['scan_id']}_planes.png"
        save_planes(volume, segmentation.mask, centre, path)


def write_report(report: dict[str, Any], patient: Identity, folder: Path) -> None:
    """The report for people, which names the patient, and the one for machines.

    That one comes last: a folder that holds it holds everything.
    """
    name = report["scan_id"]
    write_pdf(report, patient, folder)
    save_report(report, folder / f"{name}_report.json")
