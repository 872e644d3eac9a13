"""The page of one patient: the curve, the scans, what people entered, and who changed what."""

from dataclasses import asdict, dataclass
from datetime import date
from itertools import zip_longest

from aiohttp import web

from daemon.drops import UNASSIGNED
from daemon.index.patient_scans import is_in_conflict, scans_together
from daemon.index.people.patient_deletion import Deletion, deletion_of
from daemon.index.people.patients import NOT_TOLD, PatientChange, changes_of, from_scanner
from daemon.index.people.reviews import Review, last_reviews
from daemon.index.queue import has_open_drop
from daemon.index.scans import ScanRow
from daemon.outputs.catalogue import text, words
from daemon.outputs.wording import (
    KINDS,
    diameter_words,
    moment_words,
    range_words,
)
from daemon.report import Report
from daemon.scan_history import judged_revision
from viewer.lookups import asked_patient
from viewer.patients.fields import (
    FIELDS,
    GROUPS,
    change_words,
    day_words,
    growth_rows,
    left_out,
    place_words,
    summary,
)
from viewer.patients.merge import merge_lines
from viewer.scans.files import with_pictures
from viewer.scans.reviews import SAID
from viewer.sessions import INDEX, RECORDS
from viewer.templating import age, found_size, found_words, render

LABELS = words("record")


@dataclass(frozen=True)
class ScanLine:
    """One scan in the table, in words. previous: the scan before it in time, or ''.

    came_as: the patient_id of its folder, another one's if two were merged.
    """

    scan_id: str
    day: str
    kind: str
    finding: str
    size: str
    size_range: str
    diameters: str
    place: str
    change: str
    reviewed: str
    previous: str
    has_picture: bool
    came_as: str


@dataclass(frozen=True)
class ChangeLine:
    """One change of the record, in words."""

    at: str
    who: str
    field: str
    before: str
    after: str


async def show_patient(request: web.Request) -> web.StreamResponse:
    """`/patients/{patient_key}`: the curve, the scans, and what people entered."""
    patient = await asked_patient(request)
    if patient.patient_id == UNASSIGNED:
        raise web.HTTPSeeOther("/patients/unassigned")
    index, records = request.app[INDEX], request.app[RECORDS]
    scans = await scans_together(index, patient.patient_id)
    merges = await merge_lines(request, patient)
    reviews = await last_reviews(records, [scan.scan_id for scan in scans])
    pictured = await with_pictures(request, scans)
    changes = await changes_of(records, patient.patient_key)
    growth = growth_rows(scans, patient)
    own_ids = [patient.patient_id, *(each.other.patient_id for each in merges if each.shows_here)]
    in_doubt = any([await is_in_conflict(index, each) for each in own_ids])
    values = {
        "title": text("patient.title"),
        "section": "patients",
        "patient": patient,
        "age": age(patient.birth_date, date.today()),
        "summary": summary(scans),
        "is_open": await has_open_drop(index, patient.patient_id),
        "growth": growth,
        "points": sum(not row.label for row in growth),
        "left_out": left_out(scans),
        "lines": _scan_lines(scans, reviews, pictured),
        "groups": GROUPS,
        "entered": asdict(patient),
        "told": from_scanner(changes),
        "changes": [change_line(change) for change in reversed(changes)],
        "merges": merges,
        "kept": _kept_words(await deletion_of(records, patient.patient_key)),
        "in_doubt": text("note.identity_conflict") if in_doubt else "",
    }
    return render(request, "patient.html", values)


def change_line(change: PatientChange) -> ChangeLine:
    """A change as a row; what a photo looked like is not told."""
    before, after = (_shown(change.field, value) for value in (change.before, change.after))
    who = change.entered_by or text("patient.dicom")
    who = text("patient.who_unknown") if who == NOT_TOLD else who
    return ChangeLine(
        moment_words(change.at), who, LABELS.get(change.field, change.field), before, after
    )


def _shown(name: str, value: str) -> str:
    if value and name == "photo_id":
        return text("patient.a_photo")
    return next((field.shown(value) for field in FIELDS if field.name == name), value)


def _scan_lines(
    scans: list[ScanRow], reviews: dict[str, Review], pictured: set[str]
) -> list[ScanLine]:
    return [
        _scan_line(scan, before, reviews.get(scan.scan_id), scan.scan_id in pictured)
        for scan, before in zip_longest(scans, scans[1:])
    ]


def _scan_line(
    scan: ScanRow, before: ScanRow | None, review: Review | None, has_picture: bool
) -> ScanLine:
    report, kind = scan.report, scan.report.input.kind
    dated = before is not None and scan.acquired_at and before.acquired_at
    previous = before.scan_id if before is not None and dated else ""
    return ScanLine(
        scan_id=scan.scan_id,
        day=day_words(scan.acquired_at),
        kind=KINDS.get(kind, kind),
        finding=found_words(report),
        size=found_size(report),
        size_range=range_words(report),
        diameters=diameter_words(report.lesions[0]) if report.lesions else "",
        place=place_words(report).capitalize(),
        change=change_words(report),
        reviewed=_reviewed(report, review),
        previous=report.change.prior_scan_id if report.change else previous,
        has_picture=has_picture,
        came_as=scan.patient_id,
    )


def _reviewed(report: Report, review: Review | None) -> str:
    if review is None or review.revision != judged_revision(report):
        return text("patient.not_reviewed")
    decision = SAID[review.decision]
    return text("patient.reviewed_by", decision=decision, name=review.reviewer)


def _kept_words(deletion: Deletion | None) -> str:
    """What stands on the page of a patient who came back by a drop; the page is not deleted."""
    if deletion is None:
        return ""
    day, until = day_words(deletion.deleted_at), day_words(deletion.erase_at)
    return text("patient.kept", day=day, by=deletion.deleted_by, until=until)
