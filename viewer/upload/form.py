"""The form that sends an upload: each scan in words, what is asked of it, and whose it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from daemon.drops import UNASSIGNED, folder_name
from daemon.index.people.patients import Patient, find_patient, list_patients, patients_by_id
from viewer.sessions import RECORDS, SESSION
from viewer.upload.staging import Upload

if TYPE_CHECKING:
    from daemon.intake.upload_preview import Understood
    from model.reading.dicom.patient_tags import Identity
    from model.reading.preview import Glance


MOST_SERIES = 12  # lines for one study
NO_SCALE = "No scale: millimetres and volume not available"
NO_UNIT = "the file does not say its unit of length: millimetres would only be assumed"


def scan_words(scan: "Understood") -> str:
    """What a scan is, or that it cannot be read."""
    glance = scan.glance
    if glance is None:
        return f"Not readable: {scan.fault}"
    match glance.kind:
        case "image":
            return f"Picture, {glance.shape[0]} x {glance.shape[1]} pixels. {NO_SCALE}."
        case "nifti":
            return f"NIfTI volume, {_times(*glance.shape)}; {_voxel(glance)}."
        case _:
            return f"{_dicom(glance)}."


def fault_words(scan: "Understood") -> str:
    """Why it would be taken, but not judged; '' where nothing speaks against it."""
    return scan.glance.unfit if scan.glance else ""


def series_lines(scan: "Understood") -> tuple[str, ...]:
    """The series of a study, if there are several, and which one is taken."""
    series = scan.glance.series if scan.glance else ()
    if len(series) < 2:
        return ()
    lines = [
        f"{each.description or '(no description)'}, {_slices(each.slices)}: "
        + ("this one is taken." if each.chosen else f"not taken. {each.reason}")
        for each in sorted(series, key=lambda each: not each.chosen)
    ]
    more = len(lines) - MOST_SERIES
    return (*lines[:MOST_SERIES], *([f"{more} more series, not taken."] if more > 0 else []))


def series_title(scan: "Understood") -> str:
    """How many series a study has, and the one that is taken."""
    series = scan.glance.series if scan.glance else ()
    taken = [each.description or "(no description)" for each in series if each.chosen]
    return f"{len(series)} series in this study; taken: {taken[0] if taken else 'none'}"


def _dicom(glance: "Glance") -> str:
    columns, rows, slices = glance.shape
    kind = [glance.modality or "DICOM", *(["FLAIR"] if glance.says_flair else [])]
    spacing = glance.spacing_mm
    gap = [f"{spacing[2]:.3g} mm apart"] if spacing and slices > 1 else []
    pixel = f" of {spacing[0]:.3g} mm" if spacing else ""
    when = [f"acquired {glance.acquired_at.replace('T', ' ')}"] if glance.acquired_at else []
    parts = [*kind, _slices(slices), *gap, f"{columns} x {rows} pixels{pixel}", *when]
    return ", ".join(parts)


def _voxel(glance: "Glance") -> str:
    if glance.spacing_mm is None:
        return NO_UNIT
    sides = {f"{mm:.3g}" for mm in glance.spacing_mm}
    if len(sides) == 1:
        return f"{sides.pop()} mm"
    return f"{' x '.join(f'{mm:.3g}' for mm in glance.spacing_mm)} mm"


def _times(*numbers: int) -> str:
    return " x ".join(str(number) for number in numbers)


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"


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


def patients_named(scans: tuple["Understood", ...]) -> list["Identity"]:
    """Every patient whom the DICOM headers of an upload name, by PatientID."""
    every = {each.patient_id: each for scan in scans for each in scan.patients}
    return [every[patient_id] for patient_id in sorted(every)]


def doubts(named: list["Identity"], patient: Patient | None, choice: str) -> list[str]:
    """What speaks against this patient, in sentences."""
    if len(named) > 1:
        ids = ", ".join(each.patient_id for each in named[:5])
        return [f"These files name {len(named)} patients: {ids}. One upload is for one patient."]
    if not named or choice in (NEW, UNASSIGNED) or patient is None:
        return []
    told, found = named[0], []
    if folder_name(told.patient_id) != patient.patient_id:
        found.append(f"The DICOM header says ID {told.patient_id}, not {patient.patient_id}.")
    if told.name and patient.name and not _alike(told.name, patient.name):
        found.append(f"The DICOM header says {told.name}, not {patient.name}.")
    if told.birth_date and patient.birth_date and told.birth_date != patient.birth_date:
        found.append(f"The DICOM header says born {told.birth_date}, not {patient.birth_date}.")
    return found


def lines_of(scans: tuple["Understood", ...], send: set[str] | None) -> list[ScanLine]:
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
