"""DICOM frames sorted into stacks: the frames that make one volume, whatever they are called.

Slices of one size, direction and sequence that lie evenly beside each other are one volume, in one
series or in several: anonymizers, archives and scanners number them anew (PS3.3 C.7.3.1 leaves
much of that to them). They are parted only where two pictures claim one place (repeats).
"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydicom.dataset import Dataset

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.frames import Frame, acquired_at, number_of, text_of
from model.reading.dicom.repeats import SERIES, Frames, Twins, crowded, parted, without_twins
from model.reading.dicom.sequence import Sequence, sequence_of
from model.rules import RULES, FlairRules

SAME_DIRECTION = 0.01  # of a unit vector's component
SAME_SIZE = 0.005  # share of the pixel's size
SAME_NUMBERS = {  # values that differ by less are those of one sequence
    "EchoTime": 5.0,  # ms
    "InversionTime": 100.0,  # ms
    "DiffusionBValue": 1.0,  # s/mm2
}
SAME_FORM = ("Rows", "Columns", "SamplesPerPixel")
SPEAKING = (SERIES, "SeriesDescription", "ImageType")


class ConflictingFiles(UnreadableScan):
    """Two files with one SOPInstanceUID and different pixels. names: theirs, for the report."""

    def __init__(self, names: tuple[str, str]) -> None:
        super().__init__(text("dicom.conflicting_files"))
        self.names = tuple(_readable(name) for name in names)


def _readable(name: str) -> str:
    """A file's name as UTF-8, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames that make one volume, in the order in which they lie.

    twins: pictures among its files that show the same as one of the frames, and count no more.
    """

    frames: tuple[Frame, ...]
    twins: tuple[Frame, ...] = ()

    @cached_property
    def header(self) -> Dataset:
        """The header that speaks for the stack: the first of those that most of it agrees with."""
        return speaker(self.frames).header

    @property
    def series(self) -> str:
        """SeriesInstanceUID of most of it."""
        return text_of(self.header, SERIES)

    @cached_property
    def acquired_at(self) -> str | None:
        """When the first of its pictures was taken."""
        moments = [moment for frame in self.frames if (moment := acquired_at(frame.header))]
        return min(moments, default=None)

    def check(self) -> None:
        """Raise ConflictingFiles when two of its files have one number and differ."""
        for group in crowded([frame for frame in self.frames if frame.place is not None]):
            known: dict[tuple[str, int], Frame] = {}
            for frame in group:
                other = known.setdefault(frame.instance, frame)
                if other is not frame and frame.instance[0]:
                    raise ConflictingFiles((other.file.name, frame.file.name))


def speaker(frames: Iterable[Frame]) -> Frame:
    """Of frames that are called differently the first of those that most are called like."""
    every = list(frames)
    said = [tuple(text_of(frame.header, tag) for tag in SPEAKING) for frame in every]
    count = Counter(said)
    most = min(count, key=lambda each: (-count[each], each[1:], each[0]))
    return every[said.index(most)]


def stacks_of(frames: Iterable[Frame], rules: FlairRules = RULES) -> list[Stack]:
    """Every stack, in the order in which the first frame of each came.

    A frame that does not say where it lies stays with the most of its series, so that none is
    lost in silence: the stack cannot be placed then, and that is said.
    """
    every = list(frames)
    came = {id(frame): number for number, frame in enumerate(every)}
    placed = [frame for frame in every if not frame.fault and frame.place is not None]
    stacks = [
        stack
        for alike in _alike(placed)
        for scan, sequence in _scans(alike, rules)
        for stack in _stacks(scan, sequence)
    ]
    for frame in every:
        if frame.fault or frame.place is None:
            _add_stray(stacks, frame)
    return sorted(stacks, key=lambda stack: min(came[id(frame)] for frame in stack.frames))


def _stacks(scan: Frames, sequence: Sequence) -> list[Stack]:
    """Pictures of a sequence that is never analyzed are not compared by their pixels."""
    kept, twins = without_twins(_in_order(scan), by_pixels=sequence is not Sequence.OTHER)
    return [Stack(tuple(_in_order(part)), _of(part, twins)) for part in parted(kept)]


def _of(part: Frames, twins: Twins) -> tuple[Frame, ...]:
    here = {id(frame) for frame in part}
    return tuple(twin for twin, kept in twins if id(kept) in here)


def _in_order(frames: Frames) -> Frames:
    """By place, and where that is the same by number, in whatever order the files came."""
    first = frames[0].place
    assert first is not None, "strays have been left out"
    normal = np.cross(first.along, first.down)

    def where(frame: Frame) -> tuple[object, ...]:
        assert frame.place is not None, "strays have been left out"
        height = round(float(frame.place.first_pixel @ normal), 3)
        return height, number_of(frame.header, "InstanceNumber") or 0.0, *frame.instance

    return sorted(frames, key=where)


def _add_stray(stacks: list[Stack], frame: Frame) -> None:
    """A damaged frame of which a sound one came as well counts no more; else it joins the most
    of its series."""
    same = [n for n, stack in enumerate(stacks) if stack.series == text_of(frame.header, SERIES)]
    came = [n for n in same if frame.instance in [each.instance for each in stacks[n].frames]]
    if came and frame.fault and frame.instance[0]:
        stack = stacks[came[0]]
        stacks[came[0]] = Stack(stack.frames, (*stack.twins, frame))
    elif same:
        most = max(same, key=lambda n: len(stacks[n].frames))
        stacks[most] = Stack((*stacks[most].frames, frame), stacks[most].twins)
    else:
        stacks.append(Stack((frame,)))


def _alike(frames: Frames) -> list[Frames]:
    """Frames of one size, direction and sequence, as far as scanners write them exactly."""
    sizes: dict[tuple[str, ...], list[Frames]] = {}
    for frame in sorted(frames, key=_turn):
        size = tuple(text_of(frame.header, tag) for tag in SAME_FORM)
        groups = sizes.setdefault(size, [])
        fitting = next((group for group in groups if _is_parallel(group[0], frame)), None)
        if fitting is None:
            groups.append([frame])
        else:
            fitting.append(frame)
    alike = [group for groups in sizes.values() for group in groups]
    for tag, gap in SAME_NUMBERS.items():
        alike = [part for group in alike for part in _by_number(group, tag, gap)]
    return alike


def _turn(frame: Frame) -> tuple[float, ...]:
    told = frame.place
    assert told is not None, "strays have been left out"
    return (*told.along, *told.down, told.row_mm, told.column_mm)


def _is_parallel(one: Frame, other: Frame) -> bool:
    first, second = np.array(_turn(one)), np.array(_turn(other))
    sizes = first[6:] / second[6:]
    turned = np.abs(first[:6] - second[:6]).max()
    return bool(turned < SAME_DIRECTION and np.abs(sizes - 1).max() < SAME_SIZE)


def _by_number(frames: Frames, tag: str, gap: float) -> list[Frames]:
    """Frames whose values lie close; those that name none go with the others, if all are close."""
    told = [(number_of(frame.header, tag), frame) for frame in frames]
    silent = [frame for number, frame in told if number is None]
    known = sorted(
        ((number, frame) for number, frame in told if number is not None),
        key=lambda each: each[0],
    )
    groups: list[Frames] = []
    last = -np.inf
    for number, frame in known:
        if number - last >= gap:
            groups.append([])
        groups[-1].append(frame)
        last = number
    if not silent:
        return groups
    return [groups[0] + silent] if len(groups) == 1 else [*groups, silent]


def _scans(frames: Frames, rules: FlairRules) -> list[tuple[Frames, Sequence]]:
    """Series by series, and those together that may be one: of one patient, day, sequence and
    frame of reference."""
    series: dict[str, Frames] = {}
    for frame in frames:
        series.setdefault(text_of(frame.header, SERIES), []).append(frame)
    alike: dict[tuple[Sequence, str, str], list[Frames]] = {}
    for part in series.values():
        header = speaker(_in_order(part)).header
        day = text_of(header, "StudyDate") or text_of(header, "AcquisitionDate")
        same = (sequence_of(header, rules), text_of(header, "PatientID").strip(), day)
        alike.setdefault(same, []).append(part)
    return [(scan, same[0]) for same, parts in alike.items() for scan in _by_reference(parts)]


def _by_reference(parts: list[Frames]) -> list[Frames]:
    """Series of one frame of reference together; all, where each picture was given its own."""
    references = Counter(
        text_of(frame.header, "FrameOfReferenceUID") for part in parts for frame in part
    )
    if max(references.values()) == 1:
        return [[frame for part in parts for frame in part]]
    scans: dict[str, Frames] = {}
    for part in parts:
        reference = text_of(speaker(_in_order(part)).header, "FrameOfReferenceUID")
        scans.setdefault(reference, []).extend(part)
    return list(scans.values())
