"""Where in a scan the marked area lies, slice by slice, as it stands in a report."""

from typing import Any

import nibabel.orientations as orientations

from daemon.outputs.display import PLANES_BY_AXIS
from model.volume import MaskArray, Volume


def slices_object(volume: Volume, mask: MaskArray | None) -> dict[str, Any]:
    """The report's `slices`: the plane of acquisition, and what is marked in each slice of it.

    axis: the voxel axis across that plane; reversed: whether pictures show the slices from the
    last to the first; areas_px: marked pixels of each slice in the file's order, null where
    nothing was judged.
    """
    axis = volume.slice_axis
    target, direction = orientations.io_orientation(volume.affine)[axis]
    others = tuple(each for each in range(3) if each != axis)
    areas = None if mask is None else [int(area) for area in (mask > 0).sum(axis=others)]
    return {
        "plane": PLANES_BY_AXIS["RAS"[int(target)]],
        "axis": axis,
        "reversed": bool(direction < 0),
        "areas_px": areas,
    }
