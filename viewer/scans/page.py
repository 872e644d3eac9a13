"""The page of one scan: whose it is, what was found, the canvas, numbers, revisions, files."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from aiohttp import web

from daemon.drops import UNASSIGNED
from daemon.index.patient_scans import is_in_conflict, scans_together
from daemon.index.people.measurements import measured_so_far
from daemon.index.people.overrides import entered_date
from daemon.index.people.patients import Patient
from daemon.index.scans import ScanRow, patients_with_content
from daemon.outputs.catalogue import text, words
from daemon.outputs.wording import (
    HASH_CHARACTERS,
    MOST_LESIONS,
    SIDES,
    TIMES,
    WHY_REVISED,
    change_words,
    confidence_words,
    diameter_words,
    finding_sentence,
    lesion_size,
    midline_words,
    moment_words,
    network_words,
    not_known,
    place_words,
    range_words,
    size_words,
    spacing_words,
    study_words,
)
from daemon.report import Report
from daemon.report_parts import Lesion, Point
from daemon.scan_history import wants_date
from viewer.lookups import asked_revisions, asked_scan, known_patients
from viewer.patients.merge import came_as_words
from viewer.scans.canvas import VIEW_WINDOWS, align, prior_of, shown_slice, view_of
from viewer.scans.diameters import diameter_values
from viewer.scans.drawing import drawing_values
from viewer.scans.files import Held, held_files, listed_files
from viewer.scans.measurements import measuring_values
from viewer.scans.overrides import date_words, spacing_values, wish_values
from viewer.scans.reviews import review_values
from viewer.scans.sent_objects import sent_values
from viewer.sessions import INDEX, RECORDS, SETTINGS
from viewer.templating import age, render
from viewer.worklist.bulk_actions import settling_values, triage_of

MOST_NOTES = 3  # beside the picture; all of them stand below


@dataclass(frozen=True)
class LesionLine:
    """One row of the lesions' table, in words; slices are counted from 1, as the pictures are.

    slice: from 0, None where it is not known; centre: its middle in RAS mm, or None.
    """

    number: int
    size: str
    diameters: str
    side: str
    place: str
    slice: int | None
    centre: Point | None
    mean_probability: str

    @property
    def largest_slice(self) -> str:
        """The slice of its largest area, from 1."""
        return not_known() if self.slice is None else str(self.slice + 1)


def lesion_line(report: Report, lesion: Lesion) -> LesionLine:
    """One lesion of a report as a row."""
    probability = lesion.mean_probability
    return LesionLine(
        number=lesion.id,
        size=lesion_size(lesion),
        diameters=diameter_words(lesion),
        side=SIDES[lesion.side],
        place=place_words(lesion),
        slice=shown_slice(report, lesion.largest_slice),
        centre=lesion.centroid_ras_mm,
        mean_probability=not_known() if probability is None else f"{probability:.2f}",
    )


def facts(report: Report) -> list[tuple[str, str]]:
    """Pairs of a label and its words; none of a scan that was not analyzed."""
    if report.finding == "not_judged":
        return []
    lesions = report.lesions
    told = [(text("label.volume" if report.volume_ml is not None else "label.size"), _size(report))]
    if lesions:
        first = lesions[0]
        count = "1" if len(lesions) == 1 else text("scan.largest_shown", count=len(lesions))
        told += [
            (text("label.diameters"), diameter_words(first)),
            (text("label.side"), SIDES[first.side]),
            (text("label.lobe"), first.lobe_words or text("lobe.unknown")),
            (text("scan.crosses"), _crossing(first)),
            (text("label.lesions"), count),
        ]
    if shift := midline_words(report):
        told.append((text("scan.midline_shift"), shift))
    told.append((text("label.change"), change_words(report)))
    if confidence := confidence_words(report):
        told.append((text("scan.confidence"), confidence))
    return told


def notes_beside(report: Report) -> tuple[list[str], int]:
    """The first doubts of a report in words, and how many more there are."""
    notes = report.sentences or [text("report.nothing_doubtful")]
    return notes[:MOST_NOTES], max(0, len(notes) - MOST_NOTES)


def _size(report: Report) -> str:
    limits = range_words(report)
    size = size_words(report)
    return text("scan.size_with_range", size=size, range=limits) if limits else size


def _crossing(lesion: Lesion) -> str:
    crosses, reach = lesion.crosses_midline, lesion.across_midline_mm
    if crosses is None:
        return not_known()
    reach = lesion.across_midline_mm
    if crosses and reach is not None:
        return text("scan.crosses_yes", mm=reach)
    return text("scan.crosses_no")


@dataclass(frozen=True)
class RevisionLine:
    """One row of the table of revisions."""

    number: int
    published: str
    why: str
    size: str
    is_newest: bool


def revision_lines(revisions: list[ScanRow]) -> list[RevisionLine]:
    """Newest first, as given."""
    return [_line(scan, scan is revisions[0]) for scan in revisions]


def _line(scan: ScanRow, is_newest: bool) -> RevisionLine:
    size = size_words(scan.report) if scan.finding == "tumor" else ""
    published = moment_words(scan.published_at)
    return RevisionLine(scan.revision, published, _why(scan), size, is_newest)


def _why(scan: ScanRow) -> str:
    if scan.revision == 1:
        return text("revision.first")
    why = [note.message for note in scan.report.quality if note.code in WHY_REVISED]
    return " ".join(why) or text("revision.replaces")


def technical_lines(report: Report) -> list[tuple[str, str]]:
    """Pairs of a label and its words."""
    given, model = report.input, report.model
    return [
        (
            text("label.scan"),
            text("scan.scan_words", scan=report.scan_id, revision=report.revision),
        ),
        (text("scan.network"), network_words(report)),
        (text("scan.threshold"), str(model.threshold)),
        (text("label.description"), given.description or not_known()),
        (text("scan.shape"), _numbers(given.shape, "{:d}")),
        (text("scan.spacing"), spacing_words(report)),
        (text("scan.orientation"), given.orientation or not_known()),
        (text("scan.sha256"), _short(given.sha256)),
        (text("scan.seconds"), _seconds(report.seconds.by_step())),
    ]


def _short(digest: str | None) -> str:
    return digest[:HASH_CHARACTERS] if digest else not_known()


def _numbers(values: Iterable[int], form: str) -> str:
    return TIMES.join(form.format(value) for value in values)


def _seconds(seconds: Mapping[str, float]) -> str:
    stages = words("stage")
    return ", ".join(f"{stages.get(part, part)} {value:.1f}" for part, value in seconds.items())


def _pictures() -> list[tuple[str, str]]:
    """The pictures of a page in their order: the file's role, and what it shows."""
    lesions = range(1, MOST_LESIONS + 1)
    return [
        ("planes.png", text("scan.planes_alt")),
        *((f"lesion{number}.png", text("scan.lesion_alt", number=number)) for number in lesions),
        ("montage.png", text("scan.montage_alt")),
        ("growth.png", text("scan.growth_alt")),
    ]


async def show_scan(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}`: the newest revision of a scan, or the one that `?revision=` names."""
    scan, revisions = await asked_revisions(request)
    patients = await known_patients(request, [scan.patient_id])
    outbox = request.app[SETTINGS].daemon.outbox
    held = await asyncio.to_thread(held_files, outbox, scan)
    values = {
        "title": text("scan.title"),
        "section": "worklist",
        "scan": scan,
        "newest": revisions[0].revision,
        "revisions": revision_lines(revisions),
        **_whose(patients[scan.patient_id]),
        **_found(scan, request.app[SETTINGS].viewer.open_in),
        **diameter_values(scan.report),
        **_files(scan, held),
        **await _doubts(request, scan),
        **await _canvas(request, scan, held, patients[scan.patient_id]),
        **await _said(request, scan),
        **await spacing_values(request, scan),
        **await wish_values(request, scan),
        **await settling_values(request, scan),
        **await triage_of(request, scan.scan_id),
        "came_as": await came_as_words(request, scan.patient_id),
        **await sent_values(request, scan),
        **await drawing_values(request, scan, held, revisions[0].revision),
        **await measuring_values(request, scan),
    }
    return render(request, "scan.html", values)


async def tell_newest(request: web.Request) -> web.StreamResponse:
    """`/scans/{scan_id}/newest`: for an open page, which revision counts now, and a number that is
    another one after each measurement by hand."""
    scan = await asked_scan(request)
    measured = await measured_so_far(request.app[RECORDS], scan.scan_id)
    removed = scan.removed_at is not None
    return web.json_response({"revision": scan.revision, "removed": removed, "measured": measured})


def _whose(patient: Patient) -> dict[str, Any]:
    return {"patient": patient, "age": age(patient.birth_date, date.today())}


@dataclass(frozen=True)
class Link:
    """A study in another viewer, by that one's name."""

    name: str
    address: str


def open_links(templates: Iterable[str], study_uid: str | None) -> list[Link]:
    """Where a DICOM study can be opened, as the settings name it: "NAME https://…{study}…"."""
    if not study_uid:
        return []
    parted = (each.rpartition(" ") for each in templates)
    study = quote(study_uid, safe="")
    return [Link(name, address.replace("{study}", study)) for name, _, address in parted]


def _found(scan: ScanRow, links: Iterable[str]) -> dict[str, Any]:
    report = scan.report
    notes, more = notes_beside(report)
    return {
        "acquired": moment_words(scan.acquired_at),
        "study": study_words(scan.study_date, scan.accession),
        "links": open_links(links, scan.study_uid),
        "sentence": finding_sentence(report),
        "facts": facts(report),
        "range_meaning": text("report.range_meaning") if report.volume_ml_range else "",
        "notes_beside": notes,
        "notes_more": more,
        "notes": report.sentences,
        "lesions": [lesion_line(report, lesion) for lesion in report.lesions],
        "series": report.input.series or (),
        "technical": technical_lines(report),
        "removed": moment_words(scan.removed_at) if scan.removed_at else "",
    }


def _files(scan: ScanRow, held: dict[str, Held]) -> dict[str, Any]:
    return {
        "query": f"?revision={scan.revision}",
        "roles": {name: each.role for name, each in held.items()},
        "files": listed_files(held),
        "pictures": [(name, alt) for name, alt in _pictures() if name in held],
    }


async def _doubts(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """What a report alone can't know: that patients were mixed up."""
    index = request.app[INDEX]
    filed_under = await patients_with_content(index, scan.content_sha256)
    doubts = [text("note.filed_twice")] if len(filed_under) > 1 else []
    if await is_in_conflict(index, scan.patient_id):
        doubts.append(text("note.identity_conflict"))
    return {"doubts": doubts}


async def _canvas(
    request: web.Request, scan: ScanRow, held: dict[str, Held], patient: Patient
) -> dict[str, Any]:
    """The scan for the canvas, and the one before it, to be shown beside it."""
    settings, index = request.app[SETTINGS], request.app[INDEX]
    nose_left = settings.viewer.sagittal_nose_left
    prior = await prior_of(index, scan)
    prior_view = None
    if prior is not None:
        prior_held = await asyncio.to_thread(held_files, settings.daemon.outbox, prior)
        prior_view = view_of(prior, prior_held, nose_left, patient)
    return {
        "view": view_of(scan, held, nose_left, patient),
        "prior": prior,
        "prior_acquired": moment_words(prior.acquired_at) if prior else "",
        "prior_view": prior_view,
        "alignment": align(scan, prior) if prior else None,
        "can_compare": scan.patient_id != UNASSIGNED
        and len(await scans_together(index, patient.patient_id)) > 1,
        "windows": VIEW_WINDOWS,
    }


async def _said(request: web.Request, scan: ScanRow) -> dict[str, Any]:
    """What people entered about the scan: reviews and its date."""
    report = scan.report
    entered = await entered_date(request.app[RECORDS], scan.scan_id)
    return {
        "wants_date": wants_date(report),
        "date_entered": entered.acquired_on if entered else "",
        "date_words": date_words(report, entered),
        **await review_values(request, scan),
    }
