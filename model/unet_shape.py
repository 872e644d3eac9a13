"""What must be known to build the network again, as plain numbers; no torch is needed for them."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class UNetShape:
    """What must be known to build the network again: it travels with the weights.

    stem: 2 folds each square of 2 x 2 pixels into the channels of one before the first level
    and unfolds it after the last (Shi et al., CVPR 2016): half the grid, so the same time
    buys twice the width; 1 leaves the pixels as they are.
    """

    inputs: int = 3
    width: int = 16
    levels: int = 5
    stem: int = 1

    def as_dict(self) -> dict[str, int]:
        """Plain numbers, for a checkpoint or a file header."""
        return asdict(self)


SEED_SHAPE = UNetShape(inputs=1, width=64, levels=4)  # the well-known demo's
