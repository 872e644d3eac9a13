"""What judges slices: one small interface, whichever library and device stands behind it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from model.volume import FloatArray

NVIDIA = Path("/dev/nvidiactl")  # there where a driver for such cards runs


class Engine(Protocol):
    """A network with its weights, ready on a device."""

    def __call__(self, images: FloatArray) -> FloatArray:
        """What the network says of each slice.

        images: float32 (b, inputs, rows, columns), any b. A U-Net answers with the tumor
        probability, float32 (b, rows, columns) in [0, 1]; the gate with logits (b, classes).
        """


def best_device() -> str:
    """ "cuda" where there is such a card and a torch that can use it, else "cpu".

    torch is not loaded to see that there is no card.
    """
    if not NVIDIA.exists() or find_spec("torch") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
