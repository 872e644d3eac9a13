"""The report for machines, gliowatch/report/1: what cannot be known is null, never a guess."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import nibabel.orientations as orientations

from daemon import report_parts as parts
from daemon.outputs.catalogue import text
from daemon.outputs.slice_rendering import PLANES_BY_AXIS
from daemon.outputs.wording import lobe_words, repeat_words
from daemon.report import SCHEMA, Measurements, Report
from daemon.report_parts import given_fields
from model.measurement.change import Change
from model.measurement.diameters import InPlane
from model.measurement.findings import Finding, Findings, Lesion
from model.measurement.lobes import Lobes
from model.measurement.midline_shift import MidlineShift
from model.reading.dicom.patient_tags import Study
from model.rules import INCOMPLETE
from model.volume import Affine, Kind, MaskArray, Note, Scale, Volume

DIAMETERS = ("longest_diameter", "perpendicular_diameter")
Shares = Mapping[str, float]  # of the lobes in a lesion, per cent


def report_lesion(
    lesion: Lesion, shares: Shares | None, scale: Scale, few_slices: bool, pixel_mm2: float
) -> parts.Lesion:
    """One lesion: ml and mm, or mm2 for a few slices, or pixels for a picture.

    Null where the scan cannot tell. pixel_mm2: area of one pixel in the plane of acquisition.
    """
    whole = _without_lengths(lesion, shares, scale is not Scale.UNKNOWN and not few_slices)
    if scale is Scale.UNKNOWN:
        pixels = _diameters(lesion.diameters, "px", _pixel)
        return whole.changed(area_px=lesion.voxels, **pixels)
    area = round(lesion.voxels * pixel_mm2, 2) if few_slices else None
    lengths = _diameters(lesion.diameters, "mm", _mm)
    return whole.changed(centroid_ras_mm=_mm(lesion.centroid), area_mm2=area, **lengths)


def _without_lengths(lesion: Lesion, shares: Shares | None, has_volume: bool) -> parts.Lesion:
    place, probability = lesion.place, lesion.mean_probability
    across = place.across_midline_mm
    return parts.Lesion(
        id=lesion.number,
        volume_ml=round(lesion.volume_ml, 4) if has_volume else None,
        voxels=lesion.voxels,
        longest_diameter_mm=None,
        perpendicular_diameter_mm=None,
        product_mm2=None,
        max_diameter_3d_mm=round(lesion.max_diameter_3d, 2) if has_volume else None,
        diameter_slice=lesion.diameters.slice_index,
        longest_diameter_ends_ras_mm=None,
        perpendicular_diameter_ends_ras_mm=None,
        centroid_ras_mm=None,
        side=cast(parts.Side, str(place.side)),
        crosses_midline=place.crosses_midline,
        across_midline_mm=None if across is None else round(across, 1),
        anterior_posterior=cast(parts.Depth | None, place.to_front),
        superior_inferior=cast(parts.Height | None, place.to_top),
        largest_slice=lesion.largest_slice,
        mean_probability=None if probability is None else round(probability, 4),
        lobes=cast(dict[parts.Lobe, float] | None, shares),
        lobe_words=lobe_words(shares),
    )


def _diameters(
    measured: InPlane, unit: str, point: Callable[[tuple[float, float, float]], tuple[float, ...]]
) -> dict[str, object]:
    """Lengths, product and ends of the two diameters, in mm or in pixels, by field."""
    ends = "ends_ras_mm" if unit == "mm" else "ends_px"
    lines = zip(DIAMETERS, (measured.longest, measured.perpendicular), strict=True)
    content: dict[str, object] = {f"product_{unit}2": round(measured.product, 2)}
    for name, line in lines:
        content[f"{name}_{unit}"] = round(line.length, 2)
        content[f"{name}_{ends}"] = (point(line.start), point(line.end))
    return content


def _mm(point: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(round(mm, 2) for mm in point)


def _pixel(point: tuple[float, float, float]) -> tuple[float, ...]:
    """Column and row in a picture, whose affine counts pixels in radiological convention."""
    return round(-point[0], 2), round(-point[1], 2)


def slices_of(volume: Volume, mask: MaskArray | None) -> parts.Slices:
    """The report's `slices`: the plane of acquisition, and what is marked in each slice of it.

    axis: the voxel axis across that plane; reversed: whether pictures show the slices from the
    last to the first; areas_px: marked pixels of each slice in the file's order, null where
    nothing was analyzed.
    """
    axis = volume.slice_axis
    target, direction = orientations.io_orientation(volume.affine)[axis]
    others = tuple(each for each in range(3) if each != axis)
    areas = None if mask is None else tuple(int(area) for area in (mask > 0).sum(axis=others))
    return parts.Slices(
        plane=cast(parts.Plane, PLANES_BY_AXIS["RAS"[int(target)]]),
        axis=axis,
        reversed=bool(direction < 0),
        areas_px=areas,
    )


def change_since(
    change: Change, prior_scan_id: str, prior_revision: int, prior_at: str
) -> parts.Change:
    """The report's `change`: null where it is not known. prior_at: ISO 8601."""
    told = parts.Change(
        prior_scan_id=prior_scan_id,
        prior_revision=prior_revision,
        prior_acquired_at=prior_at,
        days=round(change.days, 2),
        volume_ml=round(change.volume_ml, 4),
        volume_percent=_rounded(change.volume_percent),
        longest_diameter_mm=round(change.longest_mm, 2),
        longest_diameter_percent=_rounded(change.longest_percent),
        volume_ml_per_30_days=_rounded(change.volume_ml_per_30_days),
        ranges_overlap=change.ranges_overlap,
        new_lesions=change.new_lesions,
        gone_lesions=change.gone_lesions,
        comparable=change.comparable,
        measured_differently=cast(tuple[parts.Difference, ...], change.differs),
        registered=change.registered,
        to_prior_ras_mm=_matrix(change.to_earlier),
        words="",
        **_repeated(change),
    )
    return told.changed(words=change_sentence(told))


def _repeated(change: Change) -> dict[str, Any]:
    """What repeated measuring gives, and whether the change is more; null where not known."""
    if change.repeat_range_ml is None:
        return dict.fromkeys(("repeat_range_ml", "beyond_repeat", "repeat_percent"))
    low, high = change.repeat_range_ml
    grown = change.volume_ml
    before, now = change.earlier_ml, change.earlier_ml + grown
    varies = high - before if grown >= 0 else before - low
    return {
        "repeat_range_ml": (round(low, 4), round(high, 4)),
        "beyond_repeat": not low <= now <= high,
        "repeat_percent": round(100 * varies / before, 1) if before > 0 else None,
    }


def change_sentence(change: parts.Change) -> str:
    """The change in plain sentences; never a category of response, and no size of a change between
    scans that are not comparable."""
    prior = {"date": change.prior_acquired_at[:10], "days": _days(change.days)}
    if change.measured_differently:
        why = ", ".join(text(f"differs.{code}") for code in change.measured_differently)
        words = [text("change.not_comparable", **prior, why=why)]
        return " ".join([*words, *_lesion_words(change)])
    words = [
        text(
            "change.against",
            **prior,
            ml=change.volume_ml,
            percent=_percent(change.volume_percent),
            mm=change.longest_diameter_mm,
            diameter_percent=_percent(change.longest_diameter_percent),
        )
    ]
    if change.volume_ml_per_30_days is not None:
        words.append(text("change.rate", ml=change.volume_ml_per_30_days))
    if said := repeat_words(change):
        words.append(said)
    if change.ranges_overlap:
        words.append(text("change.ranges_overlap"))
    return " ".join([*words, *_lesion_words(change)])


def _lesion_words(change: parts.Change) -> list[str]:
    if change.new_lesions is None or change.gone_lesions is None:
        return [text("change.not_registered")]
    named = (("new_lesions", change.new_lesions), ("gone_lesions", change.gone_lesions))
    return [text(f"change.{key}", count=len(lesions)) for key, lesions in named if lesions]


def _days(days: float) -> str:
    if days < 1:
        return text("date.less_than_a_day")
    return text("date.days", count=round(days))


def _percent(value: float | None) -> str:
    return "" if value is None else text("change.percent", percent=value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _matrix(affine: Affine | None) -> parts.Matrix | None:
    if affine is None:
        return None
    rows = tuple(tuple(round(float(value), 6) for value in row) for row in affine)
    return cast(parts.Matrix, rows)


@dataclass(frozen=True)
class Occasion:
    """What a report says beside the findings: whose scan, from which files, in what time.

    supersedes: the revision that this one replaces; None for the first; companions: the names of
    files that were kept with it and not read; may_belong_to: scans that its slices fit, though
    not for certain.
    """

    scan_id: str
    patient_id: str
    files: int
    input_sha256: str
    seconds: parts.Seconds
    study: Study | None = None
    supersedes: int | None = None
    companions: tuple[str, ...] = ()
    may_belong_to: tuple[str, ...] = ()


def build_report(
    volume: Volume,
    findings: Findings,
    network: parts.Network,
    occasion: Occasion,
    lobes: Lobes | None,
) -> Report:
    """One report, of what is known from this scan alone."""
    measured = measurements(findings, lobes, volume.scale, volume.is_picture, pixel_mm2(volume))
    return Report(
        schema=SCHEMA,
        scan_id=occasion.scan_id,
        revision=(occasion.supersedes or 0) + 1,
        supersedes=occasion.supersedes,
        patient_id=occasion.patient_id,
        input=_input(volume, occasion),
        model=network,
        finding=cast(parts.Finding, str(findings.finding)),
        quality=tuple(quality_note(note) for note in findings.notes),
        change=None,
        seconds=occasion.seconds,
        lobe_score=lobe_score(lobes),
        **given_fields(measured),
    )


def quality_note(note: Note) -> parts.QualityNote:
    """A doubt about a scan as it stands in a report."""
    return parts.QualityNote(code=note.code, message=note.message)


def measurements(
    findings: Findings, lobes: Lobes | None, scale: Scale, few_slices: bool, pixel_mm2: float
) -> Measurements:
    """The sizes in a report: ml and mm, or mm2 for a few slices, or pixels for a picture.

    Null where the scan cannot tell, or was not analyzed. lobes: None where no head could be fitted,
    or the fit is not believed; the words then say so.
    """
    analyzed = findings.finding is not Finding.NOT_ANALYZED
    has_volume = analyzed and scale is not Scale.UNKNOWN and not few_slices
    shares = lobes.shares if lobes else (None,) * len(findings.lesions)
    lesions = zip(findings.lesions, shares, strict=True)
    return Measurements(
        volume_ml=round(findings.volume_ml, 4) if has_volume else None,
        volume_ml_range=_range(findings) if has_volume and not _in_part(findings) else None,
        confidence=None if findings.trust is None else round(findings.trust.confidence, 3),
        volume_voxels=findings.voxels if analyzed else None,
        lesions=tuple(
            report_lesion(lesion, share, scale, few_slices, pixel_mm2) for lesion, share in lesions
        ),
        **_shift(findings.shift),
        **_area(findings.voxels if analyzed else None, scale, few_slices, pixel_mm2),
    )


def _in_part(findings: Findings) -> bool:
    """Whether the scan is incomplete: no range then holds the volume of the whole."""
    return any(note.code == INCOMPLETE for note in findings.notes)


def _area(voxels: int | None, scale: Scale, few_slices: bool, pixel_mm2: float) -> dict[str, Any]:
    """The area that stands in place of a volume; null where nothing was analyzed."""
    if scale is Scale.UNKNOWN:
        return {"area_px": voxels}
    if few_slices:
        return {"area_mm2": None if voxels is None else round(voxels * pixel_mm2, 2)}
    return {}


def lobe_score(lobes: Lobes | None) -> float | None:
    """How well the atlas of lobes was fitted, 0 to 1; None where it could not be."""
    return round(lobes.score, 3) if lobes else None


def _shift(shift: MidlineShift | None) -> dict[str, Any]:
    """The midline shift: its size, and to which side if it is one worth the name."""
    mm = None if shift is None else shift.mm
    return {
        "midline_shift_mm": None if mm is None else round(abs(mm), 1),
        "midline_shift_to": None if shift is None or shift.to is None else str(shift.to),
        "midline_shift_score": None if shift is None else round(shift.score, 2),
    }


def _range(findings: Findings) -> parts.Range | None:
    """The volume range in ml; None for no tumor, and for a mask that the network did not make."""
    if findings.trust is None:
        return None
    low, high = findings.trust.low, findings.trust.high
    return round(low * findings.volume_ml, 4), round(high * findings.volume_ml, 4)


def save_report(report: Report, path: Path) -> None:
    """Write a report as indented JSON, UTF-8."""
    path.write_text(report.as_text(), encoding="utf-8")


def _input(volume: Volume, occasion: Occasion) -> parts.Input:
    has_scale = volume.scale is not Scale.UNKNOWN
    codes = "".join(str(code) for code in nib.aff2axcodes(volume.affine))
    study = parts.StudyOfScan.of(**asdict(occasion.study)) if occasion.study else None
    series = tuple(parts.SeriesOfStudy(**asdict(each)) for each in volume.series)
    asked = parts.SeriesAsked(**asdict(volume.asked)) if volume.asked else None
    return parts.Input(
        kind=cast(parts.Kind, str(volume.kind)),
        files=occasion.files,
        sha256=occasion.input_sha256,
        shape=volume.shape,
        spacing_mm=_spacing(volume) if has_scale else None,
        orientation=codes if volume.sides_known else None,
        description=volume.description,
        acquired_at=volume.acquired_at,
        study=study,
        series=series or None,
        series_asked=asked,
        companions=occasion.companions or None,
        may_belong_to=occasion.may_belong_to or None,
    )


def _spacing(volume: Volume) -> parts.Spacing:
    """mm along i, j, k; a picture has no third one."""
    i, j, k = (round(mm, 4) for mm in volume.spacing)
    return i, j, None if volume.kind is Kind.IMAGE else k


def pixel_mm2(volume: Volume) -> float:
    """Area of one pixel in the plane of acquisition."""
    spacing = list(volume.spacing)
    del spacing[volume.slice_axis]
    return spacing[0] * spacing[1]
