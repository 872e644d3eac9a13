"""Whether an int8 network may judge in `fast`: the rule, and the figures that meet or miss it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation import spread

SINGLE = "fp32"
MOST_LOST, LEAST_SPEEDUP = 0.005, 1.5
DIGITS = 6  # finer than any figure is printed, coarser than what adding up leaves


@dataclass(frozen=True)
class Verdict:
    """lost: mean Dice of fp32 minus that of int8; speedup: times as fast as fp32."""

    lost: float
    speedup: float

    @property
    def accurate(self) -> bool:
        """Whether the loss is small enough."""
        return round(self.lost, DIGITS) <= MOST_LOST

    @property
    def fast(self) -> bool:
        """Whether the gain is large enough."""
        return round(self.speedup, DIGITS) >= LEAST_SPEEDUP

    @property
    def passes(self) -> bool:
        """Whether it may be shipped."""
        return self.accurate and self.fast

    def plain(self) -> dict[str, float | bool]:
        """For programs."""
        return {"lost": self.lost, "speedup": self.speedup, "passes": self.passes}

    def words(self) -> str:
        """The verdict as one sentence."""
        return (
            f"int8 {'passes' if self.passes else 'does not pass'}: mean Dice falls"
            f" by {self.lost:.4f} (at most {MOST_LOST} wanted), {self.speedup:.2f} times as fast"
            f" (at least {LEAST_SPEEDUP} wanted)."
        )


@dataclass(frozen=True)
class Compared:
    """Dice by patient, of fp32 and of int8, in the same order."""

    patients: tuple[str, ...]
    single: tuple[float, ...]
    small: tuple[float, ...]

    @property
    def differences(self) -> list[float]:
        """int8 minus fp32, by patient."""
        return [b - a for a, b in zip(self.single, self.small, strict=True)]

    @property
    def lost(self) -> float:
        """How much of the mean Dice int8 costs."""
        return -float(np.mean(self.differences))

    def figures(self) -> dict[str, Any]:
        """Spreads (95 % intervals over patients), and each patient, as plain values."""
        changes = self.differences
        return {
            "patients": len(self.patients),
            SINGLE: spread(list(self.single)),
            "int8": spread(list(self.small)),
            "int8 minus fp32": spread(changes),
            "standard deviation of the differences": round(float(np.std(changes, ddof=1)), 4)
            if len(changes) > 1
            else None,
            "cases": [
                {"patient": name, SINGLE: round(a, 4), "int8": round(b, 4)}
                for name, a, b in zip(self.patients, self.single, self.small, strict=True)
            ],
        }


def best_of(ways: Mapping[str, Verdict]) -> str:
    """The way that loses least Dice of those that are fast enough; else the fastest."""
    fast = [name for name, each in ways.items() if each.fast]
    if not fast:
        return max(ways, key=lambda name: ways[name].speedup)
    return min(fast, key=lambda name: ways[name].lost)
