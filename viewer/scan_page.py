"""The page of one scan: whose it is, what was found, the pictures, the numbers, the files."""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

from aiohttp import web

from daemon.history import judged_revision, wants_date
from daemon.index.identities import is_in_conflict
from daemon.index.reviews import reviews_of
from daemon.index.scan_dates import entered_date
from daemon.index.scans import ScanRow, patients_with_content
from daemon.outputs.sentences import (
    FILED_TWICE,
    IDENTITY_CONFLICT,
    diameter_words,
    finding_sentence,
    size_words,
)
from viewer.dating import date_words
from viewer.keys import INDEX, RECORDS, SETTINGS
from viewer.lookups import asked_scan, known_patients
from viewer.pages import render
from viewer.reviewing import DECISIONS, review_lines
from viewer.scan_files import present_roles
from viewer.technical import technical_lines
from viewer.wording import NOT_KNOWN, SIDES, age, moment_words


@dataclass(frozen=True)
class LesionLine:
    """One row of the lesions' table, in words; slices are counted from 1."""

    number: int
    size: str
    diameters: str
    side: str
    largest_slice: str
    mean_probability: str


async def show_scan(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}`: the newest revision of a scan."""
    scan = await asked_scan(request)
    patients = await known_patients(request, [scan.patient_id])
    patient, report = patients[scan.patient_id], scan.report
    outbox = request.app[SETTINGS].daemon.outbox
    filed_under = await patients_with_content(request.app[INDEX], scan.content_sha256)
    said = await reviews_of(request.app[RECORDS], scan.scan_id)
    in_doubt = await is_in_conflict(request.app[INDEX], scan.patient_id)
    entered = await entered_date(request.app[RECORDS], scan.scan_id)
    values = {
        "title": "Scan",
        "section": "worklist",
        "scan": scan,
        "patient": patient,
        "age": age(patient.birth_date, date.today()),
        "acquired": moment_words(scan.acquired_at),
        "wants_date": wants_date(report),
        "date_entered": (entered.acquired_on if entered else ""),
        "date_words": date_words(report, entered),
        "change": (report.get("change") or {}).get("words", ""),
        "study": study_words(scan),
        "sentence": finding_sentence(report),
        "doubts": [
            *([FILED_TWICE] if len(filed_under) > 1 else []),
            *([IDENTITY_CONFLICT] if in_doubt else []),
        ],
        "size": size_words(report) if report["finding"] != "not_judged" else "",
        "size_range": range_words(report),
        "confidence": confidence_words(report),
        "lesions": [lesion_line(lesion) for lesion in report["lesions"]],
        "notes": [note["message"] for note in report["quality"]],
        "roles": await asyncio.to_thread(present_roles, outbox, scan),
        "series": report["input"].get("series", []),
        "technical": technical_lines(report),
        "removed": moment_words(scan.removed_at) if scan.removed_at else "",
        "decisions": DECISIONS,
        "reviews": review_lines(said, judged_revision(report)),
    }
    return render(request, "scan.html", values)


def study_words(scan: ScanRow) -> str:
    """Date and accession number of a DICOM study, as far as they are known."""
    parts = (("Study of ", scan.study_date), ("accession ", scan.accession))
    words = ", ".join(f"{label}{value}" for label, value in parts if value)
    return words[:1].upper() + words[1:]


def lesion_line(lesion: dict[str, Any]) -> LesionLine:
    """One lesion of a report as a row."""
    probability, largest = lesion.get("mean_probability"), lesion.get("largest_slice")
    return LesionLine(
        lesion["id"],
        lesion_size(lesion),
        diameter_words(lesion),
        SIDES[lesion["side"]],
        NOT_KNOWN if largest is None else str(largest + 1),
        NOT_KNOWN if probability is None else f"{probability:.2f}",
    )


def lesion_size(lesion: dict[str, Any]) -> str:
    """A lesion's volume where known, else its area."""
    if lesion["volume_ml"] is not None:
        return f"{lesion['volume_ml']:.2f} ml"
    if lesion.get("area_mm2") is not None:
        return f"{lesion['area_mm2']:.0f} mm²"
    if lesion.get("area_px") is not None:
        return f"{lesion['area_px']} pixels"
    return NOT_KNOWN


def confidence_words(report: dict[str, Any]) -> str:
    """How well the mask should agree with a person's, or '' where that is not known."""
    confidence = report.get("confidence")
    return "" if confidence is None else f"expected Dice {confidence:.2f}"


def range_words(report: dict[str, Any]) -> str:
    """The range in which the volume lies, or '' where the report gives none."""
    limits = report.get("volume_ml_range")
    if report["volume_ml"] is None or not limits or None in limits:
        return ""
    return f"{limits[0]:.1f} to {limits[1]:.1f} ml"
