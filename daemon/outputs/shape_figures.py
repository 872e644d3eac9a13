"""What a hand-drawn shape measures on a published scan, and in words; the viewer asks here."""

from dataclasses import dataclass
from pathlib import Path

from daemon.outputs.catalogue import text
from daemon.report import Report
from model.drawn_shapes import Drawn, Figures, Place

FEW, SOME = 10.0, 1000.0  # values below are told with more digits


@dataclass(frozen=True)
class Grid:
    """The voxels that a page shows. file: NIfTI; axis: across the slices; spacing: mm along i, j,
    k, None without a scale; sides_known: whether a place in the patient is known.
    """

    file: Path
    axis: int
    spacing: tuple[float, float, float] | None
    sides_known: bool


def grid_on(report: Report, file: Path) -> Grid | None:
    """Of a scan's file, as its report tells; None where the report tells no slices."""
    if report.slices is None:
        return None
    i, j, k = report.input.spacing_mm or (None, None, None)
    spacing = (i, j, k) if i is not None and j is not None and k is not None else None
    return Grid(file, report.slices.axis, spacing, report.input.orientation is not None)


def shape_figures(grid: Grid, drawn: Drawn) -> Figures:
    """Measure a shape, inside a worker. Raises ShapeError or UnreadableScan, with the reason."""
    from model.measurement.hand_measurements import (  # only the process that measures needs numpy
        measure_shape,
        scaled,
    )
    from model.reading.nifti import read_nifti

    volume = read_nifti(grid.file)
    affine = scaled(volume.affine, grid.spacing)
    return measure_shape(volume.voxels, affine, grid.axis, drawn, grid.sides_known)


def shape_words(figures: Figures, is_assumed: bool) -> list[str]:
    """A line for each thing that was measured. is_assumed: whether the file does not say mm."""
    lines = []
    if figures.length_mm is not None:
        lines.append(text("measuring.length", mm=figures.length_mm))
    if figures.angle_degrees is not None:
        lines.append(text("measuring.angle", degrees=figures.angle_degrees))
    if figures.mean is not None and figures.sd is not None:
        mean, sd = number_words(figures.mean), number_words(figures.sd)
        lines.append(text("measuring.mean", mean=mean, sd=sd, count=figures.voxels))
    if figures.area_mm2 is not None:
        lines.append(text("measuring.area", mm2=figures.area_mm2))
    if figures.value is not None:
        lines.append(text("measuring.value", value=number_words(figures.value)))
    if figures.place is not None:
        lines.append(text("measuring.place", place=place_in_words(figures.place)))
    has_mm = (figures.length_mm, figures.area_mm2, figures.place) != (None, None, None)
    return [*lines, text("measuring.assumed")] if is_assumed and has_mm else lines


def number_words(value: float) -> str:
    """A grey value with as many digits as it is worth."""
    digits = 2 if abs(value) < FEW else 1 if abs(value) < SOME else 0
    return f"{value:.{digits}f}"


def place_in_words(place: Place) -> str:
    """RAS mm by the patient's own directions, as the canvas tells them."""
    ends = (("R", "L"), ("A", "P"), ("S", "I"))
    parts = zip(ends, place, strict=True)
    return " ".join(f"{minus if mm < 0 else plus} {abs(mm):.1f}" for (plus, minus), mm in parts)
