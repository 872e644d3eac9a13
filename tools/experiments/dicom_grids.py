"""`python -m tools.experiments.dicom_grids FOLDER...`: our grid of each DICOM series beside that
of dcm2niix (Li et al., J Neurosci Methods 2016), as a table."""

import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Annotated

import nibabel as nib
import numpy as np
import typer

from model.errors import UnreadableScan
from model.reading.dicom.study import read_dicom
from model.volume import Volume


def converted(folder: Path, target: Path) -> list[nib.Nifti1Image]:
    """What dcm2niix makes of a folder, turned to RAS; slices of several studies are merged."""
    target.mkdir(exist_ok=True)
    beside = Path(sys.executable).with_name("dcm2niix")
    program = shutil.which("dcm2niix") or str(beside)
    command = [program, "-z", "n", "-b", "n", "-o", str(target), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    found = [nib.Nifti1Image.from_filename(path) for path in sorted(target.glob("*.nii"))]
    return [nib.as_closest_canonical(image) for image in found if image.ndim == 3]


def largest_difference_mm(ours: nib.Nifti1Image, theirs: nib.Nifti1Image) -> float:
    """Over the eight corners of the grid."""
    corners = np.array(np.meshgrid(*[(0, length - 1) for length in ours.shape], [1.0]))
    corners = corners.reshape(4, -1)
    return float(np.abs((ours.affine - theirs.affine) @ corners).max())


def nearest(volume: Volume, found: list[nib.Nifti1Image]) -> tuple[nib.Nifti1Image, float] | None:
    """Of those of our size the one whose grid is nearest, and by how many mm it differs."""
    ours = nib.as_closest_canonical(nib.Nifti1Image(volume.voxels, volume.affine))
    same = [image for image in found if image.shape == ours.shape]
    if not same:
        return None
    best = min(same, key=lambda image: largest_difference_mm(ours, image))
    return best, largest_difference_mm(ours, best)


def row(folder: Path) -> str:
    """One line of the table."""
    files = tuple(sorted(path for path in folder.rglob("*") if path.is_file()))
    try:
        volume = read_dicom(files)
    except UnreadableScan as refused:
        return f"| `{folder.name}` | refused | {refused} |"
    shape = " x ".join(map(str, volume.shape))
    with tempfile.TemporaryDirectory() as target:
        try:
            found = nearest(volume, converted(folder, Path(target)))
        except subprocess.CalledProcessError:
            found = None
    told = "makes no volume of this size" if found is None else f"{found[1]:.4f}"
    return f"| `{folder.name}` | {shape} | {told} |"


def main(folders: Annotated[list[Path], typer.Argument(help="One folder a study.")]) -> None:
    """Print the table: voxels of our grid, and the largest difference at any of its corners."""
    typer.echo("| data set | voxels | dcm2niix, mm |\n|---|---|---|")
    with warnings.catch_warnings(action="ignore"):  # pydicom quotes tags
        for folder in folders:
            typer.echo(row(folder))


if __name__ == "__main__":
    typer.run(main)
