"""Which scan a scan is shown beside, and how the two lie over each other."""

from collections.abc import Iterable
from dataclasses import dataclass

from daemon.index.scans import ScanRow
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


def prior_of(scan: ScanRow, others: Iterable[ScanRow]) -> ScanRow | None:
    """The scan that a change is told against, else the patient's newest dated one before it.

    None of `unassigned`, where scans are of different people.
    """
    if scan.patient_id == UNASSIGNED:
        return None
    told = (scan.report.get("change") or {}).get("prior_scan_id")
    by_id = {other.scan_id: other for other in others if other.scan_id != scan.scan_id}
    if told in by_id:
        return by_id[told]
    at = scan.acquired_at
    before = [o for o in by_id.values() if o.acquired_at and at and o.acquired_at < at]
    return max(before, key=lambda other: other.acquired_at or "", default=None)


def align(later: ScanRow, earlier: ScanRow) -> Alignment:
    """How the later scan lies over the earlier one, if its report tells."""
    change = later.report.get("change") or {}
    is_of_both = change.get("prior_scan_id") == earlier.scan_id
    return Alignment(change.get("to_prior_ras_mm") if is_of_both else None)
