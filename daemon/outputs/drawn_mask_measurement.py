"""A drawn mask measured by the functions that measure a published one, in a worker's process."""

import tempfile
from pathlib import Path

import numpy as np

from daemon.outputs.drawn_mask_wording import MOST_LESIONS, DrawnFigures, DrawnLesion
from daemon.outputs.report_builder import measurements, pixel_mm2
from daemon.outputs.wording import diameter_words, lesion_size, size_words
from model.catalogue import text
from model.errors import MaskError
from model.measurement.findings import measure
from model.reading.nifti import geometry_of, read_nifti
from model.reading.nifti_grid import SAME_MM
from model.reading.read import with_spacing
from model.rules import Spacing


def measure_drawn(published: Path, content: bytes, spacing: Spacing | None) -> DrawnFigures:
    """See `drawn_figures`. The side is not looked for: it needs the head, which is not read."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "drawn.nii.gz"
        path.write_bytes(content)
        _check_grid(path, published)
        drawn = with_spacing(read_nifti(path), spacing)
    if not np.isin(drawn.voxels, (0, 1)).all():
        raise MaskError(text("mask.not_binary"))
    findings = measure(drawn.voxels.astype(np.uint8), drawn.affine, None)
    measured = measurements(findings, None, drawn.scale, drawn.is_picture, pixel_mm2(drawn))
    lesions = tuple(
        DrawnLesion(each.id, lesion_size(each), diameter_words(each))
        for each in measured.lesions[:MOST_LESIONS]
    )
    return DrawnFigures(findings.voxels, size_words(measured), len(measured.lesions), lesions)


def _check_grid(drawn: Path, published: Path) -> None:
    """Before the voxels are taken as numbers. Raises MaskError, UnreadableScan."""
    own, known = geometry_of(drawn), geometry_of(published)
    if own.shape != known.shape or not np.allclose(own.affine, known.affine, atol=SAME_MM):
        raise MaskError(text("mask.other_grid"))
