"""A DICOM study: its FLAIR series is chosen, put in its place, and told apart from the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.completeness import why_incomplete
from model.reading.dicom.flair_selection import Candidate, Sequence, in_order, weigh, why_not
from model.reading.dicom.frames import Frame, acquired_at, frames_of, is_dicom, number_of, text_of
from model.reading.dicom.geometry import place
from model.reading.dicom.pixels import rescaled, stored_pixels
from model.reading.dicom.stacks import ConflictingFiles, Stack, stacks_of, unique_frames
from model.reading.nifti import MAX_VOXELS
from model.rules import RULES, FlairRules
from model.volume import FloatArray, Kind, Scale, SeriesSeen, SourceSlice, Volume, note

DAMAGED_HEADERS = "dicom.damaged_headers"
NO_SCAN, NO_PICTURES = "dicom.no_scan", "dicom.no_pictures"
NO_FLAIR = "no_flair"  # code of a note


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
    except Exception as error:  # pydicom analyzes a value only when it is asked for
        raise UnreadableScan(text(DAMAGED_HEADERS)) from error


def _read(files: tuple[Path, ...], rules: FlairRules) -> Volume:
    frames = [frame for file in files for frame in frames_of(file)]
    passed_over = sum(not is_dicom(file) for file in files)
    if not frames:
        raise UnreadableScan(text(NO_SCAN if passed_over == len(files) else NO_PICTURES))
    if len({text_of(frame.header, "StudyInstanceUID") for frame in frames} - {""}) > 1:
        raise UnreadableScan(text("dicom.several_studies"))
    candidates = [weigh(stack, rules) for stack in stacks_of(frames)]
    chosen = in_order(candidates)
    volume, taken, failed = _first_volume(chosen or to_look_at(candidates))
    seen = tuple(seen_as(each, taken if chosen else None, failed) for each in candidates)
    notes = volume.notes
    if not chosen:
        only = candidates[0].unfit if len(candidates) == 1 else None
        return replace(volume, series=seen, unfit=only or note(NO_FLAIR))
    objects = len(files) - passed_over - len({frame.file for frame in frames})
    if (missing := why_incomplete(taken.stack.frames, frames, objects)) is not None:
        notes += (missing,)
    if passed_over:
        notes += (note("files_passed_over", count=passed_over),)
    if len(candidates) > 1:
        notes += (note("series_chosen", count=len(candidates)),)
    if sum(each.stack.series == taken.stack.series for each in candidates) > 1:
        notes += (note("series_in_parts"),)
    if taken.sequence is Sequence.UNKNOWN:
        notes += (note("sequence_unknown"),)
    return replace(volume, series=seen, notes=notes)


def to_look_at(candidates: list[Candidate]) -> list[Candidate]:
    """All of them, MR with most slices first: something to show when nothing is analyzed."""
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
        except Exception as problem:  # pydicom analyzes a value only when it is asked for
            is_told = isinstance(problem, UnreadableScan)
            error = problem if is_told else UnreadableScan(text(DAMAGED_HEADERS))
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
        raise UnreadableScan(text("dicom.too_large"))
    voxels = np.stack(_filled(_pixels(placed.frames)), axis=2)
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        voxels = voxels.max() - voxels
    notes = placed.notes
    if twice := len(stack.frames) - len(frames):
        notes += (note("came_twice", count=twice),)
    if not (text_of(header, "FrameOfReferenceUID") and text_of(header, "StudyInstanceUID")):
        notes += (note("no_frame_of_reference"),)
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
            raise UnreadableScan(text("dicom.slice_missing"))
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
