"""The studies among the files of one DICOM drop, told apart inside the worker by their headers."""

import hashlib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from daemon.drops import STUDY_MARK, Drop, DroppedFile
from daemon.intake import open_dropped
from model.reading.dicom_identity import study_of


def part_by_study(inbox: Path, drop: Drop) -> tuple[Drop, ...]:
    """One drop a study, or the drop itself if all of it is one study.

    A file that names no study (a DICOMDIR, a text, a damaged file) goes with the study of which
    most files lie in its folder, else with the largest: nothing is lost, and what is damaged is
    said by who reads it. Raises FilesChanged when a file is no longer what was seen.
    """
    named = {file: _study(inbox, file) for file in drop.files}
    studies = Counter(study for study in named.values() if study)
    if len(studies) < 2:
        return (drop,)
    by_folder: dict[bytes, Counter[str]] = {}
    for file, study in named.items():
        if study:
            by_folder.setdefault(os.path.dirname(file.path), Counter())[study] += 1
    parts: dict[str, list[DroppedFile]] = {}
    for file, study in named.items():
        near = by_folder.get(os.path.dirname(file.path), studies)
        parts.setdefault(study or near.most_common(1)[0][0], []).append(file)
    return tuple(
        replace(drop, unit=_unit(drop, study), files=tuple(files))
        for study, files in sorted(parts.items())
    )


def _study(inbox: Path, file: DroppedFile) -> str | None:
    with open_dropped(inbox, file) as stream:
        return study_of(stream)


def _unit(drop: Drop, study: str) -> bytes:
    return drop.unit + STUDY_MARK + hashlib.sha256(study.encode()).hexdigest()[:16].encode()
