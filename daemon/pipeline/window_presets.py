"""Window presets and marks of one slice; the viewer asks for it here and draws nothing itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Window:
    """What of the head's brightness is black and what is white: shares of it.

    The catalogue has their names, by key.
    """

    black: float
    white: float


WINDOWS: Mapping[int, Window] = {
    1: Window(0.0, 1.0),
    2: Window(0.0, 0.6),
    3: Window(0.0, 1.6),
    4: Window(0.25, 0.85),
    5: Window(0.5, 1.0),
}
MARKS = ("outline", "fill", "none")


@dataclass(frozen=True)
class SliceOptions:
    """How a slice is to be drawn. index: from 0, in the order of its pictures; window: a key of
    WINDOWS; marks: one of MARKS; opacity: of a filled mask, 0 to 1."""

    index: int
    window: int = 1
    marks: str = "outline"
    opacity: float = 0.4


def draw(folder: Path, look: SliceOptions) -> bytes:
    """A slice of the scan that was published in `folder`, as PNG. Raises GliowatchError."""
    from daemon.pipeline.slice_drawing import (
        draw_slice,  # only the process that draws needs numpy and the readers
    )

    window = WINDOWS[look.window]
    return draw_slice(folder, look.index, (window.black, window.white), look.marks, look.opacity)
