"""What a scan is by its headers alone, told before it is analyzed; pixels of pictures only."""

from dataclasses import dataclass
from pathlib import Path

from model.catalogue import text
from model.errors import UnreadableScan
from model.reading.dicom.flair_selection import Candidate, Sequence, in_order, weigh
from model.reading.dicom.frames import Frame, acquired_at, frames_of, is_dicom
from model.reading.dicom.geometry import Placed, place
from model.reading.dicom.stacks import Stack, stacks_of
from model.reading.dicom.study import NO_FLAIR, NO_PICTURES, NO_SCAN, Failures, seen_as, to_look_at
from model.reading.images import read_picture
from model.reading.nifti import geometry_of
from model.rules import FlairRules
from model.volume import Kind, Scale, Scan, SeriesSeen, column_lengths, note


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
            return _at_nifti(scan.files[0])
        case Kind.IMAGE:
            return _at_picture(scan.files[0])
        case Kind.DICOM:
            return _at_dicom(scan.files, rules)


def _at_nifti(path: Path) -> ScanPreview:
    grid = geometry_of(path)
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
    candidates = [weigh(stack, rules) for stack in stacks_of(frames)]
    chosen = in_order(candidates)
    taken, placed, failed = _first_placed(chosen or to_look_at(candidates))
    header = taken.stack.header
    only = taken.unfit if len(candidates) == 1 else None
    return ScanPreview(
        kind=Kind.DICOM,
        shape=(int(header.Columns), int(header.Rows), len(placed.frames)),
        spacing_mm=column_lengths(placed.affine),
        acquired_at=acquired_at(header),
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
            return candidate, place(_once_each(candidate.stack)), failed
        except UnreadableScan as error:
            errors.append(error)
            failed[id(candidate)] = str(error)
    raise errors[0]


def _once_each(stack: Stack) -> tuple[Frame, ...]:
    """The frames without those that came twice, as far as their numbers tell."""
    fault = next((frame.fault for frame in stack.frames if frame.fault), "")
    if fault:
        raise UnreadableScan(fault)
    return tuple({frame.instance: frame for frame in stack.frames}.values())
