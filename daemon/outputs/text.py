"""Findings as lines for a terminal, or as JSON for another program."""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.outputs.report import measurements, pixel_mm2, with_lobes
from daemon.outputs.sentences import (
    RESEARCH_USE,
    diameter_words,
    finding_sentence,
    midline_words,
)
from daemon.outputs.where_words import position_words, side_words
from model.measurement.given_masks import MeasuredMask

Say = Callable[[str], object]


@dataclass(frozen=True)
class Judged:
    """What became of one SCAN: its report and folder, or the sentence that says why not."""

    name: str
    report: dict[str, Any] | None
    folder: Path | None
    reason: str | None


def print_measured(measured: MeasuredMask, as_json: bool, say: Say) -> None:
    """The findings of a mask, as in a report."""
    volume = measured.volume
    notes = [{"code": n.code, "message": n.message} for n in measured.findings.notes]
    sizes = measurements(measured.findings, volume.scale, volume.is_picture, pixel_mm2(volume))
    content = {"quality": notes, **with_lobes(sizes, measured.lobes)}
    if as_json:
        say(json.dumps(content, indent=1))
        return
    volume_ml = content["volume_ml"]
    say(f"volume {volume_ml} ml, {content['volume_voxels']} voxels")
    for lesion in content["lesions"]:
        say(f"lesion {lesion['id']}: {', '.join(_lesion_words(lesion))}")
    if midline_words(content):
        say(midline_words(content))
    for note in content["quality"]:
        say(note["message"])


def _lesion_words(lesion: dict[str, Any]) -> list[str]:
    words = [f"{lesion['voxels']} voxels", diameter_words(lesion)]
    if lesion["volume_ml"] is not None:
        words.insert(0, f"{lesion['volume_ml']} ml")
    if lesion["max_diameter_3d_mm"] is not None:
        words.append(f"at most {lesion['max_diameter_3d_mm']:.0f} mm in any direction")
    position = position_words(lesion)
    return [*words, side_words(lesion), *([position] if position else []), lesion["lobe_words"]]


def print_table(content: dict[str, Any], as_json: bool, say: Say, indent: str = "") -> None:
    """Nested plain values, one a line."""
    if as_json:
        say(json.dumps(content, indent=1))
        return
    for name, value in content.items():
        if isinstance(value, dict):
            say(f"{indent}{name}")
            print_table(value, False, say, indent + "  ")
        else:
            say(f"{indent}{name}: {value}")


def print_judged(judged: Iterable[Judged], as_json: bool, say: Say) -> int:
    """All scans of one command; 1 if any could not be read, else 0.

    Why a scan could not be judged goes to standard error, so that it never mixes with JSON.
    """
    reports, failed = [], 0
    for each in judged:
        if each.report is None:
            failed = 1
            sys.stderr.write(f"gliowatch: {each.name}: {each.reason}\n")
        elif as_json:
            reports.append(each.report)
        else:
            _say_report(each.report, each.folder, say)
    if as_json:
        say(json.dumps(reports, indent=1, ensure_ascii=False))
    return failed


def _say_report(report: dict[str, Any], folder: Path | None, say: Say) -> None:
    say(f"{folder}: {finding_sentence(report)}")
    for note in report["quality"]:
        say(f"  {note['message']}")
    say(f"  {RESEARCH_USE}")
