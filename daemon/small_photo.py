"""A photo of a patient as it is kept: opened in a process of its own, and drawn anew, small."""

import asyncio
import io

from PIL import Image, ImageOps

from daemon.slots import Allowance, Slot, WorkerFailed
from model.errors import GliowatchError

SIDE = 256  # pixels, of the longer side
MOST_PIXELS = 50_000_000  # of the file that was sent
ALLOWANCE = Allowance(seconds=20.0, memory_bytes=10**9)
ONE_AT_A_TIME = asyncio.Semaphore(1)


class NoPhoto(GliowatchError):
    """The file cannot be kept as a photo; the sentence says why."""


async def small_photo(content: bytes) -> bytes:
    """A small JPEG without any of the file's own data but its pixels. Raises NoPhoto."""
    slot = Slot()
    try:
        async with ONE_AT_A_TIME:
            return await slot.run(ALLOWANCE, draw_anew, content)
    except WorkerFailed:
        raise NoPhoto("The photo could not be opened.") from None
    finally:
        slot.close()


def draw_anew(content: bytes) -> bytes:
    """In the process of its own: decode, turn as the camera says, make small, encode."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as photo:
            if photo.width * photo.height > MOST_PIXELS:
                raise NoPhoto("The photo has too many pixels.")
            photo.thumbnail((4 * SIDE, 4 * SIDE))  # also lets a JPEG be decoded small
            upright = ImageOps.exif_transpose(photo).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise NoPhoto("The photo must be a PNG or JPEG file.") from None
    upright.thumbnail((SIDE, SIDE))
    plain = Image.new("RGB", upright.size, "white")
    plain.paste(upright, mask=upright.getchannel("A"))
    kept = io.BytesIO()
    plain.save(kept, "JPEG", quality=85)
    return kept.getvalue()
