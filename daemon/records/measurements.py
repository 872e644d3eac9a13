"""What people measure on scans by hand: what can be kept, whose it is, and who takes it back."""

import hashlib
import json
import math

from daemon.index.database import Database
from daemon.index.people.measurements import (
    MOST_KEPT,
    Measurement,
    add_document,
    add_measurement,
    documents_of,
    measurements_of,
    remove_measurement,
)
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text
from daemon.report import Report
from model.drawn_shapes import POINTS, Drawn, Figures, Shape
from model.errors import GliowatchError

LONGEST = 1000  # characters of a form's points
FARTHEST = 1e6  # voxels
DOCUMENTS_TOLD = "measurements_told"  # a switch: how far documents that were asked for are made


class WrongMeasurement(GliowatchError):
    """It cannot be kept, removed or left; the sentence says why."""


def grid_of(report: Report) -> str:
    """By which voxels a report was made: the same for revisions that a shape can be shown on."""
    given = report.input
    chosen = [[each.number, each.description] for each in given.series or () if each.chosen]
    told = (given.sha256, given.shape, given.spacing_mm, given.orientation, chosen)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def read_shape(kind: str, points: str) -> Drawn:
    """A shape as a form sends it: its name, and JSON of its points. Raises WrongMeasurement."""
    wrong = WrongMeasurement(text("measuring.wrong_shape"))
    if kind not in set(Shape) or len(points) > LONGEST:
        raise wrong
    try:
        told = [tuple(float(number) for number in point) for point in json.loads(points)]
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    is_whole = len(told) == POINTS[Shape(kind)] and all(len(point) == 3 for point in told)
    if not is_whole or not all(_is_sane(number) for point in told for number in point):
        raise wrong
    return Drawn(Shape(kind), tuple((i, j, k) for i, j, k in told))


def _is_sane(number: float) -> bool:
    return math.isfinite(number) and abs(number) < FARTHEST


async def keep(
    records: Database, scan: ScanRow, drawn: Drawn, figures: Figures, account_id: int, who: str
) -> None:
    """Keep what a person measured. Raises WrongMeasurement."""
    is_kept = await add_measurement(
        records,
        scan.scan_id,
        scan.revision,
        grid_of(scan.report),
        drawn=drawn,
        figures=figures,
        account_id=account_id,
        measured_by=who,
    )
    if not is_kept:
        raise WrongMeasurement(text("measuring.too_many", most=MOST_KEPT))


async def remove(
    records: Database, scan_id: str, number: int, account_id: int, is_admin: bool, who: str
) -> None:
    """One's own stands no longer, to an admin anybody's. Raises WrongMeasurement."""
    whose = None if is_admin else account_id
    if not await remove_measurement(records, scan_id, number, whose, who):
        raise WrongMeasurement(text("measuring.not_yours"))


def of_person(found: list[Measurement], account_id: int, report: Report) -> tuple[int, ...]:
    """The numbers of a person's measurements that stand on the voxels of a report."""
    grid = grid_of(report)
    mine = (each for each in found if each.account_id == account_id and each.grid == grid)
    return tuple(each.measurement_id for each in mine if not each.removed_at)


async def leave(records: Database, scan: ScanRow, account_id: int, who: str) -> None:
    """Note that one's own measurements are to be left as DICOM SR. Raises WrongMeasurement."""
    if scan.report.input.kind != "dicom" or scan.removed_at is not None:
        raise WrongMeasurement(text("measuring.no_dicom"))
    found = await measurements_of(records, scan.scan_id)
    numbers = of_person(found, account_id, scan.report)
    if not numbers:
        raise WrongMeasurement(text("measuring.none_of_yours"))
    before = await documents_of(records, scan.scan_id)
    if any((each.numbers, each.revision) == (numbers, scan.revision) for each in before):
        raise WrongMeasurement(text("measuring.left_before"))
    await add_document(
        records, scan.scan_id, scan.revision, account_id=account_id, asked_by=who, numbers=numbers
    )
