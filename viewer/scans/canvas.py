"""What a canvas has to know to show a scan, alone or over the scan before it.

Slices are counted in the order of the pictures: from the feet, the back or the left upwards.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from daemon.drops import UNASSIGNED
from daemon.index.database import Database
from daemon.index.people.patients import Patient
from daemon.index.people.triage.assignments import is_taken_back
from daemon.index.scans import ScanRow, dated_before, find_scan
from daemon.outputs.catalogue import text
from daemon.outputs.wording import moment_words, not_known
from daemon.pipeline.window_presets import WINDOWS
from daemon.report import Report
from daemon.report_parts import Matrix
from viewer.scans.files import IMAGE, Held
from viewer.templating import id_words

VIEW_WINDOWS = len(WINDOWS)


@dataclass(frozen=True)
class Corner:
    """What stands over the picture, in words. spacing: '' of one slice; scale: the unit of the
    scale bar and of places, '' where the file has none."""

    patient: str
    id: str
    acquired: str
    spacing: str
    scale: str


@dataclass(frozen=True)
class View:
    """For static/canvas/view.js. base: address of the scan; revision: as a query; image and mask:
    their addresses, '' where there is none; slice: the first to show, from 0; areas: marked pixels
    of each slice; letters: whether sides are known; unit: what a length is in, '' for none;
    spacing: mm along the file's i, j, k; probability: address of the network's probabilities, ''
    where they are not kept; rim: how many voxels the expected range of the volume is from and to,
    None without one; rim_words: its ends in words.
    """

    base: str
    revision: str
    image: str
    mask: str
    plane: str
    axis: int
    count: int
    slice: int
    areas: tuple[int, ...]
    letters: bool
    nose_left: bool
    unit: str
    spacing: Sequence[float | None] | None
    probability: str
    rim: tuple[int, int] | None
    rim_words: tuple[str, ...]
    still: str
    corner: Corner

    @property
    def as_json(self) -> dict[str, Any]:
        """As plain values, for the page."""
        return asdict(self)

    @property
    def highest(self) -> int:
        """The largest area of a slice, in pixels; 1 if nothing is marked."""
        return max((*self.areas, 1))

    @property
    def marked(self) -> int:
        """How many slices hold a tumor."""
        return sum(area > 0 for area in self.areas)


def view_of(scan: ScanRow, held: dict[str, Held], nose_left: bool, patient: Patient) -> View | None:
    """What is needed to show a revision; None if its files are gone or it tells no slices."""
    report = scan.report
    slices = report.slices
    if slices is None or "overlay.png" not in held:
        return None
    base, query = f"/scans/{scan.scan_id}", f"?revision={scan.revision}"
    count = report.input.shape[slices.axis]
    areas = _shown_order(slices.areas_px or (0,) * count, slices.reversed)

    def address(*roles: str) -> str:
        """Where the first of these files is that the scan has, or ''."""
        there = [role for role in roles if role in held]
        return f"{base}/files/{there[0]}{query}" if there else ""

    is_picture = report.input.kind == "image"
    return View(
        base=base,
        revision=query,
        image="" if is_picture else address("flair.nii.gz", IMAGE),
        mask="" if is_picture else address("seg.nii.gz"),
        plane=slices.plane,
        axis=slices.axis,
        count=count,
        slice=max(range(count), key=areas.__getitem__) if any(areas) else count // 2,
        areas=areas,
        letters=report.input.orientation is not None,
        nose_left=nose_left,
        unit=_unit(report),
        spacing=report.input.spacing_mm,
        probability="" if is_picture else address("prob.nii.gz"),
        rim=_rim(report),
        rim_words=tuple(text("size.ml", ml=ml) for ml in report.volume_ml_range or ()),
        still=address("overlay.png"),
        corner=_corner(scan, patient, slices.axis),
    )


def shown_slice(report: Report, index: int | None) -> int | None:
    """A slice of the file's order in the order of the pictures, from 0; None if not known."""
    slices = report.slices
    if index is None or slices is None:
        return index
    return report.input.shape[slices.axis] - 1 - index if slices.reversed else index


def _shown_order(areas: tuple[int, ...], is_reversed: bool) -> tuple[int, ...]:
    return areas[::-1] if is_reversed else areas


def _corner(scan: ScanRow, patient: Patient, axis: int) -> Corner:
    report = scan.report
    given, is_assigned = report.input, patient.patient_id != UNASSIGNED
    name = patient.name or text("label.no_name")
    return Corner(
        patient=name if is_assigned else text("identity.unassigned"),
        id=text("identity.id", id=id_words(patient.patient_id)) if is_assigned else "",
        acquired=text("canvas.acquired", when=moment_words(scan.acquired_at)),
        spacing="" if given.kind == "image" else _spacing(given.spacing_mm, axis),
        scale=_scale(report),
    )


def _spacing(spacing: Sequence[float | None] | None, axis: int) -> str:
    """How far the slices are apart."""
    between = spacing[axis] if spacing is not None and axis < len(spacing) else None
    if between is None:
        return text("canvas.slice_spacing", spacing=not_known())
    return text("canvas.slice_spacing", spacing=text("canvas.spacing_mm", mm=between))


def _rim(report: Report) -> tuple[int, int] | None:
    """The ends of the expected range of the volume, in voxels."""
    limits, ml, voxels = report.volume_ml_range, report.volume_ml, report.volume_voxels
    if limits is None or not ml or not voxels:
        return None
    low, high = (round(limit / ml * voxels) for limit in limits)
    return low, high


def _scale(report: Report) -> str:
    if report.input.spacing_mm is None or report.input.kind == "image":
        return ""
    return text("canvas.mm_short" if report.has_note("units_unknown") else "canvas.mm")


def _unit(report: Report) -> str:
    if report.input.spacing_mm is None:
        return ""
    assumed = report.has_note("units_unknown")
    return text("canvas.mm_assumed" if assumed else "canvas.mm")


@dataclass(frozen=True)
class Alignment:
    """matrix: 4x4, RAS mm of the later scan to those of the earlier one, None if not known."""

    matrix: Matrix | None

    @property
    def words(self) -> str:
        """For people."""
        return text("canvas.not_registered" if self.matrix is None else "canvas.registered")


async def prior_of(index: Database, scan: ScanRow) -> ScanRow | None:
    """The scan that a change is told against, else the patient's newest dated one before it.

    None of `unassigned`, where scans are of different people.
    """
    if scan.patient_id == UNASSIGNED:
        return None
    change = scan.report.change
    found = await find_scan(index, change.prior_scan_id) if change else None
    if found is None or found.patient_id != scan.patient_id:
        found = None
    if found is not None and not await is_taken_back(index, found.scan_id):
        return found
    before = await dated_before(index, scan)
    return await find_scan(index, before) if before else None


def align(later: ScanRow, earlier: ScanRow) -> Alignment:
    """How the later scan lies over the earlier one, if its report tells."""
    change = later.report.change
    is_of_both = change is not None and change.prior_scan_id == earlier.scan_id
    return Alignment(change.to_prior_ras_mm if change and is_of_both else None)
