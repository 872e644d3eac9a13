"""`gliowatch segment` and `measure`: findings at once, for a terminal or as JSON."""

import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.drops import Drop, DropKind, DroppedFile
from daemon.intake import companion_files
from daemon.intake.inbox_scan import drop_kind, identify
from daemon.logs import quiet_libraries
from daemon.outputs.catalogue import text
from daemon.outputs.report_builder import lobe_score, measurements, pixel_mm2, quality_note
from daemon.outputs.wording import (
    diameter_words,
    finding_sentence,
    lesion_size,
    midline_words,
    position_words,
    side_words,
    size_words,
)
from daemon.pipeline.outbox import publish
from daemon.pipeline.worker_tasks import AnalysisRules, analyze_into, receive
from daemon.report import MeasuredMask, Report
from daemon.report_parts import Lesion, given_fields
from model.errors import GliowatchError, UnreadableScan, WeightsError, naming
from model.measurement import given_masks
from model.reading.names import is_in_transfer, is_left_out
from model.reading.read import read, scan_at

Say = Callable[[str], object]


@dataclass(frozen=True)
class Analyzed:
    """What became of one SCAN: its report and folder, or the sentence that says why not.

    scan: as it was typed.
    """

    scan: str
    report: Report | None
    folder: Path | None
    reason: str | None


def measure_file(mask: Path, scan: Path | None) -> given_masks.MeasuredMask:
    """The findings of a mask, with its scan where that is given.

    Raises GliowatchError, whose sentence names the file that it is about.
    """
    with naming(scan or mask):
        volume = read(scan_at(scan)) if scan else None
    with naming(mask):
        return given_masks.measure_mask(mask, volume)


def print_measured(measured: given_masks.MeasuredMask, as_json: bool, say: Say) -> None:
    """The findings of a mask, as in a report."""
    found = _measured(measured)
    if as_json:
        say(json.dumps(found.as_json(), indent=1))
        return
    say(text("measured.all", size=size_words(found), count=found.volume_voxels))
    for lesion in found.lesions:
        say(f"lesion {lesion.id}: {', '.join(_lesion_words(lesion))}")
    if midline_words(found):
        say(text("report.midline_shift", shift=midline_words(found)))
    for sentence in found.sentences:
        say(sentence)


def _measured(measured: given_masks.MeasuredMask) -> MeasuredMask:
    volume, lobes, findings = measured.volume, measured.lobes, measured.findings
    sizes = measurements(findings, lobes, volume.scale, volume.is_picture, pixel_mm2(volume))
    return MeasuredMask(
        quality=tuple(quality_note(note) for note in findings.notes),
        lobe_score=lobe_score(lobes),
        **given_fields(sizes),
    )


def _lesion_words(lesion: Lesion) -> list[str]:
    words = [lesion_size(lesion), text("measured.voxels", count=lesion.voxels)]
    words.append(diameter_words(lesion))
    if lesion.max_diameter_3d_mm is not None:
        words.append(f"at most {lesion.max_diameter_3d_mm:.0f} mm in any direction")
    position, lobes = position_words(lesion), lesion.lobe_words or text("lobe.unknown")
    return [*words, side_words(lesion), *([position] if position else []), lobes]


def print_table(content: dict[str, Any], as_json: bool, say: Say, indent: str = "") -> None:
    """Nested plain values, one a line; a list of alike ones as a table of its own."""
    if as_json:
        say(json.dumps(content, indent=1))
        return
    for name, value in content.items():
        if isinstance(value, dict):
            say(f"{indent}{name}")
            print_table(value, False, say, indent + "  ")
        elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            say(f"{indent}{name}")
            _print_rows([tuple(value[0]), *(tuple(row.values()) for row in value)], say, indent)
        else:
            say(f"{indent}{name}: {value}")


def _print_rows(rows: list[tuple[Any, ...]], say: Say, indent: str) -> None:
    """A line a row, its columns below each other."""
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        say(f"{indent}  {'  '.join(cells).rstrip()}")


def print_analyzed(analyzed: Iterable[Analyzed], as_json: bool, say: Say) -> int:
    """All scans of one command; 1 if any could not be read, else 0.

    As JSON, one entry a SCAN in the order of the command: its report, or what was typed and why it
    could not be read. That goes to standard error too, which never mixes with JSON.
    """
    entries, failed = [], 0
    for each in analyzed:
        if each.report is None:
            failed = 1
            entries.append({"scan": each.scan, "reason": each.reason})
            sys.stderr.write(f"gliowatch: {each.scan}: {each.reason}\n")
        elif as_json:
            entries.append(each.report.as_json())
        else:
            _say_report(each.report, each.folder, say)
    if as_json:
        say(json.dumps(entries, indent=1, ensure_ascii=False))
    return failed


def _say_report(report: Report, folder: Path | None, say: Say) -> None:
    say(f"{folder}: {finding_sentence(report)}")
    for sentence in report.sentences:
        say(f"  {sentence}")
    say(f"  {text('report.research_use')}")


def segment_once(
    scans: list[Path], target: Path, patient_id: str, rules: AnalysisRules
) -> Iterator[Analyzed]:
    """Analyze each file, or folder of DICOM files, into `target/<scan_id>/`, one after the other.

    The input is never touched. A folder of an earlier run with the same scan is replaced.
    """
    quiet_libraries()
    target.mkdir(parents=True, exist_ok=True)
    for scan in scans:
        with (
            naming(rules.weights, "model.weights") if rules.weights else nullcontext(),
            tempfile.TemporaryDirectory(prefix=".staging-", dir=target) as staging,
        ):
            analyzed = _or_reason(scan, target, patient_id, rules, Path(staging) / "scan")
        yield analyzed


def _or_reason(
    scan: Path, target: Path, patient_id: str, rules: AnalysisRules, staging: Path
) -> Analyzed:
    try:
        with warnings.catch_warnings(action="ignore"):  # readers quote tags and file names
            report, folder = _segment(scan.resolve(), target, patient_id, rules, staging)
    except WeightsError:  # no scan can be analyzed
        raise
    except GliowatchError as error:
        return Analyzed(str(scan), None, None, str(error))
    except PermissionError:
        return Analyzed(str(scan), None, None, text("measured.not_readable"))
    return Analyzed(str(scan), report, folder, None)


def _segment(
    scan: Path, target: Path, patient_id: str, rules: AnalysisRules, staging: Path
) -> tuple[Report, Path]:
    drop = as_drop(scan, patient_id)
    intake = receive(scan.parent, drop, staging)
    report = analyze_into(staging, patient_id, intake, rules)
    folder = target / intake.scan_id
    shutil.rmtree(folder, ignore_errors=True)
    publish(staging, folder)
    return report, folder


def as_drop(scan: Path, patient_id: str) -> Drop:
    """A file, or a folder that holds one scan, as if it had been dropped. Raises UnreadableScan."""
    if not scan.exists():
        raise UnreadableScan("There is no such file or folder.")
    if scan.is_file():
        dropped = tuple(_identify(scan.parent, file) for file in scan_at(scan).files)
        kind = drop_kind(os.fsencode(scan.name))
        return Drop(os.fsencode(scan.name), patient_id, kind, False, dropped)
    paths = _files_below(scan)
    if not paths:
        raise UnreadableScan("The folder is empty.")
    files = tuple(_identify(scan.parent, path) for path in paths)
    main = _main_of([file.path for file in files])
    unit = os.fsencode(scan.name) if main is None else main
    kind = DropKind.DICOM if main is None else drop_kind(main)
    return Drop(unit, patient_id, kind, False, files)


def _main_of(paths: list[bytes]) -> bytes | None:
    """The one scan of a folder that is no DICOM; None for a DICOM study with what lies beside it.

    Raises UnreadableScan where a folder holds more than one scan, or an archive.
    """
    beside = companion_files.companions(paths)
    scans = [path for path in paths if drop_kind(path) is not DropKind.DICOM and path not in beside]
    may_be_dicom = any(
        drop_kind(path) is DropKind.DICOM and not companion_files.is_document(path)
        for path in paths
    )
    if len(scans) > 1 or (scans and (may_be_dicom or drop_kind(scans[0]) is DropKind.ZIP)):
        raise UnreadableScan(text("intake.several_in_folder", count=len(scans) + may_be_dicom))
    return scans[0] if scans else None


def _files_below(folder: Path) -> list[Path]:
    """All but links and what systems and tools make. Raises UnreadableScan for a running copy."""
    found = []
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder).as_posix()
        if not path.is_file() or path.is_symlink() or is_left_out(below):
            continue
        if is_in_transfer(below):
            raise UnreadableScan(text("measured.unfinished", name=below))
        found.append(path)
    return found


def _identify(root: Path, file: Path) -> DroppedFile:
    return identify(os.fsencode(file.relative_to(root)), file.lstat())
