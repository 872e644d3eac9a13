"""Masks that somebody else drew or made, measured like our own."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model.catalogue import text
from model.errors import MaskError
from model.measurement.findings import Findings, measure
from model.measurement.lobes import Lobes, lobes_of
from model.measurement.midline_shift import midline_shift
from model.measurement.midplane import midplane_of_grid, midplane_of_head
from model.reading.nifti import read_nifti
from model.reading.nifti_grid import lies_on
from model.volume import FloatArray, MaskArray, Volume

MOST_LABELS = 32  # of one file; a grey picture has more values, and BraTS has three


@dataclass(frozen=True)
class MeasuredMask:
    """A mask's findings, and the volume on whose grid they lie: the scan's where it was given.

    lobes: where its lesions lie, if the scan was given.
    """

    volume: Volume
    findings: Findings
    lobes: Lobes | None


def measure_mask(mask_file: Path, scan: Volume | None = None) -> MeasuredMask:
    """Measure a NIfTI mask: any label above 0 is tumor.

    With the scan on the same grid, place, unit of length and doubts are the scan's, as in a report;
    without it, sides come from x = 0, if that lies in the middle fifth of the grid.
    Raises MaskError for values that are no labels or another grid, UnreadableScan else.
    """
    drawn = read_nifti(mask_file)
    _check_labels(drawn.voxels)
    mask = (drawn.voxels > 0).astype(np.uint8)
    if scan is None:
        plane = midplane_of_grid(drawn.shape, drawn.affine) if drawn.sides_known else None
        return MeasuredMask(drawn, measure(mask, drawn.affine, plane, None, drawn.notes), None)
    if not lies_on(drawn, scan):
        raise MaskError(text("mask.grids_differ"))
    return MeasuredMask(scan, findings_on(scan, mask), lobes_of(scan, mask))


def _check_labels(values: FloatArray) -> None:
    """Whole numbers from 0 on, and few of them: what is marked must differ from a grey picture."""
    if (values != np.round(values)).any() or values.min() < 0:
        raise MaskError(text("mask.no_labels"))
    labels = np.unique(values)
    if labels[0] > 0:
        raise MaskError(text("mask.all_marked"))
    if len(labels) > MOST_LABELS:
        raise MaskError(text("mask.grey", count=len(labels)))


def findings_on(scan: Volume, mask: MaskArray) -> Findings:
    """Measurements of a mask that no network made, on its scan's own grid: uint8 0/1 (i, j, k)."""
    head = midplane_of_head(scan)
    findings = measure(mask, scan.affine, head, None, scan.notes)
    return replace(findings, shift=midline_shift(scan, mask, head))
