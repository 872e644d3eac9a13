"""Findings as a table, a row a lesion, with names as they are or so that nobody is told."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from daemon.drops import shown_id
from daemon.report import Report
from daemon.report_parts import Change, Lesion
from daemon.scan_history import date_of

CHARACTERS = 12  # hexadecimal: 48 bits, so that no two patients of a hospital get one name
LONGEST_SHIFT = 365  # days


class Naming(Protocol):
    """Names for one export; the same patient or scan has the same name on every row."""

    def patient(self, patient_id: str) -> str:
        """The patient's name."""

    def scan(self, scan_id: str) -> str:
        """The scan's name."""

    def moment(self, patient_id: str, at: str | None) -> str:
        """When a scan of this patient was acquired; '' where that is not known."""


@dataclass(frozen=True)
class Plain:
    """Everything as it is in the reports."""

    def patient(self, patient_id: str) -> str:
        """The ID as people read it."""
        return shown_id(patient_id)

    def scan(self, scan_id: str) -> str:
        """The scan_id."""
        return scan_id

    def moment(self, patient_id: str, at: str | None) -> str:
        """ISO 8601, with the time of the day where there is one."""
        return at or ""


@dataclass(frozen=True)
class Hidden:
    """Opaque numbers and shifted dates that follow from a secret of the site (HMAC-SHA256).

    The same secret gives the same names in every export, and nobody without it can tell whose
    they are, not even with a list of all patients.
    """

    secret: bytes

    def patient(self, patient_id: str) -> str:
        """`P` and hexadecimal digits."""
        return f"P{self._digest('patient', patient_id)[:CHARACTERS]}"

    def scan(self, scan_id: str) -> str:
        """`S` and hexadecimal digits: a scan_id follows from the patient's id."""
        return f"S{self._digest('scan', scan_id)[:CHARACTERS]}"

    def moment(self, patient_id: str, at: str | None) -> str:
        """The date alone, 1 to 365 days earlier: all of one patient by the same number of days."""
        if not at:
            return ""
        shift = 1 + int(self._digest("shift", patient_id), 16) % LONGEST_SHIFT
        return (date.fromisoformat(at[:10]) - timedelta(days=shift)).isoformat()

    def _digest(self, what: str, name: str) -> str:
        text = f"gliowatch export {what}\0{name}".encode("utf-8", "surrogateescape")
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()


OF_SCAN = (
    *("finding", "volume_ml", "confidence", "volume_voxels"),
    *("midline_shift_mm", "midline_shift_to"),
)
OF_CHANGE = (
    "days",
    "volume_ml",
    "volume_percent",
    "longest_diameter_mm",
    "longest_diameter_percent",
    "volume_ml_per_30_days",
    "repeat_percent",
    "beyond_repeat",
    "comparable",
    "registered",
)
OF_LESION = (
    "volume_ml",
    "voxels",
    "longest_diameter_mm",
    "perpendicular_diameter_mm",
    "product_mm2",
    "max_diameter_3d_mm",
    "side",
    "crosses_midline",
    "across_midline_mm",
    "anterior_posterior",
    "superior_inferior",
    "lobe_words",
    "largest_slice",
    "mean_probability",
)
COLUMNS = (
    *("patient", "scan", "revision", "acquired_at", "date_source", "kind", "spacing_mm"),
    *("network", "weights_sha256", "threshold", "mask"),
    *OF_SCAN,
    *("volume_ml_low", "volume_ml_high", "quality"),
    *("change_prior_scan", *(f"change_{name}" for name in OF_CHANGE)),
    *("change_new_lesions", "change_gone_lesions"),
    *("lesion", *(f"lesion_{name}" for name in OF_LESION)),
    *("lesion_centroid_r_mm", "lesion_centroid_a_mm", "lesion_centroid_s_mm"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute


def rows_of(report: Report, naming: Naming, patient_id: str) -> Iterator[dict[str, object]]:
    """The rows of one report, by column; what is not known is left empty.

    patient_id: the name of the patient's folder, under which all scans of one are known.

    Text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    scan = _scan(report, naming, patient_id) | _change(report.change, naming)
    for lesion in report.lesions or (None,):
        row = scan | (_lesion(lesion) if lesion else {})
        yield {name: plain_cell(row.get(name)) for name in COLUMNS}


def _scan(report: Report, naming: Naming, patient: str) -> dict[str, object]:
    limits = report.volume_ml_range or (None, None)
    given, used = report.input, report.model
    at = date_of(report)
    source = "" if at is None else "entered" if given.acquired_at is None else "file"
    return {
        "patient": naming.patient(patient),
        "scan": naming.scan(report.scan_id),
        "revision": report.revision,
        "acquired_at": naming.moment(patient, at),
        "date_source": source,
        "kind": given.kind,
        "spacing_mm": _joined(given.spacing_mm, " x "),
        "network": used.name,
        "weights_sha256": used.weights_sha256,
        "threshold": used.threshold,
        "mask": "network" if report.mask is None else "corrected",
        **{name: getattr(report, name) for name in OF_SCAN},
        "volume_ml_low": limits[0],
        "volume_ml_high": limits[1],
        "quality": _joined([note.code for note in report.quality], " "),
    }


def _change(change: Change | None, naming: Naming) -> dict[str, object]:
    if not change:
        return {}
    told: dict[str, object] = {f"change_{name}": getattr(change.told, name) for name in OF_CHANGE}
    return told | {
        "change_prior_scan": naming.scan(change.prior_scan_id),
        "change_new_lesions": _joined(change.new_lesions, " "),
        "change_gone_lesions": _joined(change.gone_lesions, " "),
    }


def _lesion(lesion: Lesion) -> dict[str, object]:
    places = lesion.centroid_ras_mm or (None, None, None)
    told = {f"lesion_{name}": getattr(lesion, name) for name in OF_LESION}
    centroid = zip(("r", "a", "s"), places, strict=True)
    return {"lesion": lesion.id, **told} | {f"lesion_centroid_{x}_mm": mm for x, mm in centroid}


def _joined(values: Iterable[object] | None, between: str) -> str | None:
    if values is None:
        return None
    return between.join(str(value) for value in values if value is not None)


def plain_cell(value: object) -> object:
    """A value as a spreadsheet may have it: never taken for a formula."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value
