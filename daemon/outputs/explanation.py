"""A picture of where the network looked, on the slice that it was asked about."""

from pathlib import Path

import numpy as np
from PIL import Image

from daemon.outputs.display import display, turn_like
from daemon.outputs.marks import captioned
from daemon.outputs.pictures import OVERLAY_SIDE, finish
from daemon.outputs.png import save_png
from model.volume import FloatArray, Volume

WARM = np.array([255, 140, 0], np.float32)


def save_explanation(volume: Volume, heat: FloatArray, path: Path) -> None:
    """The explained slice in grey, the warmer the more it counted; the caption says what it is."""
    shown = display(volume, None)
    turned = turn_like(volume, heat)
    index = int(turned.sum(axis=(1, 2)).argmax())
    size = shown.size(OVERLAY_SIDE)
    grey = np.asarray(shown.picture(index, size).convert("RGB"), dtype=np.float32)
    warmth = Image.fromarray(turned[index]).resize(size, Image.Resampling.BILINEAR)
    share = 0.6 * np.clip(np.asarray(warmth), 0, 1)[..., None]
    picture = Image.fromarray((grey * (1 - share) + WARM * share).astype(np.uint8))
    where = f"Slice {index + 1}, Grad-CAM: where the network looked."
    finish(picture, shown)
    save_png(captioned(picture, where), path)
