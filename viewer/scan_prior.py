"""Which scan a scan is shown beside, and how the two lie over each other."""

from dataclasses import dataclass

from daemon.index.assignments import is_taken_back
from daemon.index.database import Database
from daemon.index.scans import ScanRow, dated_before, find_scan
from daemon.names import UNASSIGNED

ALIGNED = "Aligned: both pictures show the same place of the head."
NOT_ALIGNED = "Not aligned: the pictures are linked by their share of the slices, not by place."
Matrix = list[list[float]]


@dataclass(frozen=True)
class Alignment:
    """matrix: 4x4, RAS mm of the later scan to those of the earlier one, None if not known."""

    matrix: Matrix | None

    @property
    def words(self) -> str:
        """For people."""
        return NOT_ALIGNED if self.matrix is None else ALIGNED


async def prior_of(index: Database, scan: ScanRow) -> ScanRow | None:
    """The scan that a change is told against, else the patient's newest dated one before it.

    None of `unassigned`, where scans are of different people.
    """
    if scan.patient_id == UNASSIGNED:
        return None
    told = (scan.report.get("change") or {}).get("prior_scan_id")
    found = await find_scan(index, told) if told else None
    if found is None or found.patient_id != scan.patient_id:
        found = None
    if found is not None and not await is_taken_back(index, found.scan_id):
        return found
    before = await dated_before(index, scan)
    return await find_scan(index, before) if before else None


def align(later: ScanRow, earlier: ScanRow) -> Alignment:
    """How the later scan lies over the earlier one, if its report tells."""
    change = later.report.get("change") or {}
    is_of_both = change.get("prior_scan_id") == earlier.scan_id
    return Alignment(change.get("to_prior_ras_mm") if is_of_both else None)
