"""A run's loss and validation Dice over its steps, as a picture."""

import csv
from pathlib import Path

from matplotlib.figure import Figure


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
