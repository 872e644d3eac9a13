"""Under which patient DICOM files belong, inside the worker: by the folder, or by their PatientID.

A sender may lay out the inbox by study or by series; then the files are moved into their
patients' folders, as loose files always are, before anything is analyzed.
"""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from daemon.drops import UNASSIGNED, Drop, DroppedFile, folder_name
from daemon.intake.dropped_files import open_dropped
from daemon.intake.inbox_scan import DELIVERIES
from model.reading.dicom.patient_tags import patient_of

Folder = Literal["patient", "study", "auto"]


def patients_of(inbox: Path, drop: Drop, folder: Folder) -> dict[DroppedFile, str]:
    """The name of the patient's folder for each file of a drop; those that stay are left out.

    A loose file goes by its PatientID whatever `folder` says. Files that a person sent or gave
    to a patient stay. Raises FilesChanged when a file is no longer what was seen.
    """
    moving = {file: _patient_id(inbox, file) for file in drop.files if not _is_given(file.path)}
    top = drop.place.split(b"/")[0] if b"/" in drop.files[0].path else b""
    told = _by_patient_id(moving, os.fsdecode(top), folder)
    found = {file: told.get(file) or _nearest(file, told) for file in moving}
    return {file: name for file, name in found.items() if name and os.fsencode(name) != top}


def _by_patient_id(
    ids: Mapping[DroppedFile, str | None], top: str, folder: Folder
) -> dict[DroppedFile, str]:
    """The folder of each DICOM file; top: the one in which they lie, '' for a loose file."""
    names = {file: folder_name(its) for file, its in ids.items() if its is not None}
    if not top:
        return names or dict.fromkeys(ids, UNASSIGNED)
    named = {name for file, name in names.items() if ids[file]}
    is_patients_own = folder == "auto" and (not named or named == {top})
    if folder == "patient" or is_patients_own:
        return dict.fromkeys(names, top)
    return {file: name if ids[file] or folder == "study" else top for file, name in names.items()}


def _nearest(file: DroppedFile, told: Mapping[DroppedFile, str]) -> str:
    """For a file that names no patient: where most files of its folder go, else most of all."""
    beside = [its for each, its in told.items() if _folder(each) == _folder(file)]
    counts = Counter(beside or told.values())
    return counts.most_common(1)[0][0] if counts else ""


def _folder(file: DroppedFile) -> bytes:
    return os.path.dirname(file.path)


def _patient_id(inbox: Path, file: DroppedFile) -> str | None:
    with open_dropped(inbox, file) as stream:
        return patient_of(stream)


def _is_given(path: bytes) -> bool:
    """Whether one of our own pages filed it: a person chose the patient."""
    return any(part.startswith(DELIVERIES) for part in path.split(b"/")[1:3])
