"""The whole judgement of one volume: may it be judged at all, then mask and measurements."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model.findings import Finding, Findings, measure
from model.head import brightness, head_mask
from model.midplane import midplane_of_head
from model.segmentation import Segmentation, segment
from model.volume import Note, Scale, Volume, axial_axis

if TYPE_CHECKING:  # torch comes with the network, and only who judges needs it
    from model.network import Network

SMALLEST_SIDE = 24  # voxels of the second longest axis


@dataclass(frozen=True)
class Judgement:
    """segmentation is None exactly when the finding is `not_judged`."""

    findings: Findings
    segmentation: Segmentation | None


def judge(
    volume: Volume, network: "Network", threshold: float, smallest_mm3: float, flips: bool
) -> Judgement:
    """Segment and measure a volume, unless its reader knows that it is nothing to judge."""
    volume = _with_doubts(volume)
    if volume.unfit is None:
        volume = replace(volume, unfit=_nothing_to_see(volume))
    if volume.unfit is not None:
        notes = (volume.unfit, *volume.notes)
        return Judgement(Findings(Finding.NOT_JUDGED, (), notes), None)
    segmentation = segment(volume, network, threshold, smallest_mm3, flips)
    findings = measure(
        segmentation.mask,
        volume.affine,
        midplane_of_head(volume),
        segmentation.probability,
        volume.notes,
    )
    return Judgement(findings, segmentation)


def _nothing_to_see(volume: Volume) -> Note | None:
    """Why there can be no head in it: a blank volume has no tumor, but says nothing either."""
    if sorted(volume.shape)[1] < SMALLEST_SIDE:
        return Note("too_small", "The scan is too small to show a head: it was not judged.")
    if not head_mask(brightness(volume.voxels)).any():
        return Note("blank", "The scan is blank: it was not judged.")
    return None


def _with_doubts(volume: Volume) -> Volume:
    if volume.acquired_at is None:
        volume = volume.with_note("date_unknown", "The file does not say when it was acquired.")
    if volume.scale is not Scale.UNKNOWN and volume.is_picture:
        volume = volume.with_note(
            "few_slices", "The scan has fewer than five slices: its volume is not known."
        )
    if volume.sides_known and volume.slice_axis != axial_axis(volume.affine):
        volume = volume.with_note(
            "not_axial", "The slices are not axial; the network has learned from axial ones."
        )
    return volume
