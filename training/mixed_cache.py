"""The cache of the recipe `mixed`: heads with and without skull, with tumor and without.

lgg (with skull, and where its brain lies), brats (stripped), notumor (tumor nowhere), and the drawn
lesions of multiple sclerosis in MNI space that are painted onto heads. Volumes of thin slices are
kept at every second one. The file is read by numpy alone (training/cache.py,
training/augmentation/painted_lesions.py). `python -m training.mixed_cache` makes it without a run.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import nibabel.orientations as orientations
import numpy as np
import typer
from numpy.typing import NDArray

from model.geometry import inverse
from model.inference.preprocessing import Grid, prepare
from model.measurement.lobes import LEAST_SCORE, load_atlas
from model.reading.nifti import read_nifti
from model.registration.head_atlas import fit_head
from model.volume import Volume
from model.weights_config import STANDARD, InputClass
from training.augmentation.painted_lesions import LESIONS, Lesions
from training.augmentation.transforms import as_prepared
from training.cache import DRAWN_SLICES, HOW, WHITE_LEVEL, CachedPatient
from training.datasets import find_cases
from training.folds import scans_below
from training.preparation import arrays_of, mask_on_grid, on_grid, save_cache
from training.recipes.synthetic_contrasts import draw_slice, flair_contrast, other_contrast

NO_HEADS = ("breast", "prostate")  # in the names of what shows another part of the body
DRAWN = {InputClass.FLAIR: 1_000, InputClass.CONTRAST: 2_000}  # slices drawn tissue by tissue
THIN = 4  # slices between neighbours: from here on every second slice is left out
STRIPPED = ("brats", "cbica_wml", "mslesseg", "openms_cross")  # sources without skull


@dataclass(frozen=True)
class Source:
    """A scan to learn from. tumor: drawn, None: there is none; brain: drawn, None: not drawn."""

    name: str
    kind: str
    scan: Path
    tumor: Path | None = None
    brain: Path | None = None


def sources_below(data: Path) -> Iterator[Source]:
    """All that may be learned from, and is not kept aside for a last look."""
    names = scans_below(data)
    lgg, brats = find_cases(data / "lgg"), find_cases(data / "brats")
    for name in names["lgg"]:
        brain = data / "lgg_brain" / f"{name}_brain.nii.gz"
        yield Source(name, "lgg", lgg[name].flair, lgg[name].mask, brain)
    for name in sorted(names["brats"]):
        yield Source(name, "brats", brats[name].flair, brats[name].mask)
    for name in sorted(names["notumor"]):
        yield Source(name, "notumor", data / "notumor" / name / f"{name}_flair.nii.gz")


def others_below(data: Path) -> Iterator[Source]:
    """What is no FLAIR of a head: their kind is the answer that the input check should give."""
    for path in sorted((data / "othersequences").glob("*.nii.gz")):
        name = path.name.removesuffix(".nii.gz")
        is_head = not any(part in name for part in NO_HEADS)
        yield Source(name, InputClass.CONTRAST if is_head else InputClass.NO_HEAD, path)


def prepare_source(source: Source, placed: bool = True) -> CachedPatient:
    """Read a scan and put it on the network's grid; placed: and find out where that lies in MNI
    space. Raises UnreadableScan."""
    volume = read_nifti(source.scan)
    tumor = np.zeros(volume.shape, bool)
    if source.tumor is not None:
        tumor = read_nifti(source.tumor).voxels > 0
    prepared = prepare(volume, STANDARD)
    cached = on_grid(source.name, tumor, prepared)
    if source.brain is not None:
        brain = (read_nifti(source.brain).voxels > 0) | tumor
        inside = mask_on_grid(brain, prepared.grid)
        cached = replace(cached, brain=inside, gain=gain_of(volume, brain))
    elif source.name.startswith(STRIPPED):
        cached = replace(cached, brain=np.ones_like(cached.brain), gain=1.0)
    to_mni = mni_of(volume, tumor, prepared.grid) if placed else None
    return thinned(replace(cached, kind=source.kind, to_mni=to_mni))


def gain_of(volume: Volume, brain: NDArray[np.bool_]) -> float:
    """By what the prepared intensities grow when all but the brain (i, j, k) is removed."""
    air = np.where(brain, volume.voxels, volume.levels.air)
    middle = replace(volume, voxels=air.astype(np.float32)).levels.middle
    return volume.levels.middle / middle if middle > 0 else 1.0


def mni_of(volume: Volume, tumor: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """(3, 4), from (slice, row, column, 1) to MNI mm; not a number where the fit is poor."""
    fit = fit_head(volume, tumor.astype(np.uint8), load_atlas()[0])
    if fit is None or fit.score < LEAST_SCORE:
        return np.full((3, 4), np.nan)
    placed = volume.affine @ file_of(grid, volume.shape)
    return np.asarray((inverse(fit.matrix) @ placed)[:3], np.float64)


def file_of(grid: Grid, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """4x4, from (slice, row, column) on the network's grid to the file's voxels (i, j, k)."""
    columns, rows, _ = grid.lps_shape
    tall, wide = rows / grid.size[0], columns / grid.size[1]
    to_lps = np.zeros((4, 4))
    to_lps[0, [2, 3]] = wide, (grid.corner[1] + 0.5) * wide - 0.5
    to_lps[1, [1, 3]] = tall, (grid.corner[0] + 0.5) * tall - 0.5
    to_lps[2, 0] = to_lps[3, 3] = 1
    back: NDArray[np.float64] = orientations.inv_ornt_aff(grid.to_lps, shape) @ to_lps
    return back


def thinned(cached: CachedPatient) -> CachedPatient:
    """Every second slice where neighbours stand THIN slices apart; else all."""
    if cached.step < THIN:
        return cached
    to_mni = cached.to_mni
    if to_mni is not None:
        to_mni = to_mni * np.array([2, 1, 1, 1])
    return replace(
        cached,
        slices=cached.slices[::2],
        mask=cached.mask[::2],
        brain=cached.brain[::2],
        step=cached.step // 2,
        to_mni=to_mni,
    )


def lesions_below(data: Path) -> Iterator[Lesions]:
    """The drawn lesions in MNI space, each cut to its box."""
    for path in sorted((data / "notumor" / "ms_lesions_mni").glob("*_lesions.nii.gz")):
        volume = read_nifti(path)
        turned = orientations.io_orientation(volume.affine)
        drawn = orientations.apply_orientation(volume.voxels > 0, turned)
        affine = volume.affine @ orientations.inv_ornt_aff(turned, volume.shape)
        places = np.argwhere(drawn)
        low, high = places.min(axis=0), places.max(axis=0) + 1
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        corner = affine[:3, :3] @ low + affine[:3, 3]
        yield Lesions(path.name.split("_")[0], drawn[box].astype(np.uint8), corner)


def build_mixed_cache(data: Path, target: Path, advance: Callable[[int], object]) -> None:
    """Prepare all heads and lesions below `data`; `advance` is told of each head, of how many.

    Raises DatasetError when a set is missing, UnreadableScan when a scan cannot be read.
    """
    arrays: dict[str, NDArray[np.generic]] = {HOW: np.array(json.dumps(asdict(STANDARD)))}
    sources = list(sources_below(data))
    for source in sources:
        cached = prepare_source(source)
        to_mni = np.full((3, 4), np.nan) if cached.to_mni is None else cached.to_mni
        about = {f"{source.name}/kind": np.array(source.kind), f"{source.name}/to_mni": to_mni}
        arrays |= arrays_of(cached) | about
        advance(len(sources))
    for lesions in lesions_below(data):
        arrays[f"{LESIONS}/{lesions.patient}/drawn"] = lesions.drawn
        arrays[f"{LESIONS}/{lesions.patient}/corner"] = lesions.corner
    save_cache(arrays, target)


def build_check_cache(data: Path, target: Path, advance: Callable[[int], object]) -> None:
    """Prepare all that the input check learns from: the heads of the recipe mixed, what is no
    FLAIR, and slices drawn tissue by tissue; as `build_mixed_cache`."""
    arrays: dict[str, NDArray[np.generic]] = {HOW: np.array(json.dumps(asdict(STANDARD)))}
    sources = [*sources_below(data), *others_below(data)]
    for source in sources:
        cached = prepare_source(source, placed=False)
        arrays |= arrays_of(cached) | {f"{source.name}/kind": np.array(source.kind)}
        advance(len(sources))
    chance = np.random.default_rng(7)
    for seen, contrast in (
        (InputClass.FLAIR, flair_contrast),
        (InputClass.CONTRAST, other_contrast),
    ):
        made = (as_prepared(draw_slice(contrast(chance), chance)) for _ in range(DRAWN[seen]))
        slices = np.stack([np.round(each * WHITE_LEVEL).astype(np.uint8) for each in made])
        arrays[f"{DRAWN_SLICES}/{seen}"] = slices
    save_cache(arrays, target)


def make(
    data: Annotated[Path, typer.Option(exists=True, help="holds lgg, lgg_brain, brats, notumor")],
    out: Annotated[Path, typer.Option("-o", "--out", help="cache file to write, .npz")],
) -> None:
    """Make the cache of the recipe mixed."""
    build_mixed_cache(data, out, lambda count: None)


if __name__ == "__main__":
    typer.run(make)
