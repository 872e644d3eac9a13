"""The whole analysis of one volume: may it be analyzed at all, then mask and measurements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model.inference.completeness import why_incomplete
from model.inference.preprocessing import prepare
from model.inference.segmentation import Rules, Segmentation, segment
from model.measurement.findings import Finding, Findings, measure
from model.measurement.midline_shift import midline_shift
from model.measurement.midplane import midplane_of_head
from model.rules import INCOMPLETE
from model.volume import FEW, Kind, Note, Scale, Volume, axial_axis, note
from model.weights_config import STANDARD, InputClass

if TYPE_CHECKING:
    from model.inference.input_check import InputCheck
    from model.network.network import Network


SMALLEST_SIDE = 24  # voxels of the second longest axis
THICK_MM = 2.5  # slices this thick cannot be seen from another side
THICK_RATIO = 2.0  # and in pixel sizes as well, where the unit of length is only assumed
LOW_CONFIDENCE = 0.75  # expected Dice below which a mask is flagged
REFUSALS = {
    InputClass.CONTRAST: "not_flair",
    InputClass.VIEW: "not_axial",
    InputClass.NO_HEAD: "no_head",
}
DATE_UNKNOWN = "date_unknown"  # code of a note
MANY, MOST_IN_ONE = 3, 0.75  # pieces, share: no drawn mask of 85 glioma patients is so scattered


@dataclass(frozen=True)
class Analysis:
    """segmentation is None exactly when the finding is `not_judged`."""

    findings: Findings
    segmentation: Segmentation | None


def analyze_first(
    volumes: Iterable[Volume],
    network: "Network",
    rules: Rules,
    input_check: "InputCheck | None",
) -> tuple[Volume, Analysis]:
    """The first of several volumes of one scan that can be analyzed; else the first of them.

    In its list of series those that went before say why they could not be.
    """
    refused: list[tuple[Volume, Analysis]] = []
    for volume in volumes:
        analysis = analyze(volume, network, rules, input_check)
        if analysis.segmentation is not None:
            return _after(volume, analysis, refused)
        refused.append((volume, analysis))
    return refused[0]


def _after(
    volume: Volume, analysis: Analysis, refused: list[tuple[Volume, Analysis]]
) -> tuple[Volume, Analysis]:
    """What was analyzed, with what became of the volumes before it."""
    if not refused:
        return volume, analysis
    series = list(volume.series)
    for before, why in refused:
        chosen = next(number for number, each in enumerate(before.series) if each.chosen)
        series[chosen] = replace(series[chosen], reason=why.findings.notes[0].message)
    notes = (*analysis.findings.notes, note("next_series"))
    findings = replace(analysis.findings, notes=notes)
    return replace(volume, series=tuple(series)), replace(analysis, findings=findings)


def analyze(
    volume: Volume, network: "Network", rules: Rules, input_check: "InputCheck | None"
) -> Analysis:
    """Segment and measure a volume, unless it is nothing to analyze.

    That is known to its reader, or seen from its shape, or by the input check; None lets all in.
    """
    notes = _doubts(volume)
    unfit = volume.unfit or _nothing_to_see(volume)
    if unfit is not None:
        return _refused(unfit, notes)
    prepared = prepare(volume, network.preparation)
    standard = prepared if network.preparation == STANDARD else prepare(volume, STANDARD)
    seen = input_check.seen(standard) if input_check else InputClass.FLAIR
    if seen is not InputClass.FLAIR:
        return _refused(note(REFUSALS[seen]), notes)
    if (missing := why_incomplete(volume, standard)) is not None:
        notes += (missing,)
    if _is_off_axial(volume):
        notes += (note("turned_to_axial"),)
    segmentation = segment(volume, prepared, network, rules)
    trust = None if volume.is_picture else segmentation.trust  # it was measured on volumes
    if trust is not None and trust.confidence < LOW_CONFIDENCE:
        notes += (note("low_confidence"),)
    plane, mask = midplane_of_head(volume), segmentation.mask
    findings = measure(mask, volume.affine, plane, segmentation.probability, notes)
    if volume.kind is Kind.DICOM and volume.is_picture:
        if findings.finding is not Finding.TUMOR:
            return _refused(note("too_few_slices"), notes)
        notes += (note(INCOMPLETE, "few_of_a_series"),)
    sizes = [lesion.voxels for lesion in findings.lesions]
    notes += (note("several_places"),) if is_scattered(sizes) else ()
    shift = midline_shift(volume, mask, plane)
    return Analysis(replace(findings, trust=trust, notes=notes, shift=shift), segmentation)


def is_scattered(sizes: Sequence[int]) -> bool:
    """Whether pieces of these sizes are many, and none is most of them together."""
    return len(sizes) >= MANY and max(sizes) < MOST_IN_ONE * sum(sizes)


def _refused(why: Note, notes: tuple[Note, ...]) -> Analysis:
    return Analysis(Findings(Finding.NOT_ANALYZED, (), (why, *notes)), None)


def _nothing_to_see(volume: Volume) -> Note | None:
    """Why it cannot be analyzed, by its shape and voxels alone."""
    if sorted(volume.shape)[1] < SMALLEST_SIDE:
        return note("too_small")
    if volume.voxels.max() <= volume.levels.air:
        return note("blank")
    if _is_off_axial(volume) and _is_thick(volume):
        return note("not_axial", "thick_not_axial")
    return None


def _is_off_axial(volume: Volume) -> bool:
    return volume.sides_known and volume.slice_axis != axial_axis(volume.affine)


def _is_thick(volume: Volume) -> bool:
    """Whether the slices are too few or too far apart to be cut anew in the axial plane."""
    between = volume.spacing[volume.slice_axis]
    if volume.shape[volume.slice_axis] < FEW:
        return True
    tall = volume.scale is Scale.DECLARED or between > THICK_RATIO * sorted(volume.spacing)[1]
    return tall and between > THICK_MM


def _doubts(volume: Volume) -> tuple[Note, ...]:
    """Those of the reader, and what follows from the volume itself."""
    notes = volume.notes
    if volume.acquired_at is None:
        notes += (note(DATE_UNKNOWN),)
    if volume.scale is not Scale.UNKNOWN and volume.is_picture:
        notes += (note("few_slices"),)
    return notes
