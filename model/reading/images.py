"""PNG, JPEG and TIFF: one grey slice without a scale, or a colour photo that is not analyzed."""

import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from model.catalogue import text
from model.errors import UnreadableScan
from model.volume import FloatArray, Kind, Scale, Volume, note

PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # of TIFF
MAX_PIXELS = 40_000_000
MIN_SIDE = 32
DAMAGED = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error)
GREY_TOLERANCE = 6.0  # mean difference between channels, of 255, that JPEG leaves in a grey picture


def read_picture(path: Path) -> Volume:
    """One picture as a volume (columns, rows, 1), float32 in the file's own grey levels.

    Its affine counts pixels, as if the picture were shown in radiological convention; `scale`
    and `sides_known` say that this is not known. Raises UnreadableScan.
    """
    pixels = _load(path)
    grey, coloured = _to_grey(pixels)
    if min(grey.shape) < MIN_SIDE:
        raise UnreadableScan(text("picture.too_small"))
    return Volume(
        np.ascontiguousarray(grey.T[:, :, None]),
        np.diag([-1.0, -1.0, 1.0, 1.0]),
        Kind.IMAGE,
        Scale.UNKNOWN,
        sides_known=False,
        unfit=note("colour_picture") if coloured else None,
        notes=(note("no_scale"),),
    )


def _load(path: Path) -> NDArray[np.float32]:
    """Pixels as float32 (rows, columns) or (rows, columns, 3); see-through parts are black."""
    try:
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),  # of tags not needed
            Image.open(path, formats=("PNG", "JPEG", "TIFF")) as picture,
        ):
            if getattr(picture, "n_frames", 1) > 1:
                raise UnreadableScan(text("picture.several"))
            if picture.width * picture.height > MAX_PIXELS:
                raise _too_large()
            return _pixels(picture)
    except UnidentifiedImageError:
        raise UnreadableScan(text("picture.not_a_picture")) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large() from None
    except DAMAGED:
        raise UnreadableScan(text("picture.damaged")) from None


def _too_large() -> UnreadableScan:
    return UnreadableScan(text("picture.too_large", limit=MAX_PIXELS // 1_000_000))


def _pixels(picture: Image.Image) -> NDArray[np.float32]:
    if picture.mode in ("L", "1", "I", "F") or picture.mode.startswith("I;16"):
        grey = picture.convert("L") if picture.mode == "1" else picture
        levels = np.asarray(grey).astype(np.float32)
        levels = np.where(np.isfinite(levels), levels, np.float32(0))
        return levels.max() - levels if _is_inverted(picture) else levels
    black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
    black.alpha_composite(picture.convert("RGBA"))
    return np.asarray(black.convert("RGB")).astype(np.float32)


def _is_inverted(picture: Image.Image) -> bool:
    """Whether a TIFF counts from white to black, which Pillow turns around for 8 bits alone."""
    tags = getattr(picture, "tag_v2", {})
    return tags.get(PHOTOMETRIC) == WHITE_IS_ZERO and picture.mode not in ("L", "1")


def _to_grey(pixels: NDArray[np.float32]) -> tuple[FloatArray, bool]:
    """Grey levels (rows, columns), and whether the picture was in colour."""
    if pixels.ndim == 2:
        return pixels, False
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    lit = pixels.max(axis=2) > 20
    coloured = bool(lit.any()) and float(spread[lit].mean()) > GREY_TOLERANCE
    return pixels.mean(axis=2, dtype=np.float32), coloured
