"""The report for machines, gliowatch/report/1: what cannot be known is null, never a guess."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import nibabel.orientations as orientations

from daemon.outputs.catalogue import text
from daemon.outputs.slice_rendering import PLANES_BY_AXIS
from daemon.outputs.wording import lobe_words
from model.measurement.change import Change
from model.measurement.diameters import InPlane
from model.measurement.findings import Finding, Findings, Lesion
from model.measurement.lobes import Lobes
from model.measurement.location import Place
from model.measurement.midline_shift import MidlineShift
from model.reading.dicom.patient_tags import Study
from model.volume import Affine, Kind, MaskArray, Scale, Volume

DIAMETERS = ("longest_diameter", "perpendicular_diameter")


def report_lesion(
    lesion: Lesion, scale: Scale, few_slices: bool, pixel_mm2: float
) -> dict[str, Any]:
    """One lesion as plain JSON values: ml and mm, or mm2 for a few slices, or pixels for a picture.

    Null where the scan cannot tell. pixel_mm2: area of one pixel in the plane of acquisition.
    """
    has_volume = scale is not Scale.UNKNOWN and not few_slices
    content: dict[str, Any] = {
        "id": lesion.number,
        "volume_ml": round(lesion.volume_ml, 4) if has_volume else None,
        "voxels": lesion.voxels,
        **dict.fromkeys(("longest_diameter_mm", "perpendicular_diameter_mm", "product_mm2")),
        "max_diameter_3d_mm": round(lesion.max_diameter_3d, 2) if has_volume else None,
        "diameter_slice": lesion.diameters.slice_index,
        **dict.fromkeys(f"{name}_ends_ras_mm" for name in DIAMETERS),
        "centroid_ras_mm": None,
        **_place(lesion.place),
        "largest_slice": lesion.largest_slice,
        "mean_probability": None
        if lesion.mean_probability is None
        else round(lesion.mean_probability, 4),
    }
    if scale is Scale.UNKNOWN:
        return content | {"area_px": lesion.voxels} | _diameters(lesion.diameters, "px", _pixel)
    content["centroid_ras_mm"] = _mm(lesion.centroid)
    if few_slices:
        content["area_mm2"] = round(lesion.voxels * pixel_mm2, 2)
    return content | _diameters(lesion.diameters, "mm", _mm)


def _diameters(
    measured: InPlane, unit: str, point: Callable[[tuple[float, float, float]], list[float]]
) -> dict[str, Any]:
    """Lengths, product and ends of the two diameters, in mm or in pixels."""
    ends = "ends_ras_mm" if unit == "mm" else "ends_px"
    lines = zip(DIAMETERS, (measured.longest, measured.perpendicular), strict=True)
    content: dict[str, Any] = {f"product_{unit}2": round(measured.product, 2)}
    for name, line in lines:
        content[f"{name}_{unit}"] = round(line.length, 2)
        content[f"{name}_{ends}"] = [point(line.start), point(line.end)]
    return content


def _mm(point: tuple[float, float, float]) -> list[float]:
    return [round(mm, 2) for mm in point]


def _pixel(point: tuple[float, float, float]) -> list[float]:
    """Column and row in a picture, whose affine counts pixels in radiological convention."""
    return [round(-point[0], 2), round(-point[1], 2)]


def _place(place: Place) -> dict[str, Any]:
    across = place.across_midline_mm
    return {
        "side": str(place.side),
        "crosses_midline": place.crosses_midline,
        "across_midline_mm": None if across is None else round(across, 1),
        "anterior_posterior": place.to_front,
        "superior_inferior": place.to_top,
    }


def slices_object(volume: Volume, mask: MaskArray | None) -> dict[str, Any]:
    """The report's `slices`: the plane of acquisition, and what is marked in each slice of it.

    axis: the voxel axis across that plane; reversed: whether pictures show the slices from the
    last to the first; areas_px: marked pixels of each slice in the file's order, null where
    nothing was judged.
    """
    axis = volume.slice_axis
    target, direction = orientations.io_orientation(volume.affine)[axis]
    others = tuple(each for each in range(3) if each != axis)
    areas = None if mask is None else [int(area) for area in (mask > 0).sum(axis=others)]
    return {
        "plane": PLANES_BY_AXIS["RAS"[int(target)]],
        "axis": axis,
        "reversed": bool(direction < 0),
        "areas_px": areas,
    }


def change_object(
    change: Change, prior: dict[str, Any], prior_revision: int, prior_at: str
) -> dict[str, Any]:
    """The report's `change`: null where it is not known. prior: the report of the earlier scan."""
    told = {
        "prior_scan_id": prior["scan_id"],
        "prior_revision": prior_revision,
        "prior_acquired_at": prior_at,
        "days": round(change.days, 2),
        "volume_ml": round(change.volume_ml, 4),
        "volume_percent": _rounded(change.volume_percent),
        "longest_diameter_mm": round(change.longest_mm, 2),
        "longest_diameter_percent": _rounded(change.longest_percent),
        "volume_ml_per_30_days": _rounded(change.volume_ml_per_30_days),
        "ranges_overlap": change.ranges_overlap,
        "new_lesions": _listed(change.new_lesions),
        "gone_lesions": _listed(change.gone_lesions),
        "comparable": change.comparable,
        "measured_differently": list(change.differs),
        "registered": change.registered,
        "to_prior_ras_mm": _matrix(change.to_earlier),
    }
    return told | {"words": change_sentence(told)}


def change_sentence(change: dict[str, Any]) -> str:
    """The change in plain sentences; never a category of response."""
    words = [
        text(
            "change.against",
            date=change["prior_acquired_at"][:10],
            days=_days(change["days"]),
            ml=change["volume_ml"],
            percent=_percent(change["volume_percent"]),
            mm=change["longest_diameter_mm"],
            diameter_percent=_percent(change["longest_diameter_percent"]),
        )
    ]
    if change["volume_ml_per_30_days"] is not None:
        words.append(text("change.rate", ml=change["volume_ml_per_30_days"]))
    if change["ranges_overlap"]:
        words.append(text("change.ranges_overlap"))
    words += _lesion_words(change)
    if change["measured_differently"]:
        why = ", ".join(text(f"differs.{code}") for code in change["measured_differently"])
        words.append(text("change.not_comparable", why=why))
    return " ".join(words)


def _lesion_words(change: dict[str, Any]) -> list[str]:
    if change["new_lesions"] is None or change["gone_lesions"] is None:
        return [text("change.not_registered")]
    named = (("new_lesions", change["new_lesions"]), ("gone_lesions", change["gone_lesions"]))
    return [text(f"change.{key}", count=len(lesions)) for key, lesions in named if lesions]


def _days(days: float) -> str:
    if days < 1:
        return text("date.less_than_a_day")
    return text("date.days", count=round(days))


def _percent(value: float | None) -> str:
    return "" if value is None else text("change.percent", percent=value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _matrix(affine: Affine | None) -> list[list[float]] | None:
    return None if affine is None else [[round(float(value), 6) for value in row] for row in affine]


def _listed(numbers: tuple[int, ...] | None) -> list[int] | None:
    return None if numbers is None else list(numbers)


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
