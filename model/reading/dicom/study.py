"""A DICOM study: its FLAIR series is chosen, put in its place, and told apart from the others."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.completeness import why_incomplete
from model.reading.dicom.files import is_dicom
from model.reading.dicom.flair_selection import (
    Candidate,
    in_order,
    repetitions,
    weigh,
    why_not,
)
from model.reading.dicom.frames import Frame, frames_of, number_of, text_of
from model.reading.dicom.geometry import place
from model.reading.dicom.pixels import filled_with_air, rescaled, stored_pixels
from model.reading.dicom.sequence import Sequence
from model.reading.dicom.stacks import ConflictingFiles, Stack, stacks_of
from model.reading.dicom.studies import studies_in
from model.reading.nifti import MAX_VOXELS
from model.rules import RULES, SERIES_FAILED, AskedSeries, FlairRules
from model.volume import (
    FEW,
    FloatArray,
    Kind,
    Note,
    Scale,
    SeriesSeen,
    SourceSlice,
    Volume,
    note,
)

DAMAGED_HEADERS = "dicom.damaged_headers"
NO_SCAN, NO_PICTURES = "dicom.no_scan", "dicom.no_pictures"
NO_FLAIR = "no_flair"  # code of a note
WHOLE_SHARE = 0.8  # of the slices of a damaged stack: less of its series is a fragment of it
MOST_TRIED = 8  # volumes of a study


def read_dicom(files: tuple[Path, ...], rules: FlairRules = RULES) -> Volume:
    """The FLAIR series among `files`, as (columns, rows, slices); all series are listed with it.

    Where no series can be it, the volume is `unfit`, and one of the others is there to look at.
    Files that hold no pictures are passed over. Raises UnreadableScan when the FLAIR, or
    everything, is damaged or makes no volume.
    """
    return next(read_each_flair(files, rules))


def read_each_flair(
    files: tuple[Path, ...], rules: FlairRules = RULES, asked: AskedSeries | None = None
) -> Iterator[Volume]:
    """The same, then the next best FLAIR of the study, and so on: at least one volume.

    asked: the series that a person wants: it alone, if it can be read, with what speaks against it.
    """
    try:
        yield from _read(files, rules, asked)
    except (UnreadableScan, MemoryError):
        raise
    except Exception as error:  # pydicom analyzes a value only when it is asked for
        raise UnreadableScan(text(DAMAGED_HEADERS)) from error


def _read(
    files: tuple[Path, ...], rules: FlairRules, wanted: AskedSeries | None
) -> Iterator[Volume]:
    frames = [frame for file in files for frame in frames_of(file)]
    passed_over = sum(not is_dicom(file) for file in files)
    if not frames:
        raise UnreadableScan(text(NO_SCAN if passed_over == len(files) else NO_PICTURES))
    stacks = stacks_of(frames, rules)
    if len(set(studies_in(stacks).values())) > 1:
        raise UnreadableScan(text("dicom.several_studies"))
    candidates = [weigh(stack, rules) for stack in stacks]
    chosen = in_order(candidates)
    objects = len(files) - passed_over - len({frame.file for frame in frames})
    asked = _asked_among(candidates, wanted)
    usual = [each for each in chosen or to_look_at(candidates) if each is not asked]
    for read, taken, failed in _volumes([asked, *usual] if asked else usual):
        is_asked, is_any = taken is asked, bool(chosen) or taken is asked
        seen = tuple(
            seen_as(each, taken if is_any else None, failed, is_asked) for each in candidates
        )
        volume = replace(read, series=seen, asked=wanted)
        volume = replace(volume, notes=volume.notes + _of_asked(wanted, asked, is_asked, failed))
        if not is_any:
            only = candidates[0].unfit if len(candidates) == 1 else None
            yield replace(volume, unfit=only or note(NO_FLAIR))
            return
        notes = volume.notes + _notes(taken, candidates, is_asked)
        if (missing := why_incomplete(taken.stack.frames, frames, objects)) is not None:
            notes += (missing,)
        if passed_over:
            notes += (note("files_passed_over", count=passed_over),)
        few = None if is_asked else _too_few(taken, chosen)  # a person wants it as it is
        yield replace(volume, notes=notes, unfit=taken.unfit or few)
        if is_asked:
            return


def _asked_among(candidates: list[Candidate], wanted: AskedSeries | None) -> Candidate | None:
    """The one that a person wants; None where it is not there, or two look like it.

    Late slices may have joined it since.
    """
    if wanted is None:
        return None
    named = {
        id(each): (number_of(each.stack.header, "SeriesNumber"), _described(each))
        for each in candidates
    }
    alike = [each for each in candidates if named[id(each)] == (wanted.number, wanted.description)]
    same = [each for each in alike if each.slices == wanted.slices] or alike
    return same[0] if len(same) == 1 else None


def _described(candidate: Candidate) -> str:
    return text_of(candidate.stack.header, "SeriesDescription")


def _of_asked(
    wanted: AskedSeries | None, asked: Candidate | None, is_asked: bool, failed: "Failures"
) -> tuple[Note, ...]:
    """Who chose the series; or why another one was read than the person wanted."""
    if wanted is None:
        return ()
    if is_asked:
        return (note("series_asked", name=wanted.asked_by),)
    reason = failed[id(asked)] if asked else text("series.not_there")
    return (note(SERIES_FAILED, name=wanted.asked_by, reason=reason),)


def _notes(taken: Candidate, candidates: list[Candidate], is_asked: bool) -> tuple[Note, ...]:
    """What is to be said of the choice among several."""
    notes: tuple[Note, ...] = ()
    again = len(repetitions(taken, candidates))
    if len(candidates) > 1 and not is_asked:
        notes += (note("series_chosen", count=len(candidates)),)
    if again and not is_asked:
        notes += (note("taken_again", count=again + 1),)
    if sum(each.stack.series == taken.stack.series for each in candidates) > again + 1:
        notes += (note("series_in_parts"),)
    if taken.sequence is Sequence.UNKNOWN:
        notes += (note("sequence_unknown"),)
    return notes


def _too_few(taken: Candidate, flair: list[Candidate]) -> Note | None:
    """A slice or two of a study that has more FLAIR slices beside them are no scan."""
    beside = sum(each.slices for each in flair) - taken.slices
    return note("too_few_slices", "slices_beside") if taken.slices < FEW and beside else None


def to_look_at(candidates: list[Candidate]) -> list[Candidate]:
    """All of them, MR with most slices first: something to show when nothing is analyzed."""
    return sorted(candidates, key=lambda each: (each.unfit is not None, -each.slices))


Failures = dict[int, str]  # by the identity of a candidate, why it makes no volume


def _volumes(candidates: list[Candidate]) -> Iterator[tuple[Volume, Candidate, Failures]]:
    """Those that make a volume, in turn. Raises the first one's error when none does."""
    errors: list[UnreadableScan] = []
    failed: Failures = {}
    damaged: dict[str, int] = {}  # slices of what failed, by its series
    made = 0
    for candidate in candidates:
        if candidate.slices < WHOLE_SHARE * damaged.get(candidate.stack.series, 0):
            continue  # only a part of a series that is damaged
        try:
            volume = _volume(candidate.stack)
        except MemoryError:
            raise
        except Exception as problem:  # pydicom analyzes a value only when it is asked for
            error = UnreadableScan(text(DAMAGED_HEADERS))
            errors.append(problem if isinstance(problem, UnreadableScan) else error)
            failed[id(candidate)] = _sentence(errors[-1])
            damaged[candidate.stack.series] = candidate.slices
            continue
        made += 1
        yield volume, candidate, failed
        if made == MOST_TRIED:
            return
    if not made:
        raise errors[0]


def _sentence(error: Exception) -> str:
    named = f" ({', '.join(error.names)})" if isinstance(error, ConflictingFiles) else ""
    return str(error).rstrip(".") + named + "."


def _volume(stack: Stack) -> Volume:
    header, frames = stack.header, stack.frames
    if fault := next((frame.fault for frame in frames if frame.fault), ""):
        raise UnreadableScan(fault)
    stack.check()
    placed = place(frames)
    if int(header.Rows) * int(header.Columns) * len(placed.frames) > MAX_VOXELS:
        raise UnreadableScan(text("dicom.too_large"))
    voxels = np.stack(_filled(_pixels(placed.frames)), axis=2)
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        voxels = np.nanmax(voxels) - voxels
    notes = placed.notes
    if stack.twins:
        notes += (note("came_twice", count=len(stack.twins)),)
    if not (text_of(header, "FrameOfReferenceUID") and text_of(header, "StudyInstanceUID")):
        notes += (note("no_frame_of_reference"),)
    return Volume(
        filled_with_air(voxels),
        placed.affine,
        Kind.DICOM,
        Scale.DECLARED,
        sides_known=True,
        description=text_of(header, "SeriesDescription"),
        acquired_at=stack.acquired_at,
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


def seen_as(
    candidate: Candidate, chosen: Candidate | None, failed: Failures, is_asked: bool = False
) -> SeriesSeen:
    """One candidate as a line of the study's list; failed: why some of them make no volume.

    is_asked: a person chose.
    """
    header = candidate.stack.header
    is_chosen = candidate is chosen
    number = number_of(header, "SeriesNumber")
    return SeriesSeen(
        description=_described(candidate),
        number=None if number is None else int(number),
        modality=text_of(header, "Modality"),
        slices=candidate.slices,
        chosen=is_chosen,
        reason=""
        if is_chosen
        else failed.get(id(candidate)) or why_not(candidate, chosen, is_asked),
    )
