"""DICOM frames sorted into stacks: the frames of one series that may make one volume.

A series may hold several: echoes, directions, image types, repetitions (PS3.3 A.1.2.3 leaves
that to the scanner). What a stack may be is judged elsewhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from model.errors import UnreadableScan
from model.reading.dicom_frames import Frame
from model.reading.dicom_pixels import stored_pixels
from model.reading.dicom_places import whereabouts

NOWHERE = ("nowhere",)
REPETITIONS = ("TemporalPositionIdentifier", "AcquisitionNumber")


class ConflictingFiles(UnreadableScan):
    """Two files with one SOPInstanceUID and different pixels. names: theirs, for the report."""

    def __init__(self, names: tuple[str, str]) -> None:
        super().__init__("Two DICOM files bear the same number but show different pictures.")
        self.names = names


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
        return str(self.header.get("SeriesInstanceUID", ""))


def stacks_of(frames: Iterable[Frame]) -> list[Stack]:
    """Every stack, in the order in which the first frame of each came.

    A frame that does not say where it lies stays with the most of its series, so that none is
    lost in silence: the stack cannot be placed then, and that is said.
    """
    groups: dict[tuple[object, ...], list[Frame]] = {}
    for frame in frames:
        groups.setdefault(_kind(frame), []).append(frame)
    lost = {key: groups.pop(key) for key in [key for key in groups if key[1:] == NOWHERE]}
    for key, strays in lost.items():
        same = [group for other, group in groups.items() if other[0] == key[0]]
        (max(same, key=len) if same else groups.setdefault(key, [])).extend(strays)
    return [stack for group in groups.values() for stack in _repetitions(group)]


def unique_frames(stack: Stack) -> tuple[Frame, ...]:
    """The stack's frames without those that came twice: one SOPInstanceUID, the same pixels.

    Exports of one image may differ in their bytes, so pixels are compared. Raises
    ConflictingFiles when they differ, UnreadableScan when one of the two cannot be unpacked.
    """
    kept: dict[tuple[str, int], Frame] = {}
    for frame in stack.frames:
        first = kept.setdefault(frame.instance if frame.instance[0] else _alone(frame), frame)
        if first is not frame and not _same(first, frame):
            raise ConflictingFiles((first.file.name, frame.file.name))
    return tuple(kept.values())


def _same(one: Frame, other: Frame) -> bool:
    return _place(one) == _place(other) and np.array_equal(stored_pixels(one), stored_pixels(other))


def _alone(frame: Frame) -> tuple[str, int]:
    """A name for a frame that has none."""
    return str(frame.file), frame.index


def _kind(frame: Frame) -> tuple[object, ...]:
    """What tells the stacks of a series apart."""
    header = frame.header
    series = str(header.get("SeriesInstanceUID", ""))
    try:
        told = whereabouts(header)
    except UnreadableScan:
        return series, *NOWHERE
    return (
        series,
        header.get("Rows"),
        header.get("Columns"),
        tuple(np.round([*told.along, *told.down], 2) + 0.0),
        (round(told.row_mm, 3), round(told.column_mm, 3)),
        _text(header, "EchoTime"),
        _text(header, "ImageType"),
        _text(header, "DiffusionBValue"),
    )


def _repetitions(frames: list[Frame]) -> list[Stack]:
    """One stack, or one a repetition where several frames share each place."""
    for tag in REPETITIONS:
        if not _share_places(frames):
            break
        groups: dict[str, list[Frame]] = {}
        for frame in frames:
            groups.setdefault(_text(frame.header, tag), []).append(frame)
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
    try:
        return tuple(np.round(whereabouts(frame.header).first_pixel, 2) + 0.0)
    except UnreadableScan:
        return ()


def _text(header: Dataset, tag: str) -> str:
    return str(header.get(tag, "") or "")
