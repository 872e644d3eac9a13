"""Files that came late for a study, inside the worker: joined to what was published of it."""

import os
import shutil
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

from daemon.drops import SOURCE
from daemon.intake.ingest import (
    UNPACKED,
    Earlier,
    Intake,
    hash_content,
    hash_file,
    one_scan,
    pictures_of,
)
from daemon.intake.study_split import members_of_study
from daemon.safe_files import link_file
from model.reading.archive import unpack
from model.reading.dicom.files import is_dicom
from model.reading.dicom.patient_tags import Named, named_in
from model.rules import is_archive
from model.volume import Kind, Scan


def join(staging: Path, intake: Intake, earlier: Earlier) -> Intake | None:
    """The whole study, its earlier files first; None if what came late shows nothing new.

    `staging/source` then holds all of it: links to the earlier files, and the late ones in a
    folder of their own, named by the revision that they make. What names another patient than
    the earlier files do is not joined: it is given back as it came.
    """
    old = staging / "earlier"
    link_tree(earlier.folder / SOURCE, old)
    before = files_before(old, staging, intake.study.uid if intake.study else None)
    names = {identity.patient_id for identity in named_in(before).identities}
    if names != intake.dicom_ids:
        shutil.rmtree(old)
        return intake
    known = pictures_of([(path, hash_file(path)) for path in before if is_dicom(path)])
    if intake.pictures <= known:
        return None
    source = staging / SOURCE
    place = _free_place(old, f"r{earlier.revision + 1}")
    source.rename(place)
    old.rename(source)
    late = source / place.name
    files = [_below(source, old, path) for path in before]
    files += [_below(late, source, path) for path in intake.scan.files]
    return replace(
        intake,
        scan_id=earlier.scan_id,
        content_sha256=hash_content(sorted(known | intake.pictures)),
        scan=Scan(Kind.DICOM, tuple(files)),
        earlier=earlier,
    )


def _below(folder: Path, moved: Path, path: Path) -> Path:
    """Where a file lies now that `moved` has become `folder`; an unpacked one stays."""
    return folder / path.relative_to(moved) if path.is_relative_to(moved) else path


def take_again(staging: Path, earlier: Earlier, study_uid: str | None) -> Intake:
    """What was published, to be analyzed anew: links to its files, and nothing dropped.

    Raises UnreadableScan when the files in the outbox are no longer what they were.
    """
    link_tree(earlier.folder / SOURCE, staging / SOURCE)
    files = files_before(staging / SOURCE, staging, study_uid)
    scan, digests, pictures = one_scan([(path, hash_file(path)) for path in files])
    named = named_in(scan.files) if scan.kind is Kind.DICOM else Named()
    content = hash_content(digests)
    return Intake(
        scan_id=earlier.scan_id,
        content_sha256=content,
        scan=scan,
        hashes={},
        named=named,
        pictures=pictures,
        earlier=earlier,
    )


def files_below(folder: Path) -> list[Path]:
    """All regular files at any depth, by path."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def link_tree(folder: Path, target: Path, but: Container[str] = ()) -> None:
    """The same files under other names; copied where the file system knows no links.

    but: names at the top of the folder that are left out.
    """

    def ignore(place: str, names: list[str]) -> list[str]:
        return [name for name in names if name in but] if place == str(folder) else []

    shutil.copytree(folder, target, copy_function=link_file, ignore=ignore, dirs_exist_ok=True)


def files_before(source: Path, staging: Path, study_uid: str | None) -> tuple[Path, ...]:
    """The earlier files as they were analyzed: archives unpacked, of several studies this one."""
    files: list[Path] = []
    for number, path in enumerate(files_below(source)):
        if not is_archive(path.name):
            files.append(path)
            continue
        folder = staging / UNPACKED / f"earlier-{number}"
        folder.mkdir(parents=True)
        files += members_of_study(study_uid, unpack(path, folder))
    return tuple(files)


def _free_place(source: Path, name: str) -> Path:
    """A name in `source` that none of the earlier files has."""
    while os.path.lexists(source / name):
        name += "_"
    return source / name
