"""The whole analysis of one volume: may it be analyzed, is there a tumor, and how large is it?"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from model.inference.completeness import why_incomplete
from model.inference.preprocessing import Prepared, prepare
from model.inference.segmentation import Rules, Segmentation, segment
from model.inference.tumor_check import TumorCheck, evidence_of, load_tumor_check
from model.intensity import is_mask, sampled
from model.measurement.findings import Finding, Findings, measure
from model.measurement.midline_shift import midline_shift
from model.measurement.midplane import midplane_of_head
from model.rules import INCOMPLETE, SERIES_FAILED
from model.volume import FEW, Kind, Note, Scale, Volume, axial_axis, axial_stack, note
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
    InputClass.TURNED: "not_axial",
}
AIR_HU, WATER_HU = (-1100, -900), (-20, 100)
LEAST_SHARE = 0.05  # of all voxels, that each of the two has in a CT of the head
ALIKE, LEAST_ALIKE = 0.05, 0.35  # of the head's median: how far off, and the share that is nearer
FILL_HU = (-3100, -900)  # what stands around a brain cut out of a CT
BRAIN_HU = (15, 45)  # its median; almost nothing of it is denser than fresh blood
DENSER = 1.75  # times the median: a FLAIR as dark as that has skin and fat brighter than this
DENSEST_HU, ALMOST_ALL = 65, 95  # per cent of the voxels
FLAT = 0.1  # of the distance from the fill to the median: MR tissue always differs by more
BONE, LEAST_BONE = 0.3, 0.1  # of it: how much brighter, and the share that is
DATE_UNKNOWN = "date_unknown"  # code of a note


@dataclass(frozen=True)
class Analysis:
    """segmentation is None exactly when the finding is `not_judged`."""

    findings: Findings
    segmentation: Segmentation | None


def first_analyzed(
    volumes: Iterable[Volume], analyzed: Callable[[Volume], Analysis]
) -> tuple[Volume, Analysis]:
    """The first of several volumes of one scan that can be analyzed; else the first of them.

    In its list of series those that went before say why they could not be.
    """
    refused: list[tuple[Volume, Analysis]] = []
    for volume in volumes:
        analysis = analyzed(volume)
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
    With `rules.anyway` it is analyzed as long as it has a shape for it, and what speaks against it
    is noted; but not what is read in place of the series that a person chose.
    """
    notes = _doubts(volume)
    anyway = rules.anyway and SERIES_FAILED not in [each.code for each in volume.notes]
    nothing = _nothing_to_see(volume)
    unfit = volume.unfit or nothing
    if unfit is not None and (nothing is not None or not anyway):
        return _refused(unfit, notes)
    prepared = prepare(volume, network.preparation)
    standard = prepared if network.preparation == STANDARD else prepare(volume, STANDARD)
    unfit = unfit or _seen(volume, standard, input_check)
    if unfit is not None:
        if not anyway:
            return _refused(unfit, notes)
        notes = (note("analyzed_anyway", reason=unfit.message), *notes)
    if (missing := why_incomplete(volume, standard)) is not None:
        notes += (missing,)
    if _is_off_axial(volume):
        notes += (note("turned_to_axial"),)
    segmentation = segment(volume, prepared, network, rules)
    plane = midplane_of_head(volume)
    findings = measure(segmentation.mask, volume.affine, plane, segmentation.probability, notes)
    check = load_tumor_check(network.sha256, rules.threshold)
    if check is not None and not _has_tumor(volume, segmentation, findings, check):
        return _white_matter(segmentation, findings)
    trust = None if volume.is_picture else segmentation.trust  # it was measured on volumes
    if trust is not None and trust.confidence < LOW_CONFIDENCE:
        findings = replace(findings, notes=(*findings.notes, note("low_confidence")))
    if volume.kind is Kind.DICOM and volume.is_picture:
        if findings.finding is not Finding.TUMOR:
            return _refused(note("too_few_slices"), findings.notes)
        findings = replace(findings, notes=(*findings.notes, note(INCOMPLETE, "few_of_a_series")))
    shift = midline_shift(volume, segmentation.mask, plane)
    return Analysis(replace(findings, trust=trust, shift=shift), segmentation)


def _has_tumor(
    volume: Volume, segmentation: Segmentation, findings: Findings, check: TumorCheck
) -> bool:
    """Whether what is marked may be tumor; also where there is nothing to tell, as in a picture.

    In a head without skull it is told by the cores of the lesions, as in one with it.
    """
    if (core := segmentation.core) is not None:
        segmentation = core
        findings = measure(core.mask, volume.affine, None, core.probability)
    evidence = evidence_of(volume, segmentation, findings)
    return not evidence or check.has_tumor(evidence)


def _white_matter(segmentation: Segmentation, found: Findings) -> Analysis:
    """No tumor: what was marked is told in words, and the mask is empty."""
    size = {"ml": found.volume_ml, "count": len(found.lesions)}
    notes = (*found.notes, note("white_matter_lesions", **size))
    empty = replace(segmentation, mask=np.zeros_like(segmentation.mask), trust=None)
    return Analysis(Findings(Finding.NO_TUMOR, (), notes), empty)


def _refused(why: Note, notes: tuple[Note, ...]) -> Analysis:
    return Analysis(Findings(Finding.NOT_ANALYZED, (), (why, *notes)), None)


def _nothing_to_see(volume: Volume) -> Note | None:
    """Why it cannot be analyzed, by its shape and voxels alone."""
    if sorted(volume.shape)[1] < SMALLEST_SIDE:
        return note("too_small")
    low, high = volume.voxels.min(), volume.voxels.max()
    if low < high and is_mask(axial_stack(volume.voxels, volume.affine)):
        return note("mask")
    if high <= volume.levels.air:
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


def _seen(volume: Volume, standard: Prepared, input_check: "InputCheck | None") -> Note | None:
    """What the input check says against it; nothing where there is none."""
    if input_check is None:
        return None
    if is_ct(volume):
        return note("not_mr", "hounsfield")
    seen = input_check.seen(standard, volume.is_picture)
    return None if seen is InputClass.FLAIR else note(REFUSALS[seen])


def is_ct(volume: Volume) -> bool:
    """Whether the grey values are those of CT: air and water in Hounsfield units, or, whatever the
    units, soft tissues that hardly differ beside bone that is far brighter."""
    some, levels = sampled(volume.voxels), volume.levels
    shares = (np.mean((some > low) & (some < high)) for low, high in (AIR_HU, WATER_HU))
    if all(share > LEAST_SHARE for share in shares) or _is_cut_out_of_ct(volume):
        return True
    bright = levels.bright(some)
    head = bright[bright > levels.edge] / max(levels.middle, 1e-6)
    if not head.size:
        return False
    alike, bone = np.mean(np.abs(head - 1) < ALIKE), np.mean(head > 1 + BONE)
    return bool(alike > LEAST_ALIKE and bone > LEAST_BONE)


def _is_cut_out_of_ct(volume: Volume) -> bool:
    """Whether it is a brain alone, in Hounsfield units or in these moved up, within a fill.

    A brain's tissues lie within 60 units of each other, and 1,000 or more above the fill.
    """
    if volume.filled is None:
        return False
    some, levels = sampled(volume.voxels), volume.levels
    head = some[levels.bright(some) > levels.edge]
    if not head.size:
        return False
    middle, dense = np.percentile(head, (50, ALMOST_ALL))
    if FILL_HU[0] < volume.filled < FILL_HU[1]:
        return bool(BRAIN_HU[0] < middle < BRAIN_HU[1] and dense < min(DENSEST_HU, DENSER * middle))
    return volume.filled >= 0 and bool(dense - levels.air < FLAT * (middle - volume.filled))


def _doubts(volume: Volume) -> tuple[Note, ...]:
    """Those of the reader, and what follows from the volume itself."""
    notes = volume.notes
    if volume.acquired_at is None:
        notes += (note(DATE_UNKNOWN),)
    if volume.scale is not Scale.UNKNOWN and volume.is_picture:
        notes += (note("few_slices"),)
    return notes
