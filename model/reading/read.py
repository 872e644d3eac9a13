"""The way in for every kind of scan: files in, one Volume out, or a preview by headers alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model.catalogue import text
from model.errors import UnreadableScan
from model.intensity import range_of
from model.reading.dicom.files import is_dicom
from model.reading.dicom.flair_selection import Candidate, in_order, weigh
from model.reading.dicom.frames import frames_of
from model.reading.dicom.geometry import Placed, place
from model.reading.dicom.sequence import Sequence
from model.reading.dicom.stacks import Stack, stacks_of
from model.reading.dicom.study import (
    NO_FLAIR,
    NO_PICTURES,
    NO_SCAN,
    Failures,
    read_each_flair,
    seen_as,
    to_look_at,
)
from model.reading.images import read_picture
from model.reading.nifti import geometry_of, read_nifti
from model.rules import RULES, AskedSeries, FlairRules, Spacing, kind_by_name, other_half
from model.volume import Kind, Scale, Scan, SeriesSeen, Volume, axial_stack, column_lengths, note


def scan_at(path: Path) -> Scan:
    """The scan in a file, or in a folder of DICOM files; nothing is opened."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return Scan(Kind.DICOM, tuple(files))
    beside = (path.with_name(name) for name in other_half(path.name) or ())
    return Scan(kind_by_name(path.name), (path, *[half for half in beside if half.is_file()][:1]))


def read(scan: Scan, rules: FlairRules = RULES) -> Volume:
    """Open the files of one scan. Raises UnreadableScan with the reason in one sentence.

    rules: how the FLAIR among the series of a DICOM study is told.
    """
    return next(read_each(scan, rules))


def read_each(
    scan: Scan, rules: FlairRules = RULES, asked: AskedSeries | None = None
) -> Iterator[Volume]:
    """The volume of a scan; of a DICOM study then the next best FLAIR, each read when asked for.

    asked: the series of the study that a person wants: that one alone, if it can be read.
    Raises UnreadableScan when there is not even one.
    """
    if not scan.files:
        raise UnreadableScan(text("reading.no_file"))
    try:
        for volume in _each(scan, rules, asked):
            yield without_padding(volume)
    except MemoryError:
        raise UnreadableScan(text("reading.out_of_memory")) from None


def _each(scan: Scan, rules: FlairRules, asked: AskedSeries | None) -> Iterator[Volume]:
    match scan.kind:
        case Kind.NIFTI:
            yield read_nifti(*scan.files)
        case Kind.IMAGE:
            yield read_picture(scan.files[0])
        case Kind.DICOM:
            yield from read_each_flair(scan.files, rules, asked)


def without_padding(volume: Volume) -> Volume:
    """A scan whose padding, and what else is no signal, is air; the same in every storage order."""
    its = range_of(axial_stack(volume.voxels, volume.affine))
    settled = its.settle(volume.voxels)
    if settled is volume.voxels:
        return volume
    return replace(volume, voxels=settled, filled=its.filled)


def read_again(
    scan: Scan, kept: Path, rules: FlairRules = RULES, asked: AskedSeries | None = None
) -> Volume:
    """The volume of which the file `kept` is a copy: not every study's best FLAIR was analyzed.

    asked: the series that a person wanted then. The best one where no such file was kept, or none
    is like it.
    """
    if not kept.exists():
        return next(read_each(scan, rules, asked))
    known, best = read_nifti(kept), None
    for volume in read_each(scan, rules, asked):
        best = best or volume
        same_grid = volume.shape == known.shape and np.allclose(
            volume.affine, known.affine, atol=SAME_MM
        )
        if same_grid and np.allclose(volume.voxels, known.voxels, rtol=SAME_GREY):
            return volume
    return best or read(scan, rules)


SAME_MM, SAME_GREY = 0.01, 0.001  # of a series and its copy: mm, and share of a grey value
NO_SCALE_CODES = ("no_scale", "units_unknown")  # what the reader says of a scan without a scale


def with_spacing(volume: Volume, spacing: Spacing | None) -> Volume:
    """The volume in these millimetres; as it is, where its file has a scale of its own.

    A volume without a distance between its slices keeps its file's word: half a scale is none.
    """
    is_picture = volume.kind is Kind.IMAGE
    if spacing is None or volume.scale is Scale.DECLARED:
        return volume
    if spacing.between is None and not is_picture:
        return volume
    between = volume.slice_axis
    wanted = np.array(volume.spacing)
    wanted[[axis for axis in range(3) if axis != between]] = spacing.across, spacing.down
    wanted[between] = spacing.between or wanted[between]
    affine = volume.affine.copy()
    affine[:3, :3] *= wanted / np.array(volume.spacing)
    notes = tuple(note for note in volume.notes if note.code not in NO_SCALE_CODES)
    notes += (note("spacing_entered"),)
    notes += (note("orientation_unknown"),) if is_picture else ()
    return replace(
        volume, affine=affine, file_affine=volume.affine, scale=Scale.DECLARED, notes=notes
    )


@dataclass(frozen=True)
class ScanPreview:
    """One scan at a glance.

    shape: voxels along i, j, k; spacing_mm: between them, None where the file does not say it;
    says_flair: whether a DICOM header says that it is a FLAIR; unfit: why it would not be analyzed,
    as one sentence; series: of a DICOM study all that there are, with why not.
    """

    kind: Kind
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None
    acquired_at: str | None = None
    modality: str = ""
    says_flair: bool = False
    unfit: str = ""
    series: tuple[SeriesSeen, ...] = ()


def preview_scan(scan: Scan, rules: FlairRules) -> ScanPreview:
    """Look at the headers of one scan. Raises UnreadableScan with the reason in one sentence."""
    match scan.kind:
        case Kind.NIFTI:
            return _at_nifti(scan.files)
        case Kind.IMAGE:
            return _at_picture(scan.files[0])
        case Kind.DICOM:
            return _at_dicom(scan.files, rules)


def _at_nifti(files: tuple[Path, ...]) -> ScanPreview:
    grid = geometry_of(*files)
    declared = grid.scale is Scale.DECLARED
    return ScanPreview(Kind.NIFTI, grid.shape, column_lengths(grid.affine) if declared else None)


def _at_picture(path: Path) -> ScanPreview:
    picture = read_picture(path)
    unfit = picture.unfit.message if picture.unfit else ""
    return ScanPreview(Kind.IMAGE, picture.shape, None, unfit=unfit)


def _at_dicom(files: tuple[Path, ...], rules: FlairRules) -> ScanPreview:
    frames = [frame for file in files for frame in frames_of(file)]
    if not frames:
        raise UnreadableScan(
            text(NO_PICTURES if any(is_dicom(file) for file in files) else NO_SCAN)
        )
    candidates = [weigh(stack, rules) for stack in stacks_of(frames, rules)]
    chosen = in_order(candidates)
    taken, placed, failed = _first_placed(chosen or to_look_at(candidates))
    header = taken.stack.header
    only = taken.unfit if len(candidates) == 1 else None
    return ScanPreview(
        kind=Kind.DICOM,
        shape=(int(header.Columns), int(header.Rows), len(placed.frames)),
        spacing_mm=column_lengths(placed.affine),
        acquired_at=taken.stack.acquired_at,
        modality=str(header.get("Modality", "")),
        says_flair=taken.sequence is Sequence.FLAIR,
        unfit="" if chosen else (only or note(NO_FLAIR)).message,
        series=tuple(seen_as(each, taken if chosen else None, failed) for each in candidates),
    )


def _first_placed(candidates: list[Candidate]) -> tuple[Candidate, Placed, Failures]:
    """The first whose slices make a volume. Raises the first one's error when none do."""
    errors: list[UnreadableScan] = []
    failed: Failures = {}
    for candidate in candidates:
        try:
            return candidate, _placed(candidate.stack), failed
        except UnreadableScan as error:
            errors.append(error)
            failed[id(candidate)] = str(error)
    raise errors[0]


def _placed(stack: Stack) -> Placed:
    if fault := next((frame.fault for frame in stack.frames if frame.fault), ""):
        raise UnreadableScan(fault)
    return place(stack.frames)
