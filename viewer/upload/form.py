"""The form that sends an upload: each scan in words, what is asked of it, and whose it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from daemon.drops import UNASSIGNED, folder_name
from daemon.index.people.patients import Patient, find_patient, list_patients, patients_by_id
from daemon.outputs.catalogue import text
from daemon.outputs.wording import TIMES, moment_words
from viewer.sessions import RECORDS, SESSION
from viewer.templating import id_words
from viewer.upload.staging import Upload

if TYPE_CHECKING:
    from daemon.intake.upload_preview import Preview
    from model.reading.dicom.patient_tags import Identity
    from model.reading.read import ScanPreview
    from model.volume import SeriesSeen


MOST_SERIES = 12  # lines for one study


def scan_words(scan: "Preview") -> str:
    """What a scan is, or that it cannot be read."""
    glance = scan.glance
    if glance is None:
        return text("upload.unreadable", fault=scan.fault)
    match glance.kind:
        case "image":
            columns, rows, _ = glance.shape
            return text("upload.picture_words", columns=columns, rows=rows)
        case "nifti":
            shape = TIMES.join(str(number) for number in glance.shape)
            return text("upload.nifti_words", shape=shape, voxel=_voxel(glance))
        case _:
            return text("upload.dicom_words", about=_dicom(glance))


def fault_words(scan: "Preview") -> str:
    """Why it would be taken, but not analyzed; '' where nothing speaks against it."""
    unfit = scan.glance.unfit if scan.glance else ""
    return text("upload.unfit", reason=unfit) if unfit else ""


def series_lines(scan: "Preview") -> tuple[str, ...]:
    """The series of a study, if there are several, and which one is taken."""
    series = scan.glance.series if scan.glance else ()
    if len(series) < 2:
        return ()
    lines = [_series_line(each) for each in sorted(series, key=lambda each: not each.chosen)]
    more = len(lines) - MOST_SERIES
    rest = [text("upload.series_more", count=more)] if more > 0 else []
    return (*lines[:MOST_SERIES], *rest)


def _series_line(each: "SeriesSeen") -> str:
    description = each.description or text("scan.no_description")
    key = "upload.series_used" if each.chosen else "upload.series_not_used"
    return text(key, description=description, slices=_slices(each.slices), reason=each.reason)


def series_title(scan: "Preview") -> str:
    """How many series a study has, and the one that is taken."""
    series = scan.glance.series if scan.glance else ()
    taken = [each.description or text("scan.no_description") for each in series if each.chosen]
    used = taken[0] if taken else text("upload.series_none")
    return text("upload.series_title", count=len(series), used=used)


def _dicom(glance: "ScanPreview") -> str:
    columns, rows, slices = glance.shape
    kind = [glance.modality or "DICOM", *(["FLAIR"] if glance.says_flair else [])]
    spacing = glance.spacing_mm
    gap = [text("upload.apart", mm=spacing[2])] if spacing and slices > 1 else []
    key = "upload.pixels_of" if spacing else "upload.pixels"
    pixels = text(key, columns=columns, rows=rows, mm=spacing[0] if spacing else None)
    at = glance.acquired_at
    when = [text("upload.acquired", when=moment_words(at))] if at else []
    parts = [*kind, _slices(slices), *gap, pixels, *when]
    return ", ".join(parts)


def _voxel(glance: "ScanPreview") -> str:
    if glance.spacing_mm is None:
        return text("upload.no_unit")
    sides = {f"{mm:.3g}" for mm in glance.spacing_mm}
    if len(sides) == 1:
        return text("upload.mm", mm=sides.pop())
    return text("upload.mm", mm=TIMES.join(f"{mm:.3g}" for mm in glance.spacing_mm))


def _slices(count: int) -> str:
    return text("upload.slices", count=count)


MOST_PATIENTS = 500
NEW = "new"  # the choice of a patient who is not there yet
Form = Mapping[str, Any]


@dataclass(frozen=True)
class ScanLine:
    """One scan of an upload in words. group: what is sent or left out as one."""

    key: str
    group: str
    is_first: bool
    label: str
    words: str
    readable: bool
    fault: str
    series_title: str
    series: tuple[str, ...]
    sent: bool
    wants_date: bool
    wants_spacing: bool
    is_picture: bool


async def form_of(
    request: web.Request,
    upload: Upload,
    form: Form,
    send: set[str] | None = None,
    wrong: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Everything that the form's template needs.

    form: what was typed before, if anything; send: the groups of scans to be sent, None for all
    that can be read.
    """
    named = patients_named(upload.scans)
    choice = str(form.get("patient") or await _likely(request, named))
    return {
        "csrf": request[SESSION].csrf,
        "upload": upload.held.name,
        "lines": lines_of(upload.scans, send),
        "patients": await choices(request, choice),
        "unassigned": UNASSIGNED,
        "new": NEW,
        "chosen": choice,
        "typed": form,
        "wrong": wrong,
        **await whose(request, upload, choice, form),
    }


async def choices(request: web.Request, chosen: str) -> list[Patient]:
    """The patients to choose from: those at the start of the list, and the chosen one."""
    found = await list_patients(request.app[RECORDS], limit=MOST_PATIENTS)
    listed = [patient for patient in found if patient.patient_id != UNASSIGNED]
    extra = await find_patient(request.app[RECORDS], chosen)
    if extra and extra not in listed:
        listed.insert(0, extra)
    return listed


async def whose(request: web.Request, upload: Upload, choice: str, form: Form) -> dict[str, Any]:
    """Doubts about the chosen patient, and what a new one is called by the DICOM headers."""
    named = patients_named(upload.scans)
    patient = await find_patient(request.app[RECORDS], choice)
    told = named[0] if len(named) == 1 else None
    fresh = {
        "patient_id": form.get("patient_id") or (told.patient_id if told else ""),
        "name": form.get("name") or (told.name if told else ""),
        "birth_date": form.get("birth_date") or (told.birth_date if told else ""),
    }
    return {
        "is_new": choice == NEW,
        "fresh": fresh,
        "doubts": doubts(named, patient, choice),
    }


def patients_named(scans: tuple["Preview", ...]) -> list["Identity"]:
    """Every patient whom the DICOM headers of an upload name, by PatientID."""
    every = {each.patient_id: each for scan in scans for each in scan.patients}
    return [every[patient_id] for patient_id in sorted(every)]


def doubts(named: list["Identity"], patient: Patient | None, choice: str) -> list[str]:
    """What speaks against this patient, in sentences."""
    if len(named) > 1:
        ids = ", ".join(each.patient_id for each in named[:5])
        return [text("upload.several_patients", count=len(named), ids=ids)]
    if not named or choice in (NEW, UNASSIGNED) or patient is None:
        return []
    told, found = named[0], []
    if folder_name(told.patient_id) != patient.patient_id:
        known = {"told": told.patient_id, "known": id_words(patient.patient_id)}
        found.append(text("upload.other_id", **known))
    if told.name and patient.name and not _alike(told.name, patient.name):
        found.append(text("upload.other_name", told=told.name, known=patient.name))
    if told.birth_date and patient.birth_date and told.birth_date != patient.birth_date:
        born = {"told": told.birth_date, "known": patient.birth_date}
        found.append(text("upload.other_birth_date", **born))
    return found


def lines_of(scans: tuple["Preview", ...], send: set[str] | None) -> list[ScanLine]:
    """A line for each scan; what cannot be read is left out unless somebody says otherwise."""
    seen: set[str] = set()
    lines = []
    for scan in scans:
        glance = scan.glance
        wants_scale = glance is not None and glance.spacing_mm is None
        lines.append(
            ScanLine(
                key=scan.key,
                group=scan.group,
                is_first=scan.group not in seen,
                label=scan.label,
                words=scan_words(scan),
                readable=glance is not None,
                fault=fault_words(scan),
                series_title=series_title(scan),
                series=series_lines(scan),
                sent=glance is not None if send is None else scan.group in send,
                wants_date=glance is not None and glance.acquired_at is None,
                wants_spacing=wants_scale,
                is_picture=glance is not None and glance.kind == "image",
            )
        )
        seen.add(scan.group)
    return lines


async def _likely(request: web.Request, named: list["Identity"]) -> str:
    """The patient of the address, else whom the headers name, as known or as new."""
    asked = request.query.get("patient", "")
    if asked or len(named) != 1:
        return asked or UNASSIGNED
    folder = folder_name(named[0].patient_id)
    known = await patients_by_id(request.app[RECORDS], [folder])
    return known[folder].patient_key if folder in known else NEW


def _alike(one: str, other: str) -> bool:
    """Whether two names may be of one person: the words of one are all in the other."""
    first, second = _words(one), _words(other)
    return first <= second or second <= first


def _words(name: str) -> set[str]:
    plain = "".join(c if c.isalnum() else " " for c in name.casefold())
    return set(plain.split())
