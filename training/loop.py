"""The training loop and its checkpoints: the same after a kill, exported as weights at the end."""

import copy
import csv
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from training.datasets import DatasetError, Split
from training.recipes.recipe import Method

LATEST = "latest_checkpoint.pth"
BEST = "best_model.pth"


def save_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write beside the target, sync, rename: a kill leaves the old checkpoint or the new one."""
    partial = path.with_suffix(".part")
    with partial.open("wb") as stream:
        torch.save(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and plain values only (`weights_only`): a hostile file cannot run code."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


METRICS = "metrics.csv"


@dataclass(frozen=True)
class Limits:
    """Where and for how long: the run ends early after `max_minutes` of steps; seed: of weights.

    save_minutes: between two checkpoints, beside those of the validations.
    """

    max_minutes: float | None = None
    device: str = "cpu"
    seed: int = 7
    save_minutes: float = 10.0


@dataclass(frozen=True)
class Progress:
    """What is told after each step; `validation` is None between two checks."""

    step: int
    share: float
    loss: float
    slices_per_second: float
    validation: float | None


@dataclass
class _State:
    net: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    score: float = math.nan  # of the last check


class Training:
    """One run in one folder; `run` goes on from the folder's checkpoint if there is one."""

    def __init__(
        self,
        method: Method,
        limits: Limits,
        split: Split,
        folder: Path,
        origin: dict[str, str],
        start: nn.Module | None = None,
    ) -> None:
        """start: a trained network of the same shape to go on from, instead of a drawn one."""
        self._method = method
        self._limits = limits
        self._split = split
        self._folder = folder
        self._origin = origin
        self._start_from = start
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, report: Callable[[Progress], object], resume: bool) -> float:
        """Train to the end; the best mean validation Dice, -1 if none was taken.

        Raises DatasetError on another split.
        """
        state = self._start(resume)
        loss_sum, since, saved = 0.0, 0, state.seconds
        while (share := self._share(state)) < 1:
            began = time.monotonic()
            loss_sum += self._step(state, share)
            since += 1
            state.seconds += time.monotonic() - began
            validation = None
            if state.step % self._method.check_every == 0 or self._share(state) >= 1:
                validation = self._check(state, loss_sum / since)
                loss_sum, since, saved = 0.0, 0, state.seconds
            elif state.seconds - saved >= 60 * self._limits.save_minutes:
                save_checkpoint(self._content(state), self._folder / LATEST)
                saved = state.seconds
            speed = self._method.batch * state.step / max(state.seconds, 1e-9)
            mean = loss_sum / since if since else 0.0
            report(Progress(state.step, self._share(state), mean, speed, validation))
        return state.best

    def steps(self, share: float) -> Callable[[], float]:
        """A run's next step at each call, as at that share of it, to be timed; its loss."""
        state = self._start(resume=False)
        return lambda: self._step(state, share)

    def _start(self, resume: bool) -> _State:
        torch.manual_seed(self._limits.seed)
        net = self._method.build()
        if self._start_from is not None:
            net.load_state_dict(self._start_from.state_dict())
        net.to(self._limits.device)
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = self._method.optimizer(net.parameters())
        state = _State(net, copy.deepcopy(net).eval(), optimizer)
        latest = self._folder / LATEST
        if resume and latest.exists():
            self._restore(state, load_checkpoint(latest))
        else:
            (self._folder / METRICS).unlink(missing_ok=True)
        return state

    def _restore(self, state: _State, saved: dict[str, Any]) -> None:
        if saved["split_sha256"] != self._split.digest:
            raise DatasetError("The checkpoint was trained on another split of the patients.")
        started = self._origin.get("started_from") == saved["origin"].get("started_from")
        if saved["plan"] != self._method.figures or not started:
            raise DatasetError("The checkpoint was trained with another recipe or other settings.")
        state.net.load_state_dict(saved["net"])
        state.average.load_state_dict(saved["model_state_dict"])
        state.optimizer.load_state_dict(saved["optimizer"])
        state.step, state.seconds, state.best = saved["step"], saved["seconds"], saved["best"]
        state.score = saved["validation_dice"]

    def _share(self, state: _State) -> float:
        """How much of the run is done, from 0 to 1, by steps or by time."""
        share = state.step / self._method.steps
        if self._limits.max_minutes is not None:
            share = max(share, state.seconds / (60 * self._limits.max_minutes))
        return min(share, 1.0)

    def _step(self, state: _State, share: float) -> float:
        for group in state.optimizer.param_groups:
            group["lr"] = self._method.rate(share)
        device = self._limits.device
        images, masks = self._method.draw(state.step, share)
        images = images.to(device, memory_format=torch.channels_last)
        state.net.train()
        half = self._method.bfloat16 or device != "cpu"
        with torch.autocast(device, torch.bfloat16, enabled=half):
            logits = state.net(images)
        loss = self._method.loss(logits.float(), masks.to(device))
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)
        state.optimizer.step()
        state.step += 1
        decay = min(self._method.average, (1 + state.step) / (10 + state.step))
        _follow(state.average, state.net, decay)
        return float(loss.detach())

    def _check(self, state: _State, loss: float) -> float:
        score = self._method.score(state.average)
        improved = self._method.keep_last or math.isnan(score) or score > state.best
        state.best, state.score = max(state.best, score), score
        content = self._content(state)
        if improved:
            chosen = {key: content[key] for key in content if key not in ("net", "optimizer")}
            save_checkpoint(chosen, self._folder / BEST)
        save_checkpoint(content, self._folder / LATEST)
        self._write_row(state, loss, score)
        return score

    def _content(self, state: _State) -> dict[str, Any]:
        return {
            "net": state.net.state_dict(),
            "model_state_dict": state.average.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "shape": self._method.shape.as_dict(),
            "preparation": asdict(self._method.preparation),
            "plan": self._method.figures,
            "split_sha256": self._split.digest,
            "origin": self._origin,
            "step": state.step,
            "seconds": state.seconds,
            "best": state.best,
            "validation_dice": state.score,
        }

    def _write_row(self, state: _State, loss: float, score: float) -> None:
        table = self._folder / METRICS
        is_new = not table.exists()
        with table.open("a", newline="") as stream:
            writer = csv.writer(stream)
            if is_new:
                writer.writerow(["step", "minutes", "loss", "validation_dice"])
            writer.writerow(
                [state.step, f"{state.seconds / 60:.2f}", f"{loss:.4f}", f"{score:.4f}"]
            )


@torch.no_grad()
def _follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move every weight and statistic of the average a little towards the network's."""
    for kept, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


NAMES = {"gate": "gliowatch-flair-gate"}  # by recipe; else NAME


NAME = "gliowatch-flair-unet"


def export_weights(checkpoint: Path, target: Path) -> dict[str, str]:
    """Write the averaged network of a checkpoint as fp16 safetensors; the header that it got."""
    saved = load_checkpoint(checkpoint)
    header = header_of(saved)
    save_weights(tensors_of(saved), header, target)
    return header


def tensors_of(saved: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The averaged network's tensors in half precision.

    The counters of batch normalisation are left out: they do not matter once trained.
    """
    return {
        name: value.half().contiguous()
        for name, value in saved["model_state_dict"].items()
        if torch.is_floating_point(value)
    }


def header_of(saved: dict[str, Any]) -> dict[str, str]:
    """What the weights are and where they come from, as the strings that the format allows.

    Where no patient was put aside, as in a last round on all, there is no validation Dice.
    """
    header = {
        "name": NAMES.get(saved["plan"].get("recipe"), NAME),
        "shape": json.dumps(saved["shape"]),
        "preparation": json.dumps(saved.get("preparation", {})),
        "plan": json.dumps(saved["plan"]),
        "origin": json.dumps(saved["origin"]),
        "split_sha256": saved["split_sha256"],
        "step": str(saved["step"]),
        "validation_dice": f"{saved['validation_dice']:.4f}",
        "license": "CC BY-NC-SA 4.0",
    }
    if not math.isfinite(saved["validation_dice"]):
        del header["validation_dice"]
    return header


def save_weights(tensors: dict[str, torch.Tensor], header: dict[str, str], target: Path) -> None:
    """Write whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    save_file(tensors, partial, metadata=header)
    partial.chmod(0o644)  # the library writes it for its owner alone
    partial.replace(target)
