"""The report for machines: gliowatch/report/1, where what cannot be known is null."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nibabel as nib

from daemon.outputs.report_lesion import report_lesion
from daemon.outputs.where_words import lobe_words
from model.measurement.findings import Finding, Findings
from model.measurement.lobes import Lobes
from model.measurement.midline_shift import MidlineShift
from model.reading.dicom.patient_tags import Study
from model.volume import Kind, Scale, Volume

SCHEMA = "gliowatch/report/1"


@dataclass(frozen=True)
class ModelUsed:
    """What judged: the network's name, its weights' hash, and the threshold."""

    name: str
    weights_sha256: str
    threshold: float


@dataclass(frozen=True)
class Occasion:
    """What a report says beside the findings: whose scan, from which files, in what time.

    supersedes: the revision that this one replaces; None for the first.
    """

    scan_id: str
    patient_id: str
    files: int
    input_sha256: str
    seconds: dict[str, float]
    study: Study | None = None
    supersedes: int | None = None


def build_report(
    volume: Volume, findings: Findings, model: ModelUsed, occasion: Occasion
) -> dict[str, Any]:
    """One report as plain JSON values."""
    return {
        "schema": SCHEMA,
        "scan_id": occasion.scan_id,
        "revision": (occasion.supersedes or 0) + 1,
        "supersedes": occasion.supersedes,
        "patient_id": occasion.patient_id,
        "input": _input(volume, occasion),
        "model": {
            "name": model.name,
            "weights_sha256": model.weights_sha256,
            "threshold": model.threshold,
        },
        "finding": str(findings.finding),
        "quality": [{"code": note.code, "message": note.message} for note in findings.notes],
        **measurements(findings, volume.scale, volume.is_picture, pixel_mm2(volume)),
        "change": None,
        "seconds": occasion.seconds,
    }


def measurements(
    findings: Findings, scale: Scale, few_slices: bool, pixel_mm2: float
) -> dict[str, Any]:
    """The sizes in a report: ml and mm, or mm2 for a few slices, or pixels for a picture.

    Null where the scan cannot tell, or was not judged.
    """
    judged = findings.finding is not Finding.NOT_JUDGED
    has_volume = judged and scale is not Scale.UNKNOWN and not few_slices
    area: dict[str, Any] = (
        {"area_px": findings.voxels if judged else None} if scale is Scale.UNKNOWN else {}
    )
    if few_slices and scale is not Scale.UNKNOWN:
        area = {"area_mm2": round(findings.voxels * pixel_mm2, 2) if judged else None}
    return {
        "volume_ml": round(findings.volume_ml, 4) if has_volume else None,
        "volume_ml_range": _range(findings) if has_volume else None,
        "confidence": None if findings.trust is None else round(findings.trust.confidence, 3),
        "volume_voxels": findings.voxels if judged else None,
        **_shift(findings.shift),
        **area,
        "lesions": [
            report_lesion(lesion, scale, few_slices, pixel_mm2) for lesion in findings.lesions
        ],
    }


def with_lobes(content: dict[str, Any], lobes: Lobes | None) -> dict[str, Any]:
    """A report, or the measurements of one, with the lobes of its lesions, in numbers and words.

    Null, and words that say so, where no head could be fitted or the fit is not believed.
    """
    lesions = content["lesions"]
    shares = lobes.shares if lobes else (None,) * len(lesions)
    told = [
        lesion | {"lobes": share, "lobe_words": lobe_words(share)}
        for lesion, share in zip(lesions, shares, strict=True)
    ]
    score = round(lobes.score, 3) if lobes else None
    return content | {"lesions": told, "lobe_score": score}


def _shift(shift: MidlineShift | None) -> dict[str, Any]:
    """The midline shift: its size, and to which side if it is one worth the name."""
    mm = None if shift is None else shift.mm
    return {
        "midline_shift_mm": None if mm is None else round(abs(mm), 1),
        "midline_shift_to": None if shift is None or shift.to is None else str(shift.to),
        "midline_shift_score": None if shift is None else round(shift.score, 2),
    }


def _range(findings: Findings) -> list[float] | None:
    """The volume range in ml; None for no tumor, and for a mask that the network did not make."""
    if findings.trust is None:
        return None
    factors = (findings.trust.low, findings.trust.high)
    return [round(factor * findings.volume_ml, 4) for factor in factors]


def save_report(report: dict[str, Any], path: Path) -> None:
    """Write a report as indented JSON, UTF-8."""
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _input(volume: Volume, occasion: Occasion) -> dict[str, Any]:
    has_scale = volume.scale is not Scale.UNKNOWN
    codes = "".join(str(code) for code in nib.aff2axcodes(volume.affine))
    return {
        "kind": str(volume.kind),
        "files": occasion.files,
        "sha256": occasion.input_sha256,
        "shape": list(volume.shape),
        "spacing_mm": _spacing(volume) if has_scale else None,
        "orientation": codes if volume.sides_known else None,
        "description": volume.description,
        "acquired_at": volume.acquired_at,
        **({"study": asdict(occasion.study)} if occasion.study else {}),
        **({"series": [asdict(each) for each in volume.series]} if volume.series else {}),
    }


def _spacing(volume: Volume) -> list[float | None]:
    """mm along i, j, k; a picture has no third one."""
    told: list[float | None] = [round(mm, 4) for mm in volume.spacing]
    return [*told[:2], None] if volume.kind is Kind.IMAGE else told


def pixel_mm2(volume: Volume) -> float:
    """Area of one pixel in the plane of acquisition."""
    spacing = list(volume.spacing)
    del spacing[volume.slice_axis]
    return spacing[0] * spacing[1]
