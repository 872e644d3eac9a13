"""`gliowatch compare-weights`: what other weights would change on the site's own scans.

The sources in the outbox are analyzed once more; outbox and index stay as they are.
"""

import asyncio
import json
import os
import statistics
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from daemon.drops import SOURCE
from daemon.index.scans import ScanRow, newest_by_network
from daemon.intake.late_files import scan_in
from daemon.logs import quiet_libraries
from daemon.outputs.overlay import save_difference
from daemon.outputs.report_builder import measurements, pixel_mm2
from daemon.outputs.slice_rendering import display
from daemon.outputs.wording import size_words
from daemon.pipeline.lost_index import open_known_index
from daemon.pipeline.worker_tasks import AnalysisRules, analysis_rules
from daemon.report import Report
from daemon.scan_history import series_in, spacing_in
from daemon.settings import Settings
from model.errors import GliowatchError, UnreadableScan, naming
from model.geometry import dice
from model.inference.analysis import Analysis, analyze, first_analyzed
from model.inference.input_check import InputCheck, load_input_check
from model.inference.segmentation import Rules
from model.inference.tumor_check import load_tumor_check
from model.network.network import Network, load_network
from model.reading.nifti import read_nifti
from model.reading.read import read_each, with_spacing
from model.volume import Kind, Volume

Say = Callable[[str], object]
Mask = NDArray[np.bool_]

WORST = 10  # scans of which a picture is drawn
FAR = 0.8  # Dice of both masks below which they are counted as far apart
FROM_MASK = ("low_confidence", "white_matter_lesions", "too_few_slices")  # codes of notes
REMOVED = "Retention has removed its files."
OTHER_GRID = "Its mask lies on another grid now."


class NotOutside(GliowatchError):
    """The folder for the pictures lies in the outbox, where nothing but results may be."""


@dataclass(frozen=True)
class Outcome:
    """What a scan ended as: its finding, its size in ml (None where it has no volume) and in words,
    and those doubts that follow from the mask."""

    finding: str
    volume_ml: float | None
    size: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """One scan. now: as it is published; then: with the other weights. dice: of both masks.

    reason: why it could not be analyzed again; then and dice are None.
    """

    scan_id: str
    revision: int
    now: Outcome
    then: Outcome | None = None
    dice: float | None = None
    reason: str = ""

    @property
    def changes(self) -> str:
        """What is another finding, and which doubts come or go; '' for neither."""
        if self.then is None:
            return self.reason
        other = self.now.finding != self.then.finding
        words = [f"{self.now.finding} -> {self.then.finding}"] if other else []
        words += [f"+{code}" for code in self.then.flags if code not in self.now.flags]
        words += [f"-{code}" for code in self.now.flags if code not in self.then.flags]
        return " ".join(words)


@dataclass(frozen=True)
class Means:
    """With what scans are analyzed again; rules: the settings of the site."""

    outbox: Path
    network: Network
    input_check: InputCheck | None
    rules: AnalysisRules


def compare_visibly(
    settings: Settings, weights: Path, last: int, out: Path | None, as_json: bool, say: Say
) -> int:
    """Compare the scans that were published last; 1 if one of them cannot be analyzed again.

    out: a folder for the pictures of those whose masks differ most, and the figures as JSON.
    Raises GliowatchError.
    """
    outbox = settings.daemon.outbox
    if out is not None and out.resolve().is_relative_to(outbox.resolve()):
        raise NotOutside(f"-o {out}: only results may lie in the outbox: name another folder.")
    quiet_libraries()
    rules = replace(analysis_rules(settings.model), weights=weights)
    with naming(weights):
        network = load_network(weights, threads=rules.threads)
    check = load_input_check(rules.least_flair, rules.threads) if rules.least_flair > 0 else None
    scans = asyncio.run(_newest(settings, last))
    means = Means(outbox, network, check, rules)
    found = list(_with_bar(compare_each(scans, means, out), len(scans)))
    content = content_of(found, network, rules.threshold)
    whole = json.dumps(content, indent=1)
    if out is not None and out.is_dir():
        (out / "comparison.json").write_text(whole + "\n", encoding="utf-8")
    if as_json:
        say(whole)
    else:
        for line in lines_of(found, content):
            say(line)
    return int(any(each.reason not in ("", REMOVED) for each in found))


async def _newest(settings: Settings, last: int) -> list[ScanRow]:
    async with open_known_index(settings.daemon) as index:
        return await newest_by_network(index, last)


def _with_bar(found: Iterable[Compared], total: int) -> Iterator[Compared]:
    """With a bar on a terminal: each scan takes some seconds."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scans", total=total)
        for each in found:
            progress.advance(task)
            yield each


def compare_each(scans: Iterable[ScanRow], means: Means, out: Path | None) -> Iterator[Compared]:
    """Each scan with the other weights; of the WORST the pictures stay in `out`."""
    drawn: list[tuple[float, Path]] = []
    for scan in scans:
        with TemporaryDirectory(prefix="gliowatch-") as scratch:
            picture = Path(scratch) / "picture.png"
            compared = _compared(scan, means, Path(scratch), picture if out else None)
            if out is not None and picture.exists() and compared.dice is not None:
                out.mkdir(parents=True, exist_ok=True)
                target = out / f"dice_{compared.dice:.2f}_{scan.scan_id}.png"
                target.write_bytes(picture.read_bytes())
                drawn.append((compared.dice, target))
                drawn.sort(key=lambda each: each[0])
                for _, path in drawn[WORST:]:
                    path.unlink()
                del drawn[WORST:]
        yield compared


def _compared(scan: ScanRow, means: Means, scratch: Path, picture: Path | None) -> Compared:
    report = scan.report
    now = Outcome(
        finding=report.finding,
        volume_ml=report.volume_ml,
        size="" if report.finding == "not_judged" else size_words(report),
        flags=_flags(note.code for note in report.quality),
    )
    as_it_is = Compared(scan.scan_id, scan.revision, now)
    if scan.removed_at is not None:
        return replace(as_it_is, reason=REMOVED)
    try:
        with warnings.catch_warnings(action="ignore"):  # readers quote tags and file names
            folder = means.outbox / os.fsdecode(scan.folder)
            volume, analysis = analyzed_again(report, folder, scratch, means)
            before = published_mask(report, folder, volume)
    except GliowatchError as error:
        return replace(as_it_is, reason=str(error))
    except OSError:
        return replace(as_it_is, reason="Its files cannot be read.")
    after = np.zeros(volume.shape, bool)
    if analysis.segmentation is not None:
        after = analysis.segmentation.mask > 0
    overlap = dice(before, after)
    if picture is not None and overlap < 1:
        one, other = (display(volume, mask.astype(np.uint8)) for mask in (before, after))
        save_difference(one, other, "Now white, other weights yellow.", picture)
    return replace(as_it_is, then=_outcome(volume, analysis), dice=round(overlap, 4))


def analyzed_again(
    report: Report, folder: Path, scratch: Path, means: Means
) -> tuple[Volume, Analysis]:
    """What was dropped, read and analyzed as it was then, with the other weights.

    folder: where it is published; archives are unpacked in `scratch`. Raises GliowatchError.
    """
    study = report.input.study
    scan = scan_in(folder / SOURCE, scratch, study.uid if study else None)
    rules = means.rules
    read = read_each(scan, rules.flair, series_in(report))
    volumes = (with_spacing(each, spacing_in(report)) for each in read)
    anyway = report.has_note("analyzed_anyway")
    how = Rules(rules.threshold, rules.smallest_lesion_mm3, rules.best, anyway)
    return first_analyzed(
        volumes, lambda volume: analyze(volume, means.network, how, means.input_check)
    )


def published_mask(report: Report, folder: Path, volume: Volume) -> Mask:
    """The mask of a published scan, on the volume's grid: bool (i, j, k). Raises GliowatchError."""
    if report.finding == "not_judged":
        return np.zeros(volume.shape, bool)
    if volume.kind is Kind.IMAGE:
        with Image.open(folder / f"{report.scan_id}_seg.png") as opened:
            mask: Mask = np.asarray(opened.convert("L")).T[:, :, None] > 0
    else:
        mask = read_nifti(folder / f"{report.scan_id}_seg.nii.gz").voxels > 0
    if mask.shape != volume.shape:
        raise UnreadableScan(OTHER_GRID)
    return mask


def _outcome(volume: Volume, analysis: Analysis) -> Outcome:
    findings = analysis.findings
    sizes = measurements(findings, None, volume.scale, volume.is_picture, pixel_mm2(volume))
    return Outcome(
        finding=str(findings.finding),
        volume_ml=sizes.volume_ml,
        size="" if analysis.segmentation is None else size_words(sizes),
        flags=_flags(note.code for note in findings.notes),
    )


def _flags(codes: Iterable[str]) -> tuple[str, ...]:
    held = set(codes)
    return tuple(code for code in FROM_MASK if code in held)


def content_of(found: list[Compared], network: Network, threshold: float) -> dict[str, object]:
    """All figures as plain values, for JSON."""
    return {
        "weights": {
            "name": network.name,
            "sha256": network.sha256,
            "tumor_check": load_tumor_check(network.sha256, threshold) is not None,
        },
        "summary": _summary(found),
        "scans": [asdict(each) for each in found],
    }


def _summary(found: list[Compared]) -> dict[str, object]:
    compared = [each for each in found if each.then is not None]
    overlaps = [each.dice for each in compared if each.dice is not None]
    findings = Counter(
        f"{each.now.finding} -> {each.then.finding}"
        for each in compared
        if each.then is not None and each.now.finding != each.then.finding
    )
    ratios = [
        100 * (each.then.volume_ml / each.now.volume_ml - 1)
        for each in compared
        if each.then is not None and each.now.volume_ml and each.then.volume_ml
    ]
    return {
        "compared": len(compared),
        "removed": sum(each.reason == REMOVED for each in found),
        "not_read": sum(each.reason not in ("", REMOVED) for each in found),
        "same_mask": sum(overlap == 1 for overlap in overlaps),
        "median_dice": round(statistics.median(overlaps), 3) if overlaps else None,
        "dice_below_0.8": sum(overlap < FAR for overlap in overlaps),
        "median_volume_percent": round(statistics.median(ratios), 1) if ratios else None,
        "other_finding": dict(findings),
        "other_flags": sum(
            each.then is not None and each.now.flags != each.then.flags for each in compared
        ),
    }


def lines_of(found: list[Compared], content: dict[str, object]) -> Iterator[str]:
    """The table, those that differ most first, and the summary, for a terminal."""
    rows = [("scan", "now", "then", "Dice", "what changes")]
    for each in sorted(found, key=lambda each: 2.0 if each.dice is None else each.dice):
        overlap = "" if each.dice is None else f"{each.dice:.3f}"
        then = each.then.size or each.then.finding if each.then else ""
        now = each.now.size or each.now.finding
        rows.append((each.scan_id, now, then, overlap, each.changes))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    yield ""
    yield from _words(content)


def _words(content: dict[str, object]) -> Iterator[str]:
    summary, weights = content["summary"], content["weights"]
    assert isinstance(summary, dict)
    assert isinstance(weights, dict)
    yield f"{summary['compared']} scans compared with {weights['name']}, {weights['sha256'][:12]}."
    if summary["removed"]:
        yield f"{summary['removed']} not compared: retention has removed their files."
    if summary["not_read"]:
        yield f"{summary['not_read']} could not be analyzed again."
    if summary["compared"]:
        yield (
            f"Median Dice of both masks {summary['median_dice']}, {summary['dice_below_0.8']} below"
            f" {FAR}; {summary['same_mask']} masks stay the same."
        )
        if summary["median_volume_percent"] is not None:
            yield f"Median change of the volume {summary['median_volume_percent']:+.1f} %."
        other = summary["other_finding"]
        for words, count in other.items():
            yield f"Another finding: {words} in {count}."
        yield f"Other flags in {summary['other_flags']}."
    if not weights["tumor_check"]:
        yield (
            "The tumor check was not fitted to these weights and did not look: heads without a"
            " tumor may be called tumor."
        )
