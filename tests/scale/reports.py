"""Invented reports of scans, with what a analyzed scan's report says, 1 to 3 KB of JSON each."""

import random
from typing import Any

from tests.phantoms.reports import CHANGE, INPUT, MASK, REPORT
from tests.viewer.test_house import lesion

FLAGS = {
    "date_unknown": "The file does not say when it was acquired.",
    "low_confidence": "The network was not sure of this mask.",
    "several_places": "The tumor is in several places; please look whether each of them is one.",
    "slices_missing": "Slices are missing in this series, so the volume may be too small.",
    "no_date": "The file carries no date.",
    "thick_slices": "The slices are thick: small lesions may be missed.",
}
WEIGHTS = ("unet-32", "unet-24", "unet-16")
_INPUT = INPUT | {
    "kind": "dicom",
    "files": 155,
    "description": "t2_tirm_tra_dark-fluid_3mm, from series 7 of 12 in this study",
    "study": {"uid": "1.2.826.0.1.3680043.8.498." + "7" * 38, "accession": "", "date": ""},
    "series": [
        {
            "description": "t1_mprage_sag",
            "number": 3,
            "modality": "MR",
            "slices": 24,
            "chosen": False,
            "reason": "The series is not FLAIR: its name says T1.",
        }
    ]
    * 3,
}
LOBES = ("frontal", "temporal", "parietal", "occipital", "deep", "posterior fossa")


def report_of(
    scan_id: str, patient_id: str, revision: int, chance: random.Random
) -> dict[str, Any]:
    """The report of one revision of a scan."""
    draw = chance.random()
    finding = "tumor" if draw < 0.62 else "no_tumor" if draw < 0.95 else "not_judged"
    volume = {"tumor": round(chance.lognormvariate(3, 1), 3), "no_tumor": 0.0}.get(finding)
    codes = [code for code in FLAGS if chance.random() < 0.05]
    changes: dict[str, Any] = {
        "revision": revision,
        "finding": finding,
        "volume_ml": volume,
        "confidence": round(chance.betavariate(18, 4), 2) if finding == "tumor" else None,
        "quality": [{"code": code, "message": FLAGS[code]} for code in codes],
        "lesions": _lesions(volume, chance) if finding == "tumor" else [],
        "change": _change(volume, chance),
        "model": {"name": chance.choice(WEIGHTS), "weights_sha256": "fe" * 32, "threshold": 0.5},
    }
    if finding == "tumor" and chance.random() < 0.01:
        changes["mask"] = MASK | {"by": "Dr Ada Long"}
    return REPORT | {"scan_id": scan_id, "patient_id": patient_id, "input": _INPUT} | changes


def _lesions(volume: float | None, chance: random.Random) -> list[dict[str, Any]]:
    share = (volume or 0.0) / (count := chance.choice((1, 1, 1, 2, 3)))
    side = chance.choice(("left", "right", "midline"))
    lobes = {chance.choice(LOBES[:5]): 70.0, LOBES[5]: 30.0}
    return [
        lesion(id=number + 1, volume_ml=round(share, 3), side=side, lobes=lobes)
        for number in range(count)
    ]


def _change(volume: float | None, chance: random.Random) -> dict[str, Any] | None:
    """Against the scan before; one in eight scans has none."""
    if not volume or chance.random() < 0.125:
        return None
    percent = round(chance.gauss(4, 22), 1)
    return CHANGE | {
        "volume_percent": percent,
        "volume_ml": volume * percent / 100,
        "comparable": True,
        "prior_acquired_at": "2021-03-04T05:06:07",
    }
