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
from daemon.index.scans import patients_with_content
from daemon.outputs.sentences import (
    FILED_TWICE,
    IDENTITY_CONFLICT,
    MOST_LESIONS,
    NOT_KNOWN,
    RANGE_MEANING,
    SIDES,
    confidence_words,
    diameter_words,
    finding_sentence,
    lesion_size,
    moment_words,
    place_words,
    range_words,
    size_words,
    study_words,
)
from viewer.dating import date_words
from viewer.keys import INDEX, RECORDS, SETTINGS
from viewer.lookups import asked_scan, known_patients
from viewer.pages import render
from viewer.reviewing import DECISIONS, review_lines
from viewer.scan_files import present_roles
from viewer.spacing import spacing_values
from viewer.technical import technical_lines
from viewer.wording import age

PICTURES = (
    ("overlay.png", "The slice with the largest area"),
    ("planes.png", "Three planes, through the largest lesion if there is one"),
    *((f"lesion{number}.png", f"Lesion {number}") for number in range(1, MOST_LESIONS + 1)),
    ("montage.png", "All slices with tumor and their neighbours"),
    ("growth.png", "Volume over time, with ranges"),
)


@dataclass(frozen=True)
class LesionLine:
    """One row of the lesions' table, in words; slices are counted from 1."""

    number: int
    size: str
    diameters: str
    side: str
    place: str
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
    roles = await asyncio.to_thread(present_roles, outbox, scan)
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
        "study": study_words(scan.study_date, scan.accession),
        "sentence": finding_sentence(report),
        "doubts": [
            *([FILED_TWICE] if len(filed_under) > 1 else []),
            *([IDENTITY_CONFLICT] if in_doubt else []),
        ],
        "size": size_words(report) if report["finding"] != "not_judged" else "",
        "size_range": range_words(report),
        "range_meaning": RANGE_MEANING,
        "confidence": confidence_words(report),
        "lesions": [lesion_line(lesion) for lesion in report["lesions"]],
        "notes": [note["message"] for note in report["quality"]],
        "roles": roles,
        "pictures": [(name, alt) for name, alt in PICTURES if name in roles],
        "series": report["input"].get("series", []),
        "technical": technical_lines(report),
        "removed": moment_words(scan.removed_at) if scan.removed_at else "",
        "decisions": DECISIONS,
        "reviews": review_lines(said, judged_revision(report)),
        **await spacing_values(request, scan),
    }
    return render(request, "scan.html", values)


def lesion_line(lesion: dict[str, Any]) -> LesionLine:
    """One lesion of a report as a row."""
    probability, largest = lesion.get("mean_probability"), lesion.get("largest_slice")
    return LesionLine(
        lesion["id"],
        lesion_size(lesion),
        diameter_words(lesion),
        SIDES[lesion["side"]],
        place_words(lesion),
        NOT_KNOWN if largest is None else str(largest + 1),
        NOT_KNOWN if probability is None else f"{probability:.2f}",
    )
