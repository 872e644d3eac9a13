"""Pictures that claim one place: one that was sent twice, or repetitions that are told apart.

A picture counts once by its pixels, whatever numbers it came under. Pictures that differ are
parted by the value of the header that makes whole stacks of them, and by no other.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from model.errors import UnreadableScan
from model.reading.dicom.frames import Frame, number_of, text_of
from model.reading.dicom.geometry import place
from model.reading.dicom.pixels import stored_pixels

SAME_PLACE_MM = 0.05
MOST_COMPARED = 2000  # pictures by their pixels; a FLAIR is never repeated that often
MOST_PARTS = 64
ALL_PLACES = 0.9  # share of the places that a repetition must have
DENSER = 0.75  # of a slice's thickness: series that interleave more closely are two scans
SERIES = "SeriesInstanceUID"
TOLD_BY = (  # what may part repetitions, in the order in which it is believed
    *(SERIES, "TemporalPositionIdentifier", "AcquisitionNumber", "EchoNumbers", "EchoTime"),
    *("TriggerTime", "ImageType", "StudyInstanceUID", "SeriesNumber", "SeriesDescription"),
    *("AcquisitionTime", "AcquisitionDateTime"),
)
COUNTED_BY = ("InstanceNumber", "AcquisitionTime", "AcquisitionDateTime", "TriggerTime")

Frames = list[Frame]
Twins = list[tuple[Frame, Frame]]  # a picture that came again, and the one that counts


def is_one_stack(frames: Frames) -> bool:
    """Whether they make a volume, each at a place of its own."""
    try:
        place(frames)
    except UnreadableScan:
        return False
    return True


def crowded(frames: Frames) -> list[Frames]:
    """The frames of each plane that more than one of them claims."""
    groups: dict[int, Frames] = {}
    for frame, plane in zip(frames, _planes(frames), strict=True):
        groups.setdefault(plane, []).append(frame)
    return [groups[plane] for plane in sorted(groups) if len(groups[plane]) > 1]


def without_twins(frames: Frames, by_pixels: bool) -> tuple[Frames, Twins]:
    """The frames without pictures that came again, and these with the ones that count for them.

    by_pixels: compare what they show; else one SOPInstanceUID at one place is one picture. Of two
    the one that can be unpacked counts, since a file that came cut off may have come again.
    """
    groups = crowded(frames)
    several = [frame for group in groups for frame in group]
    shown = _digests(several) if by_pixels and len(several) <= MOST_COMPARED else {}
    weight = Counter(text_of(frame.header, SERIES) for frame in frames)
    twins = [pair for group in groups for pair in _twins(group, shown, weight)]
    if any(_is_flat(shown, twin) for twin, _ in twins) and crowded(_but(frames, twins)):
        # of repetitions that differ, slices of air alone may well be the same
        twins = [(twin, kept) for twin, kept in twins if not _is_flat(shown, twin)]
    return _but(frames, twins), twins


def parted(frames: Frames) -> list[Frames]:
    """One stack, or one a repetition; all together where no value makes stacks of them."""
    is_crowded, several = bool(crowded(frames)), len(_values(frames, SERIES)) > 1
    if not is_crowded and (not several or _is_interleaved_well(frames)):
        return [frames]
    best = _best(frames, _equal_parts(frames, (SERIES,))) if several else []
    if not best and is_crowded:
        whole = ALL_PLACES * (max(_planes(frames)) + 1)
        partitions = _partitions(frames)
        best = _best(frames, (parts for parts in partitions if max(map(len, parts)) >= whole))
    if not best:
        return [frames]
    return [whole for part in best for whole in ([part] if is_one_stack(part) else parted(part))]


def _best(frames: Frames, partitions: Iterable[list[Frames]]) -> list[Frames]:
    """The partition that leaves the fewest frames without a stack, in the fewest parts."""
    best: list[Frames] = []
    least = (len(frames), 1)
    for parts in partitions:
        joined = _joined(parts)
        unfit = sum(len(part) for part in joined if not is_one_stack(part))
        if (unfit, len(joined)) < least and len(joined) > 1 and _has_stacks(joined, frames):
            best, least = joined, (unfit, len(joined))
    return best


def _heights(frames: Frames) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    places = [frame.place for frame in frames]
    first = places[0]
    assert first is not None, "only frames that say where they lie are compared"
    normal = np.cross(first.along, first.down)
    return np.array([each.first_pixel @ normal for each in places if each is not None])


def _twins(group: Frames, shown: dict[int, str], weight: Counter[str]) -> Twins:
    """Among frames of one place; the one that counts is of the series with most frames."""

    def preference(frame: Frame) -> tuple[object, ...]:
        count = -weight[text_of(frame.header, SERIES)]
        number = number_of(frame.header, "InstanceNumber") or 0.0
        is_sound = not frame.fault and shown.get(id(frame), "?") != ""
        return (not is_sound, count, number, *frame.instance, str(frame.file))

    kept: Frames = []
    twins: Twins = []
    for frame in sorted(group, key=preference):
        same = next((each for each in kept if _is_same(each, frame, shown)), None)
        if same is None:
            kept.append(frame)
        else:
            twins.append((frame, same))
    return twins


def _is_same(one: Frame, other: Frame, shown: dict[int, str]) -> bool:
    assert one.place is not None, "only placed frames are compared"
    assert other.place is not None, "only placed frames are compared"
    if np.abs(one.place.first_pixel - other.place.first_pixel).max() >= SAME_PLACE_MM:
        return False
    first, second = shown.get(id(one), ""), shown.get(id(other), "")
    if first and second:
        return first == second
    return bool(one.instance[0]) and one.instance == other.instance


def _digests(frames: Frames) -> dict[int, str]:
    """What each frame shows, by its identity; "" of one that cannot be unpacked."""
    by_file: dict[Path, Frames] = {}
    for frame in frames:
        by_file.setdefault(frame.file, []).append(frame)
    return {key: digest for group in by_file.values() for key, digest in _shown(group)}


def _shown(frames: Frames) -> Iterator[tuple[int, str]]:
    """Of the frames of one file."""
    try:
        pictures = stored_pixels(frames)
    except UnreadableScan:
        yield from ((id(frame), "") for frame in frames)
        return
    for frame, pixels in zip(frames, pictures, strict=True):
        flat = "flat " if pixels.size and np.ptp(np.nan_to_num(pixels)) == 0 else ""
        yield id(frame), flat + hashlib.sha256(pixels.tobytes()).hexdigest()


def _is_flat(shown: dict[int, str], frame: Frame) -> bool:
    return shown.get(id(frame), "").startswith("flat")


def _but(frames: Frames, twins: Twins) -> Frames:
    gone = {id(twin) for twin, _ in twins}
    return [frame for frame in frames if id(frame) not in gone]


def _is_interleaved_well(frames: Frames) -> bool:
    """Whether several series make one stack, and no denser one than slices are thick."""
    if not is_one_stack(frames):
        return False
    own = [part for part in _values(frames, SERIES).values() if len(part) > 1]
    step = np.median(np.diff(np.sort(_heights(frames)))) if len(frames) > 1 else 0.0
    wide = min((float(np.median(np.diff(np.sort(_heights(part))))) for part in own), default=step)
    thick = number_of(frames[0].header, "SliceThickness") or 0.0
    return bool(step >= DENSER * min(thick, wide))


def _values(frames: Frames, tag: str) -> dict[str, Frames]:
    groups: dict[str, Frames] = {}
    for frame in frames:
        groups.setdefault(text_of(frame.header, tag), []).append(frame)
    return groups


def _partitions(frames: Frames) -> Iterator[list[Frames]]:
    yield from _equal_parts(frames, TOLD_BY)
    most = max(len(group) for group in crowded(frames))
    for tag in COUNTED_BY:
        if counted := _counted_parts(frames, tag, most):
            yield counted


def _equal_parts(frames: Frames, tags: tuple[str, ...]) -> Iterator[list[Frames]]:
    """The frames of each value of a tag, in the order in which they were taken."""
    for tag in tags:
        parts = list(_values(frames, tag).values())
        if 1 < len(parts) <= MOST_PARTS:
            yield sorted(parts, key=_first_taken)


def _first_taken(part: Frames) -> tuple[str, float, str]:
    moments = [text_of(frame.header, "AcquisitionTime") for frame in part]
    numbers = [number_of(frame.header, "InstanceNumber") or 0.0 for frame in part]
    return min(moments), min(numbers), text_of(part[0].header, SERIES)


def _counted_parts(frames: Frames, tag: str, most: int) -> list[Frames]:
    """As many stacks as pictures claim a place, by a value that counts on from one to the next.

    Either whole stacks follow each other, or the pictures of each place do.
    """
    numbers = [number_of(frame.header, tag) for frame in frames]
    told = set(zip(numbers, _planes(frames), strict=True))
    if None in numbers or len(told) < len(frames):
        return []
    ordered = [frames[n] for n in np.argsort(np.array(numbers, float), kind="stable")]
    return next((parts for parts in (_blocks(ordered), _ranks(ordered)) if len(parts) == most), [])


def _blocks(ordered: Frames) -> list[Frames]:
    """A new part begins with the first picture whose place the last part has already."""
    parts: list[Frames] = [[]]
    planes = _planes(ordered)
    taken: set[int] = set()
    for frame, plane in zip(ordered, planes, strict=True):
        if plane in taken:
            parts.append([])
            taken = set()
        parts[-1].append(frame)
        taken.add(plane)
    return parts


def _ranks(ordered: Frames) -> list[Frames]:
    """The first picture of each place, the second of each, and so on: as many at each place."""
    parts: list[Frames] = []
    count: Counter[int] = Counter()
    for frame, plane in zip(ordered, _planes(ordered), strict=True):
        if count[plane] == len(parts):
            parts.append([])
        parts[count[plane]].append(frame)
        count[plane] += 1
    return parts if len(set(count.values())) == 1 else []


def _planes(frames: Frames) -> list[int]:
    """The number of the plane of each frame, the same where frames share one."""
    heights = _heights(frames)
    order = np.argsort(heights, kind="stable")
    planes, plane, last = [0] * len(frames), -1, -np.inf
    for number in order:
        if heights[number] - last >= SAME_PLACE_MM:
            plane, last = plane + 1, heights[number]
        planes[number] = plane
    return planes


def _joined(parts: list[Frames]) -> list[Frames]:
    """Parts that make one stack together are one; single pictures are not joined by guess."""
    joined: list[Frames] = []
    for part in parts:
        fitting = next(
            (n for n, whole in enumerate(joined) if len(part) > 1 and _fit(whole, part)), None
        )
        if fitting is None:
            joined.append(part)
        else:
            joined[fitting] = joined[fitting] + part
    return joined


def _fit(whole: Frames, part: Frames) -> bool:
    both = whole + part
    return len(whole) > 1 and not crowded(both) and _is_interleaved_well(both)


def _has_stacks(parts: list[Frames], frames: Frames) -> bool:
    """Whether most pictures lie in parts of several, so that no slice is a scan of its own."""
    return 2 * sum(len(part) for part in parts if len(part) > 1) >= len(frames)
