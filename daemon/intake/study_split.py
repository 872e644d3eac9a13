"""The studies among the files of one DICOM drop, told apart inside the worker by their headers."""

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from daemon.drops import STUDY_MARK, Drop, DropKind, DroppedFile
from daemon.intake.dropped_files import open_dropped
from model.reading.archive import unpack
from model.reading.dicom.patient_tags import StudyTold, study_of
from model.reading.dicom.studies import studies_among

File = TypeVar("File")


def part_by_study(inbox: Path, drop: Drop, staging: Path) -> tuple[Drop, ...]:
    """One drop a study, or the drop itself if all of it is one study.

    The studies of one archive are drops that share its file. Raises FilesChanged when a file is
    no longer what was seen, UnreadableScan for an archive that cannot be unpacked.
    """
    if drop.kind is DropKind.ZIP:
        studies = _studies_in_archive(inbox, drop, staging)
        units = [_unit(drop, study) for study in sorted(studies)]
        return tuple(replace(drop, unit=unit) for unit in units) if len(units) > 1 else (drop,)
    told = {file: _study(inbox, file) for file in drop.files}
    named = _named(told, lambda file: inbox / os.fsdecode(file.path))
    parts = _parts(named, lambda file: os.path.dirname(file.path))
    if len(parts) < 2:
        return (drop,)
    return tuple(
        replace(drop, unit=_unit(drop, study), files=tuple(files))
        for study, files in sorted(parts.items())
    )


def members_of(drop: Drop, members: tuple[Path, ...]) -> tuple[Path, ...]:
    """Of an archive's unpacked members those of the drop's study, or all if it has but one."""
    if not drop.is_one_study:
        return members
    whole = replace(drop, unit=drop.place)
    return _members(members, lambda study: _unit(whole, study) == drop.unit)


def members_of_study(uid: str | None, members: tuple[Path, ...]) -> tuple[Path, ...]:
    """Of an archive's unpacked members those that were analyzed as this study; None: all."""
    return members if uid is None else _members(members, lambda study: study == uid)


def studies_in_members(members: tuple[Path, ...]) -> list[tuple[Path, ...]]:
    """An archive's unpacked members, study by study."""
    return [tuple(part) for part in _parts(_named_members(members), lambda member: b"").values()]


def _members(members: tuple[Path, ...], is_wanted: Callable[[str], bool]) -> tuple[Path, ...]:
    parts = _parts(_named_members(members), lambda member: b"")
    if len(parts) < 2:
        return members
    return tuple(member for study, part in parts.items() if is_wanted(study) for member in part)


def _named_members(members: tuple[Path, ...]) -> dict[Path, str | None]:
    return _named({member: study_of(member) for member in members}, lambda member: member)


def _named(
    told: Mapping[File, StudyTold | None], path_of: Callable[[File], Path]
) -> dict[File, str | None]:
    """The StudyInstanceUID that stands for each file's study; None of a file that names none."""
    known = [(path_of(file), study) for file, study in told.items() if study]
    stands = studies_among(known)
    return {file: stands[study.uid] if study else None for file, study in told.items()}


def _parts(
    named: Mapping[File, str | None], folder_of: Callable[[File], bytes]
) -> dict[str, list[File]]:
    """The files of each study.

    A file that names no study (a DICOMDIR, a text, a damaged file) goes with the study of which
    most files lie in its folder, else with the largest: nothing is lost, and what is damaged is
    said by who reads it.
    """
    studies = Counter(study for study in named.values() if study)
    by_folder: dict[bytes, Counter[str]] = {}
    for file, study in named.items():
        if study:
            by_folder.setdefault(folder_of(file), Counter())[study] += 1
    parts: dict[str, list[File]] = {}
    for file, study in named.items():
        near = by_folder.get(folder_of(file), studies)
        if study or near:
            parts.setdefault(study or near.most_common(1)[0][0], []).append(file)
    return parts


def _studies_in_archive(inbox: Path, drop: Drop, staging: Path) -> set[str]:
    (file,) = drop.files
    with (
        open_dropped(inbox, file),
        tempfile.TemporaryDirectory(prefix="studies-", dir=staging) as folder,
    ):
        members = tuple(unpack(inbox / os.fsdecode(file.path), Path(folder)))
        return {study for study in _named_members(members).values() if study}


def _study(inbox: Path, file: DroppedFile) -> StudyTold | None:
    with open_dropped(inbox, file) as stream:
        return study_of(stream)


def _unit(drop: Drop, study: str) -> bytes:
    return drop.unit + STUDY_MARK + hashlib.sha256(study.encode()).hexdigest()[:16].encode()
