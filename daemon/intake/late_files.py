"""Files that came late for a study, inside the worker: joined to what was published of it."""

import os
import shutil
import tempfile
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from daemon.drops import SOURCE
from daemon.intake.ingest import (
    UNPACKED,
    Earlier,
    Intake,
    content_of,
    hash_content,
    hash_file,
    one_scan,
    pictures_of,
    scan_of,
)
from daemon.intake.study_split import members_of_study, studies_in_members
from daemon.safe_files import link_file
from model.errors import UnreadableScan
from model.reading.archive import unpack
from model.reading.dicom.files import is_dicom
from model.reading.dicom.patient_tags import Named, changes_between, named_in
from model.reading.dicom.studies import Fit, fit_of
from model.rules import FlairRules, is_archive
from model.volume import Kind, Scan

Shown = Mapping[Path, frozenset[str]]  # the hash of the picture that a DICOM file shows, if any


def join(staging: Path, intake: Intake, earlier: Earlier) -> Intake | None:
    """The whole study, its earlier files first; None if what came late shows nothing new.

    `staging/source` then holds all of it: links to the earlier files, and the late ones in a
    folder of their own, named by the revision that they make. Earlier files whose pictures came
    again with corrected patient data, or all of them under new numbers, are left out. What names
    another patient than the earlier files do, and is no correction of them all, is not joined: it
    is given back as it came.
    """
    old = staging / "earlier"
    link_tree(earlier.folder / SOURCE, old)
    before = files_before(old, staging, earlier.study_uid)
    shown = _shown(before)
    known: frozenset[str] = frozenset().union(*shown.values())
    again = [path for path, its in shown.items() if its and its <= intake.pictures]
    changes = changes_between(again, intake.scan.files)
    named = named_in(before)
    names = {identity.patient_id for identity in named.identities}
    if names != intake.dicom_ids and not (changes and known <= intake.pictures):
        shutil.rmtree(old)
        return intake
    if intake.pictures <= known and not changes:
        return None
    is_numbered_anew = known <= intake.pictures and not set(named.uids) & set(intake.named.uids)
    if changes or is_numbered_anew:
        before = _leave_out(old, before, shown, set(again))
    return _joined(staging, replace(intake, changes=changes), earlier, old, before, known)


def fits(
    staging: Path, intake: Intake, others: tuple[Earlier, ...], rules: FlairRules
) -> dict[str, Fit]:
    """How well a drop fits each of some published scans, by the scan's id: its pictures are among
    those of the scan, or the other way round, or both make one stack."""
    found: dict[str, Fit] = {}
    for other in others:
        with tempfile.TemporaryDirectory(prefix="fits-", dir=staging) as folder:
            before = files_before(other.folder / SOURCE, Path(folder), other.study_uid)
            known: frozenset[str] = frozenset().union(*_shown(before).values())
            is_same = bool(known) and (known <= intake.pictures or intake.pictures <= known)
            fit = Fit.SURE if is_same else fit_of(before, intake.scan.files, rules)
        found[other.scan_id] = fit
    return found


def _shown(files: Iterable[Path]) -> Shown:
    return {path: pictures_of([(path, hash_file(path))]) for path in files if is_dicom(path)}


def _joined(
    staging: Path,
    intake: Intake,
    earlier: Earlier,
    old: Path,
    before: dict[Path, str],
    known: frozenset[str],
) -> Intake:
    kept = scan_of(list(before), before).files if before else ()
    source = staging / SOURCE
    place = _free_place(old, f"r{earlier.revision + 1}")
    source.rename(place)
    old.rename(source)
    late = source / place.name
    files = [_below(source, old, path) for path in kept]
    came = [_below(late, source, path) for path in intake.scan.files]
    studies = named_in([*came, *files]).known_as(earlier.study_uid).studies
    return replace(
        intake,
        scan_id=earlier.scan_id,
        content_sha256=hash_content(content_of(known | intake.pictures, [*files, *came])),
        scan=Scan(Kind.DICOM, (*files, *came)),
        named=replace(intake.named, studies=studies),
        doubtful=earlier.doubtful,
        earlier=earlier,
    )


def _leave_out(
    old: Path, before: dict[Path, str], shown: Shown, gone: set[Path]
) -> dict[Path, str]:
    """The earlier files without those that came again; an archive goes with its last picture."""
    left = {path: name for path, name in before.items() if path not in gone}
    for number, path in enumerate(files_below(old)):
        members = {each for each in before if each.parent.name == _unpacked(number)}
        with_pictures = {each for each in members if shown.get(each)}
        if path in gone or (with_pictures and with_pictures <= gone):
            path.unlink()  # a link: the earlier result keeps it
            left = {each: name for each, name in left.items() if each not in members}
    return left


def _unpacked(number: int) -> str:
    """The folder of what an earlier archive held."""
    return f"earlier-{number}"


def _below(folder: Path, moved: Path, path: Path) -> Path:
    """Where a file lies now that `moved` has become `folder`; an unpacked one stays."""
    return folder / path.relative_to(moved) if path.is_relative_to(moved) else path


def take_again(staging: Path, earlier: Earlier) -> Intake:
    """What was published, to be analyzed anew: links to its files, and nothing dropped.

    Raises UnreadableScan when the files in the outbox are no longer what they were.
    """
    link_tree(earlier.folder / SOURCE, staging / SOURCE)
    files = files_before(staging / SOURCE, staging, earlier.study_uid)
    scan, digests, pictures = one_scan([(path, hash_file(path)) for path in files], files)
    named = named_in(scan.files) if scan.kind is Kind.DICOM else Named()
    content = hash_content(digests)
    return Intake(
        scan_id=earlier.scan_id,
        content_sha256=content,
        scan=scan,
        hashes={},
        named=named.known_as(earlier.study_uid),
        doubtful=earlier.doubtful,
        pictures=pictures,
        earlier=earlier,
    )


def scan_in(source: Path, scratch: Path, study_uid: str | None) -> Scan:
    """The scan that published files are, to be looked at once more. scratch: for what is unpacked.

    Raises UnreadableScan when they are no longer what they were.
    """
    files = files_before(source, scratch, study_uid)
    if not files:
        raise UnreadableScan("Its files are gone.")
    return scan_of(list(files), files)


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


def files_before(source: Path, staging: Path, study_uid: str | None) -> dict[Path, str]:
    """The earlier files as they were analyzed, with their names below the source.

    Archives are unpacked, and of several studies in one this one is taken, or those that fit it.
    """
    files: dict[Path, str] = {}
    others: dict[Path, str] = {}
    for number, path in enumerate(files_below(source)):
        if not is_archive(path.name):
            files[path] = str(path.relative_to(source))
            continue
        folder = staging / UNPACKED / _unpacked(number)
        folder.mkdir(parents=True)
        names = unpack(path, folder)
        chosen = members_of_study(study_uid, tuple(names))
        files |= {each: names[each] for each in chosen}
        others |= {} if chosen else names
    for part in studies_in_members(tuple(others)):  # joined, under another number, by what fits
        if fit_of(files, part) is Fit.SURE:
            files |= {each: others[each] for each in part}
    return files


def _free_place(source: Path, name: str) -> Path:
    """A name in `source` that none of the earlier files has."""
    while os.path.lexists(source / name):
        name += "_"
    return source / name
