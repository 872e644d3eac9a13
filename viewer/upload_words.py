"""What was understood of an upload, in words that a nurse reads before sending."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.understanding import Understood
    from model.reading.preview import Glance

MOST_SERIES = 12  # lines for one study
NO_SCALE = "No scale: millimetres and volume not available"
NO_UNIT = "the file does not say its unit of length: millimetres would only be assumed"


def scan_words(scan: "Understood") -> str:
    """What a scan is, or that it cannot be read."""
    glance = scan.glance
    if glance is None:
        return f"Not readable: {scan.fault}"
    match glance.kind:
        case "image":
            return f"Picture, {glance.shape[0]} x {glance.shape[1]} pixels. {NO_SCALE}."
        case "nifti":
            return f"NIfTI volume, {_times(*glance.shape)}; {_voxel(glance)}."
        case _:
            return f"{_dicom(glance)}."


def fault_words(scan: "Understood") -> str:
    """Why it would be taken, but not judged; '' where nothing speaks against it."""
    return scan.glance.unfit if scan.glance else ""


def series_lines(scan: "Understood") -> tuple[str, ...]:
    """The series of a study, if there are several, and which one is taken."""
    series = scan.glance.series if scan.glance else ()
    if len(series) < 2:
        return ()
    lines = [
        f"{each.description or '(no description)'}, {_slices(each.slices)}: "
        + ("this one is taken." if each.chosen else f"not taken. {each.reason}")
        for each in sorted(series, key=lambda each: not each.chosen)
    ]
    more = len(lines) - MOST_SERIES
    return (*lines[:MOST_SERIES], *([f"{more} more series, not taken."] if more > 0 else []))


def series_title(scan: "Understood") -> str:
    """How many series a study has, and the one that is taken."""
    series = scan.glance.series if scan.glance else ()
    taken = [each.description or "(no description)" for each in series if each.chosen]
    return f"{len(series)} series in this study; taken: {taken[0] if taken else 'none'}"


def _dicom(glance: "Glance") -> str:
    columns, rows, slices = glance.shape
    kind = [glance.modality or "DICOM", *(["FLAIR"] if glance.says_flair else [])]
    spacing = glance.spacing_mm
    gap = [f"{spacing[2]:.3g} mm apart"] if spacing and slices > 1 else []
    pixel = f" of {spacing[0]:.3g} mm" if spacing else ""
    when = [f"acquired {glance.acquired_at.replace('T', ' ')}"] if glance.acquired_at else []
    parts = [*kind, _slices(slices), *gap, f"{columns} x {rows} pixels{pixel}", *when]
    return ", ".join(parts)


def _voxel(glance: "Glance") -> str:
    if glance.spacing_mm is None:
        return NO_UNIT
    sides = {f"{mm:.3g}" for mm in glance.spacing_mm}
    if len(sides) == 1:
        return f"{sides.pop()} mm"
    return f"{' x '.join(f'{mm:.3g}' for mm in glance.spacing_mm)} mm"


def _times(*numbers: int) -> str:
    return " x ".join(str(number) for number in numbers)


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"
