"""A DICOM study: its FLAIR series is chosen, put in its place, and told apart from the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model.errors import UnreadableScan
from model.reading.dicom.flair_selection import Candidate, Sequence, in_order, weigh, why_not
from model.reading.dicom.frames import Frame, acquired_at, frames_of, is_dicom, number_of, text_of
from model.reading.dicom.geometry import place
from model.reading.dicom.pixels import rescaled, stored_pixels
from model.reading.dicom.stacks import ConflictingFiles, Stack, stacks_of, unique_frames
from model.reading.nifti import MAX_VOXELS
from model.rules import RULES, FlairRules
from model.volume import FloatArray, Kind, Note, Scale, SeriesSeen, SourceSlice, Volume

DAMAGED_HEADERS = "The headers of the DICOM files are damaged."
NO_SCAN = "There is nothing here that gliowatch reads: no NIfTI, DICOM, PNG or JPEG."
NO_PICTURES = "There are DICOM files here, but none of them holds pictures."
SEQUENCE_UNKNOWN = Note("sequence_unknown", "The DICOM header does not say which sequence it is.")
IN_PARTS = Note(
    "series_in_parts",
    "The series holds pictures of more than one size, direction or kind: the best part was taken.",
)
NO_FRAME = Note(
    "no_frame_of_reference",
    "The series names no study or frame of reference: no DICOM SEG can be made of it.",
)
NO_FLAIR = Note("no_flair", "None of the series says that it is a FLAIR: nothing was judged.")


def read_dicom(files: tuple[Path, ...], rules: FlairRules = RULES) -> Volume:
    """The FLAIR series among `files`, as (columns, rows, slices); all series are listed with it.

    Where no series can be it, the volume is `unfit`, and one of the others is there to look at.
    Files that hold no pictures are passed over. Raises UnreadableScan when the FLAIR, or
    everything, is damaged or makes no volume.
    """
    try:
        return _read(files, rules)
    except (UnreadableScan, MemoryError):
        raise
    except Exception as error:  # pydicom judges a value only when it is asked for
        raise UnreadableScan(DAMAGED_HEADERS) from error


def _read(files: tuple[Path, ...], rules: FlairRules) -> Volume:
    frames = [frame for file in files for frame in frames_of(file)]
    passed_over = sum(not is_dicom(file) for file in files)
    if not frames:
        raise UnreadableScan(NO_SCAN if passed_over == len(files) else NO_PICTURES)
    if len({text_of(frame.header, "StudyInstanceUID") for frame in frames} - {""}) > 1:
        raise UnreadableScan("The DICOM files are of more than one study: one study, one scan.")
    candidates = [weigh(stack, rules) for stack in stacks_of(frames)]
    chosen = in_order(candidates)
    volume, taken, failed = _first_volume(chosen or to_look_at(candidates))
    seen = tuple(seen_as(each, taken if chosen else None, failed) for each in candidates)
    notes = volume.notes
    if not chosen:
        only = candidates[0].unfit if len(candidates) == 1 else None
        return replace(volume, series=seen, unfit=only or NO_FLAIR)
    if passed_over:
        notes += (_passed_over(passed_over),)
    if len(candidates) > 1:
        notes += (_choice(len(candidates)),)
    if sum(each.stack.series == taken.stack.series for each in candidates) > 1:
        notes += (IN_PARTS,)
    if taken.sequence is Sequence.UNKNOWN:
        notes += (SEQUENCE_UNKNOWN,)
    return replace(volume, series=seen, notes=notes)


def to_look_at(candidates: list[Candidate]) -> list[Candidate]:
    """All of them, MR with most slices first: something to show when nothing is judged."""
    return sorted(candidates, key=lambda each: (each.unfit is not None, each.rank[-2]))


Failures = dict[int, str]  # by the identity of a candidate, why it makes no volume


def _first_volume(candidates: list[Candidate]) -> tuple[Volume, Candidate, Failures]:
    """The first that makes a volume. Raises the first one's error when none does."""
    errors: list[Exception] = []
    failed: Failures = {}
    tried: set[str] = set()
    for candidate in candidates:
        if candidate.stack.series in tried:  # only a part of a series that is damaged
            continue
        try:
            return _volume(candidate.stack), candidate, failed
        except MemoryError:
            raise
        except Exception as problem:  # pydicom judges a value only when it is asked for
            is_told = isinstance(problem, UnreadableScan)
            error = problem if is_told else UnreadableScan(DAMAGED_HEADERS)
            tried.add(candidate.stack.series)
            errors.append(error)
            named = f" ({', '.join(error.names)})" if isinstance(error, ConflictingFiles) else ""
            failed[id(candidate)] = str(error).rstrip(".") + named + "."
    raise errors[0]


def _volume(stack: Stack) -> Volume:
    header = stack.header
    frames = unique_frames(stack)
    if fault := next((frame.fault for frame in frames if frame.fault), ""):
        raise UnreadableScan(fault)
    placed = place(frames)
    if int(header.Rows) * int(header.Columns) * len(placed.frames) > MAX_VOXELS:
        raise UnreadableScan("The DICOM series is too large for a head scan.")
    voxels = np.stack(_filled(_pixels(placed.frames)), axis=2)
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        voxels = voxels.max() - voxels
    notes = placed.notes
    if twice := len(stack.frames) - len(frames):
        notes += (Note("came_twice", f"{twice} of the DICOM pictures came twice."),)
    if not (text_of(header, "FrameOfReferenceUID") and text_of(header, "StudyInstanceUID")):
        notes += (NO_FRAME,)
    return Volume(
        voxels,
        placed.affine,
        Kind.DICOM,
        Scale.DECLARED,
        sides_known=True,
        description=text_of(header, "SeriesDescription"),
        acquired_at=acquired_at(header),
        notes=notes,
        sources=tuple(None if f is None else SourceSlice(f.file, f.index) for f in placed.frames),
    )


def _pixels(frames: tuple[Frame | None, ...]) -> list[FloatArray | None]:
    """The rescaled pixels of each slice; None for one that is missing."""
    there = [frame for frame in frames if frame is not None]
    found = iter(stored_pixels(there))
    return [None if frame is None else rescaled(next(found), frame.header) for frame in frames]


def _filled(slices: list[FloatArray | None]) -> list[FloatArray]:
    """A missing slice, which has both its neighbours, becomes their mean."""
    full = []
    for number, pixels in enumerate(slices):
        below, above = slices[number - 1], slices[(number + 1) % len(slices)]
        if pixels is None and below is not None and above is not None:
            pixels = np.asarray((below + above) / 2, dtype=np.float32)
        if pixels is None:
            raise UnreadableScan("A DICOM slice is missing.")
        full.append(pixels)
    return full


def seen_as(candidate: Candidate, chosen: Candidate | None, failed: Failures) -> SeriesSeen:
    """One candidate as a line of the study's list; failed: why some of them make no volume."""
    header = candidate.stack.header
    is_chosen = candidate is chosen
    number = number_of(header, "SeriesNumber")
    return SeriesSeen(
        description=text_of(header, "SeriesDescription"),
        number=None if number is None else int(number),
        modality=text_of(header, "Modality"),
        slices=len({frame.instance for frame in candidate.stack.frames}),
        chosen=is_chosen,
        reason="" if is_chosen else failed.get(id(candidate)) or why_not(candidate, chosen),
    )


def _passed_over(count: int) -> Note:
    files = "file is" if count == 1 else "files are"
    return Note(
        "files_passed_over",
        f"{count} {files} empty or no DICOM: if one of them was a slice, it is missing.",
    )


def _choice(count: int) -> Note:
    return Note("series_chosen", f"The FLAIR series was chosen among {count} by its header.")
