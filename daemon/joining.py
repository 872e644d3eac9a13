"""Files that came late for a study, inside the worker: joined to what was published of it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from daemon.intake import (
    SOURCE,
    UNPACKED,
    Earlier,
    Intake,
    hash_content,
    hash_file,
    one_scan,
    pictures_of,
)
from model.reading.archive import unpack
from model.reading.dicom_frames import is_dicom
from model.reading.dicom_identity import Named, named_in, study_of
from model.reading.kinds import is_archive
from model.volume import Kind, Scan


def join(staging: Path, intake: Intake, earlier: Earlier) -> Intake | None:
    """The whole study, its earlier files first; None if what came late shows nothing new.

    `staging/source` then holds all of it: links to the earlier files, and the late ones in a
    folder of their own, named by the revision that they make.
    """
    source, late = staging / SOURCE, staging / "late"
    source.rename(late)
    link_tree(earlier.folder / SOURCE, source)
    before = _files_before(source, staging, intake.study.uid if intake.study else None)
    place = _free_place(source, f"r{earlier.revision + 1}")
    late.rename(place)
    known = pictures_of([(path, hash_file(path)) for path in before if is_dicom(path)])
    if intake.pictures <= known:
        return None
    moved = tuple(
        place / path.relative_to(source) if path.is_relative_to(source) else path
        for path in intake.scan.files
    )
    return replace(
        intake,
        scan_id=earlier.scan_id,
        content_sha256=hash_content(sorted(known | intake.pictures)),
        scan=Scan(Kind.DICOM, (*before, *moved)),
        earlier=earlier,
    )


def take_again(staging: Path, earlier: Earlier, study_uid: str | None) -> Intake:
    """What was published, to be judged anew: links to its files, and nothing dropped.

    Raises UnreadableScan when the files in the outbox are no longer what they were.
    """
    link_tree(earlier.folder / SOURCE, staging / SOURCE)
    files = _files_before(staging / SOURCE, staging, study_uid)
    scan, digests, pictures = one_scan([(path, hash_file(path)) for path in files])
    named = named_in(scan.files) if scan.kind is Kind.DICOM else Named()
    content = hash_content(digests)
    return Intake(earlier.scan_id, content, scan, {}, named, pictures, earlier)


def files_below(folder: Path) -> list[Path]:
    """All regular files at any depth, by path."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def link_tree(folder: Path, target: Path) -> None:
    """The same files under other names; copied where the file system knows no links."""
    shutil.copytree(folder, target, copy_function=_link)


def _link(file: str, target: str) -> None:
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(file, target, follow_symlinks=False)


def _files_before(source: Path, staging: Path, study_uid: str | None) -> tuple[Path, ...]:
    """The earlier files as they were judged: archives unpacked, of several studies this one."""
    files: list[Path] = []
    for number, path in enumerate(files_below(source)):
        if not is_archive(path.name):
            files.append(path)
            continue
        folder = staging / UNPACKED / f"earlier-{number}"
        folder.mkdir(parents=True)
        members = unpack(path, folder)
        files += [m for m in members if not study_uid or study_of(m) in (study_uid, None)]
    return tuple(files)


def _free_place(source: Path, name: str) -> Path:
    """A name in `source` that none of the earlier files has."""
    while os.path.lexists(source / name):
        name += "_"
    return source / name
