"""DICOM frames sorted into stacks: the frames of one series that may make one volume.

A series may hold several: echoes, directions, image types, repetitions (PS3.3 A.1.2.3 leaves
that to the scanner). What a stack may be is analyzed elsewhere.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.frames import Frame, number_of, text_of
from model.reading.dicom.geometry import Whereabouts, whereabouts
from model.reading.dicom.pixels import stored_pixels

SAME_DIRECTION = 0.01  # of a unit vector's component
SAME_SIZE = 0.005  # share of the pixel's size
SAME_ECHO_MS = 0.5
REPETITIONS = ("TemporalPositionIdentifier", "AcquisitionNumber")


class ConflictingFiles(UnreadableScan):
    """Two files with one SOPInstanceUID and different pixels. names: theirs, for the report."""

    def __init__(self, names: tuple[str, str]) -> None:
        super().__init__(text("dicom.conflicting_files"))
        self.names = tuple(_readable(name) for name in names)


def _readable(name: str) -> str:
    """A file's name as UTF-8, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Stack:
    """Frames that share series, size, direction, echo and kind of image."""

    frames: tuple[Frame, ...]

    @property
    def header(self) -> Dataset:
        """The header of its first frame, which speaks for the stack."""
        return self.frames[0].header

    @property
    def series(self) -> str:
        """SeriesInstanceUID."""
        return _series(self.frames[0])


def stacks_of(frames: Iterable[Frame]) -> list[Stack]:
    """Every stack, in the order in which the first frame of each came.

    A frame that does not say where it lies stays with the most of its series, so that none is
    lost in silence: the stack cannot be placed then, and that is said.
    """
    groups: dict[tuple[object, ...], list[list[Frame]]] = {}
    strays: list[Frame] = []
    for frame in frames:
        if frame.fault or _whereabouts(frame) is None:
            strays.append(frame)
            continue
        alike = groups.setdefault(_kind(frame.header), [])
        fitting = next((group for group in alike if _is_alike(group[0], frame)), None)
        if fitting is None:
            alike.append([frame])
        else:
            fitting.append(frame)
    whole = [group for alike in groups.values() for group in alike]
    for frame in strays:
        same = [group for group in whole if _series(group[0]) == _series(frame)]
        if same:
            max(same, key=len).append(frame)
        else:
            whole.append([frame])
    return [stack for group in whole for stack in _repetitions(group)]


def unique_frames(stack: Stack) -> tuple[Frame, ...]:
    """The stack's frames without those that came twice: one SOPInstanceUID, the same pixels.

    Exports of one image may differ in their bytes, so pixels are compared; of two the one that
    can be unpacked is kept, since a file that came cut off may have come again. Raises
    ConflictingFiles when they differ, UnreadableScan when neither can be unpacked.
    """
    kept: dict[tuple[str, int], Frame] = {}
    for frame in stack.frames:
        name = frame.instance if frame.instance[0] else _alone(frame)
        first = kept.setdefault(name, frame)
        if first is frame:
            continue
        if not _is_sound(first):
            kept[name] = frame
        elif _is_sound(frame) and not _same(first, frame):
            raise ConflictingFiles((first.file.name, frame.file.name))
    return tuple(kept.values())


def _is_sound(frame: Frame) -> bool:
    if frame.fault:
        return False
    try:
        stored_pixels([frame])
    except UnreadableScan:
        return False
    return True


def _same(one: Frame, other: Frame) -> bool:
    if _place(one) != _place(other):
        return False
    first, second = stored_pixels([one])[0], stored_pixels([other])[0]
    return np.array_equal(first, second)


def _alone(frame: Frame) -> tuple[str, int]:
    """A name for a frame that has none."""
    return str(frame.file), frame.index


def _kind(header: Dataset) -> tuple[object, ...]:
    """What tells the stacks of a series apart, as far as it is a matter of equality."""
    tags = ("SeriesInstanceUID", "Rows", "Columns", "ImageType")
    return (*(text_of(header, tag) for tag in tags), number_of(header, "DiffusionBValue"))


def _is_alike(one: Frame, other: Frame) -> bool:
    """The same direction, pixel size and echo, as far as scanners write them exactly."""
    first, second = _whereabouts(one), _whereabouts(other)
    assert first is not None, "strays have been left out"
    assert second is not None, "strays have been left out"
    turned = np.abs([*(first.along - second.along), *(first.down - second.down)]).max()
    sizes = np.array([first.row_mm, first.column_mm]) / [second.row_mm, second.column_mm]
    echoes = [number_of(frame.header, "EchoTime") or 0.0 for frame in (one, other)]
    return bool(
        turned < SAME_DIRECTION
        and np.abs(sizes - 1).max() < SAME_SIZE
        and abs(echoes[0] - echoes[1]) < SAME_ECHO_MS
    )


def _series(frame: Frame) -> str:
    return text_of(frame.header, "SeriesInstanceUID")


def _whereabouts(frame: Frame) -> Whereabouts | None:
    try:
        return whereabouts(frame.header)
    except UnreadableScan:
        return None


def _repetitions(frames: list[Frame]) -> list[Stack]:
    """One stack, or one a repetition where several frames share each place."""
    for tag in REPETITIONS:
        if not _share_places(frames):
            break
        groups: dict[str, list[Frame]] = {}
        for frame in frames:
            groups.setdefault(text_of(frame.header, tag), []).append(frame)
        if len(groups) > 1 and not any(map(_share_places, groups.values())):
            return [Stack(tuple(group)) for group in groups.values()]
    return [Stack(tuple(frames))]


def _share_places(frames: list[Frame]) -> bool:
    """Whether two different images lie at one place; the same image twice does not count."""
    images = {frame.instance: frame for frame in frames}
    places = [place for frame in images.values() if (place := _place(frame))]
    return len(set(places)) < len(places)


def _place(frame: Frame) -> tuple[float, ...]:
    """Where its first pixel lies, to a hundredth of a mm; nothing where it does not say."""
    told = _whereabouts(frame)
    return () if told is None else tuple(np.round(told.first_pixel, 2) + 0.0)
