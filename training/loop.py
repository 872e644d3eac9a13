"""The training loop: steps, moving average, validation, checkpoints; the same after a kill."""

import copy
import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.framing import STANDARD
from model.neighbours import with_neighbours
from model.unet import UNet, UNetShape
from training.batches import Batches
from training.cache import WHITE_LEVEL, CachedPatient
from training.cases import DatasetError, Split
from training.checkpoint import BEST, LATEST, load_checkpoint, save_checkpoint
from training.overlap import dice

METRICS = "metrics.csv"


@dataclass(frozen=True)
class Plan:
    """How to train. The run ends after `steps`, or after `max_minutes` if that comes first."""

    steps: int = 4000
    max_minutes: float | None = None
    batch: int = 16
    rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05
    average: float = 0.998
    check_every: int = 200
    seed: int = 7
    width: int = 16
    device: str = "cpu"


def plan_from(table: dict[str, Any], max_minutes: float | None, device: str) -> Plan:
    """A plan from the [training] table of the settings, as plain values."""
    return Plan(**table, max_minutes=max_minutes, device=device)


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
    net: UNet
    average: UNet
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    best: float = -1.0


class Training:
    """One run in one folder; `run` goes on from the folder's checkpoint if there is one."""

    def __init__(
        self,
        plan: Plan,
        split: Split,
        patients: dict[str, CachedPatient],
        folder: Path,
        origin: dict[str, str],
    ) -> None:
        self._plan = plan
        self._split = split
        self._folder = folder
        self._origin = origin
        self._batches = Batches([patients[name] for name in split.train], plan.batch, plan.seed)
        self._validation = [patients[name] for name in split.validation]
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, report: Callable[[Progress], object], resume: bool) -> float:
        """Train to the plan's end; the best mean validation Dice. DatasetError on another split."""
        state = self._start(resume)
        plan, loss_sum, since = self._plan, 0.0, 0
        while (share := self._share(state)) < 1:
            began = time.monotonic()
            loss_sum += self._step(state, share)
            since += 1
            state.seconds += time.monotonic() - began
            validation = None
            if state.step % plan.check_every == 0 or self._share(state) >= 1:
                validation = self._check(state, loss_sum / since)
                loss_sum, since = 0.0, 0
            speed = plan.batch * state.step / max(state.seconds, 1e-9)
            mean = loss_sum / since if since else 0.0
            report(Progress(state.step, self._share(state), mean, speed, validation))
        return state.best

    def _start(self, resume: bool) -> _State:
        torch.manual_seed(self._plan.seed)
        net = UNet(UNetShape(width=self._plan.width))
        net.to(self._plan.device)
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(
            net.parameters(), lr=self._plan.rate, weight_decay=self._plan.weight_decay
        )
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
        state.net.load_state_dict(saved["net"])
        state.average.load_state_dict(saved["model_state_dict"])
        state.optimizer.load_state_dict(saved["optimizer"])
        state.step, state.seconds, state.best = saved["step"], saved["seconds"], saved["best"]

    def _share(self, state: _State) -> float:
        """How much of the run is done, from 0 to 1, by steps or by time."""
        share = state.step / self._plan.steps
        if self._plan.max_minutes is not None:
            share = max(share, state.seconds / (60 * self._plan.max_minutes))
        return min(share, 1.0)

    def _step(self, state: _State, share: float) -> float:
        for group in state.optimizer.param_groups:
            group["lr"] = self._plan.rate * _schedule(share, self._plan.warmup)
        images, masks = self._batches.draw(state.step)
        images = images.to(self._plan.device, memory_format=torch.channels_last)
        state.net.train()
        with torch.autocast(self._plan.device, torch.bfloat16, enabled=self._plan.device != "cpu"):
            logits = state.net(images)
        loss = segmentation_loss(logits.float(), masks.to(self._plan.device))
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)
        state.optimizer.step()
        state.step += 1
        decay = min(self._plan.average, (1 + state.step) / (10 + state.step))
        _follow(state.average, state.net, decay)
        return float(loss.detach())

    def _check(self, state: _State, loss: float) -> float:
        score = float(np.mean([volume_dice(state.average, p) for p in self._validation]))
        improved = score > state.best
        state.best = max(state.best, score)
        content = self._content(state, score)
        if improved:
            chosen = {key: content[key] for key in content if key not in ("net", "optimizer")}
            save_checkpoint(chosen, self._folder / BEST)
        save_checkpoint(content, self._folder / LATEST)
        self._write_row(state, loss, score)
        return score

    def _content(self, state: _State, score: float) -> dict[str, Any]:
        return {
            "net": state.net.state_dict(),
            "model_state_dict": state.average.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "shape": state.net.shape.as_dict(),
            "preparation": asdict(STANDARD),
            "plan": asdict(self._plan),
            "split_sha256": self._split.digest,
            "origin": self._origin,
            "step": state.step,
            "seconds": state.seconds,
            "best": state.best,
            "validation_dice": score,
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


def segmentation_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy plus one minus the soft Dice over the whole batch (b, 1, h, w).

    The Dice term: Milletari, Navab, Ahmadi: V-Net, 3DV 2016 (with plain sums below the line).
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, masks)
    probability = torch.sigmoid(logits)
    overlap = (probability * masks).sum()
    soft_dice = (2 * overlap + 1) / (probability.sum() + masks.sum() + 1)
    return entropy + 1 - soft_dice


def volume_dice(net: UNet, patient: CachedPatient) -> float:
    """Dice of a whole volume on the network's grid, threshold 0.5."""
    slices = patient.slices.astype(np.float32) / np.float32(WHITE_LEVEL)
    device = next(net.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(slices), 16):
            indices = np.arange(start, min(start + 16, len(slices)))
            images = torch.from_numpy(with_neighbours(slices, indices, patient.step))
            images = images.to(device, memory_format=torch.channels_last)
            parts.append((net(images) > 0).cpu().numpy()[:, 0])
    return dice(np.concatenate(parts), patient.mask)


def _schedule(share: float, warmup: float) -> float:
    """Rise in a straight line, then fall along half a cosine to zero."""
    if share < warmup:
        return (share + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + float(np.cos(np.pi * (share - warmup) / (1 - warmup))))


@torch.no_grad()
def _follow(average: UNet, net: UNet, decay: float) -> None:
    """Move every weight and statistic of the average a little towards the network's."""
    for kept, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)
