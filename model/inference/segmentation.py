"""From a volume to a tumor mask on the volume's own grid."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.geometry import box_around
from model.inference.completeness import has_skull
from model.inference.confidence import Certainty, Trust
from model.inference.preprocessing import Grid, Prepared, from_window
from model.volume import FloatArray, MaskArray, Scale, Volume

if TYPE_CHECKING:
    from model.network.network import Network


CONNECTED_26 = np.ones((3, 3, 3), bool)
SMALLEST_PIXELS = 20  # of a lesion in a picture without a scale


@dataclass(frozen=True)
class Rules:
    """How to make a mask. threshold: from this probability on it is tumor; smallest_mm3: a
    smaller piece is dropped; best: thoroughly, not quickly; anyway: even what does not look like an
    axial FLAIR of a head."""

    threshold: float = 0.5
    smallest_mm3: float = 100.0
    best: bool = False
    anyway: bool = False


@dataclass(frozen=True)
class Segmentation:
    """mask: uint8 0/1, probability: float32 in [0, 1]; both (i, j, k) on the input's own grid.

    trust: None for an empty mask, and where the network's certainty was not measured, or at
    another threshold. probability is calibrated where the certainty is known.
    core: what is marked as in a head with skull, where the mask is wider than that; else None.
    """

    mask: MaskArray
    probability: FloatArray
    threshold: float
    trust: Trust | None = None
    core: "Segmentation | None" = None


def segment(volume: Volume, prepared: Prepared, network: "Network", rules: Rules) -> Segmentation:
    """Analyze all slices, put the result back on the volume's grid, and drop specks.

    prepared: the volume, by the network's own preparation.

    A piece (26-connected) smaller than `smallest_mm3` is dropped; in a picture without a
    scale, one of fewer than SMALLEST_PIXELS pixels.
    In a head without skull lesions are found as in one with it, and drawn as wide as fits there.
    """
    analyzed = network.probabilities(prepared, rules.best)
    found = segmentation_of(volume, analyzed, prepared.grid, network.certainty, rules)
    stripped = network.certainty_stripped
    if stripped is None or has_skull(prepared):
        return found
    return segmentation_of(volume, analyzed, prepared.grid, stripped, rules, core=found)


def segmentation_of(
    volume: Volume,
    analyzed: FloatArray,
    grid: Grid,
    certainty: Certainty | None,
    rules: Rules,
    core: Segmentation | None = None,
) -> Segmentation:
    """What follows from the network's probabilities (n, rows, columns) on its own grid.

    core: only pieces that hold some of its mask are kept.
    """
    probability = from_window(analyzed, grid)
    if certainty is not None:
        probability = certainty.calibrated(probability)
    fewest = fewest_voxels(volume, rules.smallest_mm3)
    marked = without_specks(probability >= rules.threshold, fewest)
    if core is not None:
        marked = around(marked, core.mask > 0)
    mask = marked.astype(np.uint8)
    known = certainty is not None and certainty.threshold == rules.threshold
    trust = certainty.trust(mask, probability) if certainty is not None and known else None
    return Segmentation(mask, probability, rules.threshold, trust, core)


def fewest_voxels(volume: Volume, smallest_mm3: float) -> float:
    """Voxels of the smallest piece that is kept."""
    if volume.scale is Scale.UNKNOWN:
        return SMALLEST_PIXELS
    return smallest_mm3 / abs(float(np.linalg.det(volume.affine[:3, :3])))


def without_specks(mask: NDArray[np.bool_], fewest: float) -> NDArray[np.bool_]:
    """The mask without its 26-connected pieces of fewer than `fewest` voxels."""
    kept = np.zeros_like(mask)
    box = box_around(mask)  # the rest is empty, and most of a scan
    pieces, _ = ndimage.label(mask[box], CONNECTED_26)
    sizes = np.bincount(pieces.ravel(), minlength=1)
    sizes[0] = 0
    kept[box] = (sizes >= max(fewest, 1))[pieces]
    return kept


def around(mask: NDArray[np.bool_], core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The 26-connected pieces of the mask that hold some of the core (hysteresis: Canny 1986)."""
    kept = np.zeros_like(mask)
    box = box_around(mask)
    pieces, count = ndimage.label(mask[box], CONNECTED_26)
    held = np.bincount(pieces[core[box]], minlength=count + 1) > 0
    held[0] = False
    kept[box] = held[pieces]
    return kept
