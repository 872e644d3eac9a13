"""A scan whose file does not say how large its pixels are, given the size that a person entered."""

from dataclasses import replace

import numpy as np

from model.reading.entered_spacing import Spacing
from model.reading.nifti import NO_SIDES
from model.volume import Kind, Note, Scale, Volume

NO_SCALE_CODES = ("no_scale", "units_unknown")  # what the reader says of a scan without a scale
ENTERED = Note(
    "spacing_entered",
    "The size of the pixels was entered by a person: the file does not say it.",
)


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
    notes += (ENTERED, NO_SIDES) if is_picture else (ENTERED,)
    return replace(
        volume, affine=affine, file_affine=volume.affine, scale=Scale.DECLARED, notes=notes
    )
