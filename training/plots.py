"""Pictures of a run's course and of an evaluation, with the worst cases."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model.geometry import Mask
from model.inference.segmentation import Segmentation
from model.intensity import brightness
from model.reading.nifti import read_nifti
from model.volume import Volume
from training.datasets import Case


def save_curve(metrics: Path, path: Path) -> None:
    """Draw the table that a run writes (step, minutes, loss, validation_dice) as PNG."""
    with metrics.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    steps = [int(row["step"]) for row in rows]
    figure = Figure(figsize=(7, 4), layout="constrained")
    loss = figure.add_subplot()
    loss.plot(steps, [float(row["loss"]) for row in rows], "--", color="black", label="loss")
    loss.set(xlabel="step", ylabel="loss", ylim=(0, None))
    dice = loss.twinx()
    scores = [float(row["validation_dice"]) for row in rows]
    dice.plot(steps, scores, color="#0072b2", label="validation Dice")
    dice.set(ylabel="validation Dice", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=2, fontsize=8)
    figure.savefig(path, dpi=130)


WORST = 4
A4 = (8.27, 11.69)  # inches
DRAWN, FOUND = "#ffd200", "#00b4ff"  # told apart by colour-blind readers, and by line style


@dataclass(frozen=True)
class ShownCase:
    """One slice of a case: grey (rows, columns), and the drawn and found masks on it."""

    title: str
    grey: NDArray[np.float32]
    drawn: Mask
    found: Mask


def worst_slice(case: Case, volume: Volume, found: Segmentation, dice: float) -> ShownCase:
    """The slice on which most voxels differ from what the person drew."""
    drawn: Mask = read_nifti(case.mask).voxels > 0
    mask = np.asarray(found.mask, dtype=bool)
    axis = volume.slice_axis
    differing = (drawn ^ mask).sum(axis=tuple({0, 1, 2} - {axis}))
    index = int(differing.argmax())
    grey = np.take(brightness(volume.voxels), index, axis).T
    return ShownCase(
        f"{case.patient}: Dice {dice:.2f}, slice {index + 1}",
        grey,
        np.take(drawn, index, axis).T,
        np.take(mask, index, axis).T,
    )


def save_page(content: dict[str, Any], worst: list[ShownCase], path: Path) -> None:
    """Write the page as PNG; `content` is what `training.evaluate.summary` gives."""
    figure = Figure(figsize=A4, layout="constrained")
    grid = figure.add_gridspec(4, 2, height_ratios=(1.1, 1, 1, 0.25))
    _draw_patients(figure.add_subplot(grid[0, 0]), content)
    _draw_calibration(figure.add_subplot(grid[0, 1]), content)
    for number, seen in enumerate(worst[:WORST]):
        _draw_case(figure.add_subplot(grid[1 + number // 2, number % 2]), seen)
    words = figure.add_subplot(grid[3, :])
    words.axis("off")
    words.text(0, 0.5, _words(content), fontsize=8, va="center")
    figure.suptitle("gliowatch: agreement with drawn masks, per patient", fontsize=11)
    figure.savefig(path, dpi=130)


def _draw_patients(axes: Axes, content: dict[str, Any]) -> None:
    scores = sorted(case["dice"] for case in content["cases"])
    axes.plot(scores, "o", color="black", markersize=4)
    axes.axhline(content["dice"]["mean"], color=FOUND, label="mean")
    axes.axhspan(
        content["dice"]["low_95"], content["dice"]["high_95"], color=FOUND, alpha=0.2, label="95 %"
    )
    axes.set(ylim=(0, 1), xlabel="patients, worst first", ylabel="3D Dice", xticks=[])
    axes.legend(fontsize=7)


def _draw_calibration(axes: Axes, content: dict[str, Any]) -> None:
    curve = content["calibration"]
    axes.plot([0, 1], [0, 1], ":", color="grey", label="honest")
    axes.plot(
        [point["probability"] for point in curve],
        [point["drawn"] for point in curve],
        "o-",
        color="black",
        markersize=4,
        label=f"ECE {content['ece']:.4f}",
    )
    axes.set(
        xlabel="predicted probability", ylabel="share drawn as tumor", xlim=(0, 1), ylim=(0, 1)
    )
    axes.legend(fontsize=7)


def _draw_case(axes: Axes, seen: ShownCase) -> None:
    axes.imshow(seen.grey, cmap="gray", vmax=float(np.percentile(seen.grey, 99.5)) or 1.0)
    for mask, colour, style in ((seen.drawn, DRAWN, "--"), (seen.found, FOUND, "-")):
        if mask.any():
            axes.contour(mask, levels=[0.5], colors=colour, linestyles=style, linewidths=1)
    axes.set_title(seen.title, fontsize=7)
    axes.axis("off")


def _words(content: dict[str, Any]) -> str:
    dice = content["dice"]
    return (
        f"{content['patients']} patients. Dice mean {dice['mean']:.3f}"
        f" (95 % {dice['low_95']:.3f} to {dice['high_95']:.3f}), median"
        f" {dice['median']:.3f}, worst {dice['lowest']:.3f}.\n"
        "Dashed yellow: drawn by a person. Blue: found. Of each case the slice that differs most.\n"
        f"Weights {content['weights_sha256'][:16]}. Research use only. Not a diagnosis."
    )
