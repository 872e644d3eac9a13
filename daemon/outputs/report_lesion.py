"""One lesion in a report: its sizes and its place, null where the scan cannot tell."""

from collections.abc import Callable
from typing import Any

from model.measurement.diameters import InPlane
from model.measurement.findings import Lesion
from model.measurement.location import Place
from model.volume import Scale

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
