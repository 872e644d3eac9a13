"""Reports that were never written by a scan: valid ones, with what a test wants to be other."""

import json
from typing import Any

from daemon.report import Report, read_report
from daemon.report_parts import HistoryEntry, Lesion

CHANGE: dict[str, Any] = {
    "prior_scan_id": "0" * 20,
    "prior_revision": 1,
    "prior_acquired_at": "2023-05-06",
    "days": 366.0,
    "volume_ml": 6.2,
    "volume_percent": 18.0,
    "longest_diameter_mm": 3.0,
    "longest_diameter_percent": 5.0,
    "volume_ml_per_30_days": 0.5,
    "ranges_overlap": False,
    "new_lesions": [],
    "gone_lesions": [],
    "comparable": True,
    "measured_differently": [],
    "registered": True,
    "to_prior_ras_mm": None,
    "words": "FLAIR change vs prior of 2023-05-06 (366 days): +6.2 ml.",
}
MASK: dict[str, Any] = {
    "source": "corrected",
    "by": "Ada",
    "at": "2024-05-07T09:00:00.000+00:00",
    "sha256": "0" * 64,
    "correction": "0" * 20,
    "agreement": {"revision": 1, "dice": 0.9, "model_volume_ml": 41.237},
}
LESION: dict[str, Any] = {
    "id": 1,
    "volume_ml": 41.237,
    "voxels": 41237,
    "longest_diameter_mm": 52.4,
    "perpendicular_diameter_mm": 38.1,
    "centroid_ras_mm": [30.0, 10.0, 20.0],
    "side": "right",
    "largest_slice": 68,
    "mean_probability": 0.914,
}
INPUT: dict[str, Any] = {
    "kind": "nifti",
    "files": 1,
    "sha256": "0123456789abcdef" * 4,
    "shape": [240, 240, 155],
    "spacing_mm": [1.0, 1.0, 1.25],
    "orientation": "LPS",
    "description": "",
    "acquired_at": "2024-05-06T07:08:09",
}
REPORT: dict[str, Any] = {
    "schema": "gliowatch/report/1",
    "scan_id": "0123456789abcdef0123",
    "revision": 1,
    "supersedes": None,
    "patient_id": "P1",
    "input": INPUT,
    "model": {"name": "unet-16", "weights_sha256": "fedcba9876543210" * 4, "threshold": 0.5},
    "finding": "tumor",
    "quality": [{"code": "no_date", "message": "The file carries no date."}],
    "volume_ml": 41.237,
    "volume_ml_range": [39.0, 44.0],
    "volume_voxels": 41237,
    "lesions": [LESION],
    "change": None,
    "seconds": {"read": 0.5, "segment": 7.25, "write": 1.0},
}
PARTS = {"input": INPUT, "change": CHANGE, "mask": MASK}


def report_json(**changes: Any) -> dict[str, Any]:
    """A report of the first version, with these keys; of input, change or mask a part is enough."""
    whole = {name: part | (changes.get(name) or {}) for name, part in PARTS.items()}
    filled = {name: whole[name] for name in whole if changes.get(name)}
    found: dict[str, Any] = json.loads(json.dumps(REPORT | changes | filled))
    return found


def make_report(**changes: Any) -> Report:
    """The same as the code has it."""
    return read_report(json.dumps(report_json(**changes)))


def make_lesion(**changes: Any) -> Lesion:
    """One lesion as the code has it."""
    return Lesion.model_validate_json(json.dumps(LESION | changes))


def make_entry(at: str, ml: float, limits: tuple[float, float] | None = None) -> HistoryEntry:
    """One scan of a growth curve."""
    return HistoryEntry(scan_id="f" * 20, acquired_at=at, volume_ml=ml, volume_ml_range=limits)
