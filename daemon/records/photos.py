"""A photo of a patient as it is kept: opened in a process of its own, and drawn anew, small.

`python -m daemon.records.photos` is that process: the file on standard input, a JPEG on standard
output. It is no `Slot`, since the viewer's own process may not have any by multiprocessing.
"""

import asyncio
import io
import os
import resource
import sys

from PIL import Image, ImageOps

from daemon.confinement import Bounds, confine
from daemon.outputs.catalogue import text
from model.errors import GliowatchError

SIDE = 256  # pixels, of the longer side
MOST_PIXELS = 50_000_000  # of the file that was sent
SECONDS = 20.0
MEMORY_BYTES = 2 * 10**9
NOT_TAKEN = 3  # exit code: it is no picture of these kinds, or has too many pixels
AT_ONCE = asyncio.Semaphore(2)


class NoPhoto(GliowatchError):
    """The file cannot be kept as a photo; the sentence says why."""


async def small_photo(content: bytes) -> bytes:
    """A small JPEG without any of the file's own data but its pixels. Raises NoPhoto."""
    async with AT_ONCE:
        code, jpeg = await _in_own_process(content)
    if code == NOT_TAKEN:
        raise NoPhoto(text("photo_fault.not_accepted"))
    if code != 0:
        raise NoPhoto(text("photo_fault.unreadable"))
    return jpeg


async def _in_own_process(content: bytes) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daemon.records.photos"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        async with asyncio.timeout(SECONDS):
            jpeg, _ = await process.communicate(content)
    except TimeoutError:
        return -1, b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, jpeg


def draw_anew(content: bytes) -> bytes | None:
    """Decode, turn as the camera says, make small, encode; None for what is not taken."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as photo:
            if photo.width * photo.height > MOST_PIXELS:
                return None
            photo.thumbnail((4 * SIDE, 4 * SIDE))  # also lets a JPEG be decoded small
            upright = ImageOps.exif_transpose(photo).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    upright.thumbnail((SIDE, SIDE))
    plain = Image.new("RGB", upright.size, "white")
    plain.paste(upright, mask=upright.getchannel("A"))
    kept = io.BytesIO()
    plain.save(kept, "JPEG", quality=85)
    return kept.getvalue()


def main() -> None:
    """In the process of its own, within its limits of memory, time and what it may touch."""
    confine(Bounds((), (), MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS)))
    jpeg = draw_anew(sys.stdin.buffer.read())
    if jpeg is None:
        sys.exit(NOT_TAKEN)
    sys.stdout.buffer.write(jpeg)


if __name__ == "__main__":
    main()
