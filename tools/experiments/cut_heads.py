"""`python -m tools.experiments.cut_heads DATA...`: how many whole and cut heads are flagged?

Each DATA is a folder of cases (`<id>/<id>_flair.nii.gz`), a DICOM folder, or a file. Cut means that
of the slices that show a head so many per cent are not there, from above or from below.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from model.inference.completeness import why_incomplete
from model.inference.preprocessing import extent, prepare
from model.reading.read import read, scan_at
from model.volume import Note, Upright, Volume

SHARES = (10, 20, 30, 50)  # per cent
ENDS = ("above", "below")


def show(
    data: Annotated[list[Path], typer.Argument(exists=True, help="folders of scans, or scans")],
) -> None:
    """A row for each way to cut, a column for each DATA: flagged of all. Whole ones are named."""
    columns = [[_row(scan) for scan in scans_in(folder)] for folder in data]
    total = [row for rows in columns for row in rows]
    heads = [f"{each.name} ({len(rows)})" for each, rows in zip(data, columns, strict=True)]
    typer.echo(f"| cut off | {' | '.join(heads)} | all ({len(total)}) |")
    typer.echo("|---|" + "---|" * (len(heads) + 1))
    for number, words in enumerate(ways()):
        cells = [_share([row[number] for row in rows]) for rows in (*columns, total)]
        typer.echo(f"| {words} | {' | '.join(cells)} |")


def scans_in(folder: Path) -> list[Path]:
    """The FLAIR of every case below a folder; the folder itself where there is none."""
    return sorted(folder.glob("*/*_flair.nii.gz")) or [folder]


def ways(shares: tuple[int, ...] = SHARES) -> list[str]:
    """In what ways a head is cut, in words: not at all, then each share from each end."""
    return ["nothing", *(f"{share} % from {end}" for end in ENDS for share in shares)]


def why_of_all(volume: Volume, shares: tuple[int, ...] = SHARES) -> list[Note | None]:
    """What is said of a head cut in each of `ways`."""
    return [why_incomplete(each, prepare(each)) for each in cut_heads(volume, shares)]


def cut_heads(volume: Volume, shares: tuple[int, ...]) -> Iterator[Volume]:
    """The head as it is, then cut in each of `ways`."""
    grid = Upright.of(volume.shape, volume.affine)
    voxels = grid.turn(volume.voxels)
    first, last = extent(volume.levels.head(voxels).sum(axis=(0, 1)))
    yield volume
    for end in ENDS:
        for share in shares:
            gone = round(share / 100 * (last - first + 1))
            start, stop = (0, last + 1 - gone) if end == "above" else (first + gone, last + 1)
            affine = grid.affine.copy()
            affine[:3, 3] += affine[:3, 2] * start
            part = np.asfortranarray(voxels[:, :, start:stop])  # slice after slice, as files are
            yield replace(volume, voxels=part, affine=affine)


def _row(scan: Path) -> list[bool]:
    """Whether each of the cut heads is flagged."""
    found = why_of_all(read(scan_at(scan)))
    if found[0] is not None:
        typer.echo(f"{scan.name}: {found[0].message}", err=True)
    return [each is not None for each in found]


def _share(flagged: list[bool]) -> str:
    return f"{sum(flagged)} ({100 * np.mean(flagged):.0f} %)"


if __name__ == "__main__":
    typer.run(show)
