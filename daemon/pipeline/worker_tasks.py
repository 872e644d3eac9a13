"""What runs in a worker's process: everything that opens a dropped file's content."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.drops import SOURCE, Drop, readable, shown_id
from daemon.intake.ingest import UNPACKED, Earlier, Intake, hash_file, take_in
from daemon.intake.late_files import files_below, fits, join, take_again
from daemon.outputs.catalogue import text
from daemon.outputs.lesion_figures import save_explanation
from daemon.outputs.manifest import write_manifest
from daemon.outputs.report_builder import Occasion, build_report, quality_note, slices_of
from daemon.outputs.scan_folder import write_files, write_report, write_views
from daemon.pipeline.prior_scan import Remeasured, compare_published, with_past
from daemon.report import Report
from daemon.report_parts import Network as NetworkUsed
from daemon.report_parts import Seconds
from daemon.safe_files import sync_tree
from daemon.scan_history import Past
from daemon.settings import ModelSettings
from model.errors import WeightsError
from model.inference.analysis import Analysis, analyze, first_analyzed
from model.inference.parcels import Answer, Parcel, answer_of
from model.inference.segmentation import Rules, Segmentation
from model.measurement.change import Marked
from model.measurement.findings import Finding
from model.measurement.lobes import Lobes, lobes_of
from model.reading.dicom.patient_tags import Identity
from model.reading.dicom.studies import Fit
from model.reading.read import read_each, with_spacing
from model.rules import (
    CHANGE_RULES,
    RULES,
    AskedSeries,
    ChangeRules,
    FlairRules,
    is_archive,
)
from model.volume import Kind, Note, Volume

if TYPE_CHECKING:
    from daemon.outputs.dicom.result_objects import Written
    from model.inference.input_check import InputCheck
    from model.network.network import Network


@dataclass(frozen=True)
class Circumstances:
    """What is known beside a scan's own files.

    outbox: where the folders of `past` lie, the patient's other scans, to compare it with; entered:
    what people entered about the patient, for the page that names whose scan it is; asked: when a
    revision was asked for, or its files came.
    """

    outbox: Path | None = None
    past: Past = field(default_factory=Past)
    entered: Identity | None = None
    asked: datetime | None = None


ALONE = Circumstances()
MOST_COMPANIONS = 200  # that a report names


@dataclass(frozen=True)
class AnalysisRules:
    """How to analyze, as plain values.

    weights: None = those shipped inside the package; least_flair: share of FLAIR that a scan must
    show, 0 to analyze whatever comes; flair: how the FLAIR of a DICOM study is told; explain:
    folder for a picture of where the network looked, None for no such picture; change: when two
    scans count as measured alike; anyway: even what does not look like an axial FLAIR of a head;
    series: that one of the study which a person wants, None for the usual one.
    """

    weights: Path | None
    threshold: float
    smallest_lesion_mm3: float
    best: bool
    least_flair: float
    save_probabilities: bool
    threads: int
    flair: FlairRules = RULES
    explain: Path | None = None
    change: ChangeRules = CHANGE_RULES
    anyway: bool = False
    series: AskedSeries | None = None


def analysis_rules(model: ModelSettings, explain: Path | None = None) -> AnalysisRules:
    """The [model] table as the plain values that a worker takes."""
    return AnalysisRules(
        weights=model.weights_file,
        threshold=model.threshold,
        smallest_lesion_mm3=model.smallest_lesion_mm3,
        best=model.quality == "best",
        least_flair=model.least_flair,
        save_probabilities=model.save_probabilities,
        threads=model.threads,
        flair=model.flair_rules,
        explain=explain,
        change=ChangeRules(
            model.same_spacing_ratio,
            model.same_plane_degrees,
            model.same_lesion_mm,
            model.shortest_days,
        ),
    )


def warm_up(rules: AnalysisRules) -> str:
    """Load the network, so that the first scan need not wait; the weights' SHA-256."""
    _input_check(rules.least_flair, rules.threads)
    return _network(rules.weights, rules.threads).sha256


def receive(inbox: Path, drop: Drop, staging: Path) -> Intake:
    """Copy and hash a drop into its staging folder."""
    return take_in(inbox, drop, staging)


def receive_late(staging: Path, intake: Intake, earlier: Earlier) -> Intake | None:
    """Join what came late to what was published of its study; None if it adds no picture."""
    return join(staging, intake, earlier)


def receive_again(staging: Path, earlier: Earlier) -> Intake:
    """A published scan as it was taken in, to be analyzed anew."""
    return take_again(staging, earlier)


def fits_among(
    staging: Path, intake: Intake, others: tuple[Earlier, ...], rules: FlairRules
) -> dict[str, Fit]:
    """How well what came fits each of these published scans, by the scan's id."""
    return fits(staging, intake, others, rules)


class _Volumes:
    """The volumes of a scan in the order in which they are tried, each read once."""

    def __init__(self, unread: Iterator[Volume]) -> None:
        self._unread = unread
        self._read: list[Volume] = []
        self.seconds = 0.0  # that reading took

    def at(self, number: int) -> Volume | None:
        """One of them, from 0; None after the last. Raises UnreadableScan."""
        while len(self._read) <= number:
            began = time.monotonic()
            volume = next(self._unread, None)
            self.seconds += time.monotonic() - began
            if volume is None:
                return None
            self._read.append(volume)
        return self._read[number]

    def __iter__(self) -> Iterator[Volume]:
        number = 0
        while (volume := self.at(number)) is not None:
            yield volume
            number += 1


_kept: dict[Path, _Volumes] = {}  # of the scan that another machine analyzes now, by its staging


def _volumes_of(
    intake: Intake, rules: AnalysisRules, notes: tuple[Note, ...], known: Circumstances
) -> _Volumes:
    return _Volumes(
        replace(volume, notes=(*volume.notes, *notes))
        for each in read_each(intake.scan, rules.flair, rules.series)
        for volume in [with_spacing(each, known.past.spacing)]
    )


def parcel_of(
    number: int,
    staging: Path,
    intake: Intake,
    rules: AnalysisRules,
    notes: tuple[Note, ...] = (),
    known: Circumstances = ALONE,
) -> Parcel | None:
    """A volume of a scan, from 0, as it travels to another machine; None after the last.

    What is read is kept for `analyze_into`, as long as this process lives. Raises UnreadableScan.
    """
    if staging not in _kept:
        _kept.clear()
        _kept[staging] = _volumes_of(intake, rules, notes, known)
    volume = _kept[staging].at(number)
    return None if volume is None else Parcel.of(volume)


@dataclass(frozen=True)
class Order:
    """How another machine is to analyze a parcel, and by which weights."""

    weights_sha256: str
    rules: Rules
    least_flair: float


def order_of(rules: AnalysisRules, weights_sha256: str) -> Order:
    """What of the rules another machine must know."""
    return Order(weights_sha256, _how(rules), rules.least_flair)


def analyze_parcel(parcel: Parcel, order: Order, weights: Path | None, threads: int) -> Answer:
    """On the other machine: what `analyze_into` does between reading and writing.

    Raises WeightsError where these are other weights than those that were ordered.
    """
    began = time.monotonic()
    network = _network(weights, threads)
    if network.sha256 != order.weights_sha256:
        raise WeightsError(text("machines.other_weights"))
    volume = parcel.volume()
    analysis = analyze(volume, network, order.rules, _input_check(order.least_flair, threads))
    lobes = _lobes(volume, analysis)
    seconds = time.monotonic() - began
    return answer_of(analysis, lobes, network.name, network.sha256, seconds)


@dataclass(frozen=True)
class _Analyzed:
    """What was made of the first volume that could be analyzed. seconds: that it took."""

    volume: Volume
    analysis: Analysis
    lobes: Lobes | None
    network: str
    weights_sha256: str
    seconds: float


def _analyzed_here(volumes: _Volumes, rules: AnalysisRules) -> _Analyzed:
    began = time.monotonic()
    network, how = _network(rules.weights, rules.threads), _how(rules)
    check = _input_check(rules.least_flair, rules.threads)
    read_before = volumes.seconds
    volume, analysis = first_analyzed(volumes, lambda each: analyze(each, network, how, check))
    lobes = _lobes(volume, analysis)
    seconds = time.monotonic() - began - (volumes.seconds - read_before)
    return _Analyzed(volume, analysis, lobes, network.name, network.sha256, seconds)


def _analyzed_there(volumes: _Volumes, answers: Sequence[Answer]) -> _Analyzed:
    """answers: to the volumes, in their order, up to the first that could be analyzed."""
    waiting = iter(answers)
    volume, analysis = first_analyzed(volumes, lambda each: next(waiting).analysis(each))
    chosen = answers[0] if answers[-1].is_refusal else answers[-1]
    seconds = sum(each.seconds for each in answers)
    lobes, name = chosen.lobes, chosen.network
    return _Analyzed(volume, analysis, lobes, name, chosen.weights_sha256, seconds)


def _lobes(volume: Volume, analysis: Analysis) -> Lobes | None:
    made = analysis.segmentation
    return lobes_of(volume, made.mask) if made else None


def _how(rules: AnalysisRules) -> Rules:
    return Rules(rules.threshold, rules.smallest_lesion_mm3, rules.best, rules.anyway)


def analyze_into(
    staging: Path,
    patient_id: str,
    intake: Intake,
    rules: AnalysisRules,
    notes: tuple[Note, ...] = (),
    known: Circumstances = ALONE,
    answers: Sequence[Answer] = (),
) -> Report:
    """Read, analyze and write all files of a scan into `staging`, synced; its report.

    answers: what other machines said of its volumes; none, and they are analyzed here.
    Raises UnreadableScan when the files hold no scan that can be read.
    """
    volumes = _kept.pop(staging, None) or _volumes_of(intake, rules, notes, known)
    volumes.at(0)
    done = _analyzed_there(volumes, answers) if answers else _analyzed_here(volumes, rules)
    volume, analysis = done.volume, done.analysis
    segmentation = analysis.segmentation
    written_from = time.monotonic()
    write_files(volume, segmentation, staging, intake.scan_id, rules.save_probabilities)
    if rules.explain and analysis.findings.finding is Finding.TUMOR:
        network = _network(rules.weights, rules.threads)
        _explain(volume, network, rules.explain, intake.scan_id)
    seconds = Seconds(
        read=round(volumes.seconds, 3),
        segment=round(done.seconds, 3),
        write=round(time.monotonic() - written_from, 3),
    )
    used = NetworkUsed(
        name=done.network, weights_sha256=done.weights_sha256, threshold=rules.threshold
    )
    occasion = occasion_of(intake, patient_id, staging / SOURCE, seconds)
    report = build_report(volume, analysis.findings, used, occasion, done.lobes)
    return finish_scan(report, volume, segmentation, staging, intake, rules, known)


def finish_scan(
    report: Report,
    volume: Volume,
    segmentation: Segmentation | None,
    staging: Path,
    intake: Intake,
    rules: AnalysisRules,
    known: Circumstances,
) -> Report:
    """The report with what is known beyond the mask; it and what shows it is written, synced."""
    report = report.changed(
        spacing_entered=_spacing_used(volume, known.past),
        slices=slices_of(volume, segmentation.mask if segmentation else None),
    )
    if segmentation is not None:
        write_views(volume, segmentation, report, staging)
    report = with_past(
        report,
        seen=_seen_again(volume, segmentation),
        staging=staging,
        outbox=known.outbox,
        past=known.past,
        rules=rules.change,
        flair=rules.flair,
    )
    report, written = _with_objects(volume, segmentation, report, staging, intake, known)
    shutil.rmtree(staging / UNPACKED, ignore_errors=True)
    write_report(report, _whose(report.patient_id, intake, known.entered), staging, written)
    write_manifest(report, staging)
    sync_tree(staging)
    return report


def _spacing_used(volume: Volume, past: Past) -> tuple[float, float, float | None] | None:
    """What a person entered (mm), if it counts: a file's own spacing goes before it."""
    entered = None if volume.file_affine is None else past.spacing
    return entered.numbers if entered else None


def compare_into(
    staging: Path, earlier: Earlier, report: Report, rules: AnalysisRules, known: Circumstances
) -> Report:
    """Write a revision that only dates and compares a published scan anew; its report."""
    assert known.outbox is not None, "there it was published"
    return compare_published(
        staging,
        earlier,
        report,
        patient=known.entered or Identity(report.patient_id),
        outbox=known.outbox,
        past=known.past,
        asked=known.asked,
        rules=rules.change,
        flair=rules.flair,
    )


def _seen_again(volume: Volume, segmentation: Segmentation | None) -> Remeasured:
    """What was just analyzed, for a comparison; nobody asks for it where nothing was."""

    def seen() -> tuple[Volume, Marked]:
        assert segmentation is not None, "what was not judged is compared with nothing"
        return volume, Marked(segmentation.mask, volume.affine)

    return seen


def _with_objects(
    volume: Volume,
    segmentation: Segmentation | None,
    report: Report,
    staging: Path,
    intake: Intake,
    known: Circumstances,
) -> "tuple[Report, Written | None]":
    """Of a DICOM series what goes back to the PACS, but for the page.

    The report, with a note where something of that could not be made.
    """
    if volume.kind is not Kind.DICOM:
        return report, None
    from daemon.outputs.dicom.result_objects import (
        write_objects,  # highdicom: only a worker needs it
    )

    before = intake.earlier.folder if intake.earlier else None
    written = write_objects(volume, segmentation, report, staging, before=before, asked=known.asked)
    if written.doubt is None:
        return report, written
    return report.changed(quality=(*report.quality, quality_note(written.doubt))), written


def occasion_of(intake: Intake, patient_id: str, source: Path, seconds: Seconds) -> Occasion:
    """What the report says of a drop beside its findings. source: what was dropped of it."""
    files = files_below(source)
    read_too = set(intake.scan.files)
    beside = [path for path in files if path not in read_too and not is_archive(path.name)]
    return Occasion(
        scan_id=intake.scan_id,
        patient_id=shown_id(patient_id),
        files=len(files),
        input_sha256=intake.content_sha256,
        seconds=seconds,
        study=intake.study,
        supersedes=intake.earlier.revision if intake.earlier else None,
        may_belong_to=intake.doubtful,
        companions=tuple(
            readable(os.fsencode(path.relative_to(source))) for path in beside[:MOST_COMPANIONS]
        ),
    )


def _whose(patient_id: str, intake: Intake, entered: Identity | None) -> Identity:
    """Whom the page names: what people entered, and else what the DICOM files tell as one."""
    told = intake.identities[0] if len(intake.identities) == 1 else Identity(patient_id)
    known = entered or Identity(patient_id)
    return Identity(
        patient_id,
        known.name or told.name,
        known.birth_date or told.birth_date,
        known.gender or told.gender,
    )


def _explain(volume: Volume, network: "Network", folder: Path, scan_id: str) -> None:
    """Write `<scan_id>_explain.png` into the folder of the scan: where the network looked."""
    from model.network.gradcam import explain  # torch, which only this needs

    heat = explain(volume, network).heat
    (folder / scan_id).mkdir(parents=True, exist_ok=True)
    save_explanation(volume, heat, folder / scan_id / f"{scan_id}_explain.png")


def hashes_of_source(folder: Path) -> set[str]:
    """SHA-256 of every file that a published folder keeps in `source/`."""
    return {hash_file(path) for path in files_below(folder / SOURCE)}


@lru_cache(maxsize=1)
def _network(weights: Path | None, threads: int) -> "Network":
    from model.network.network import (
        load_network,  # the runtime: the daemon, which imports this, needs none
    )

    return load_network(weights, threads=threads)


@lru_cache(maxsize=1)
def _input_check(least_flair: float, threads: int) -> "InputCheck | None":
    from model.inference.input_check import load_input_check  # the runtime, as for the network

    return load_input_check(least_flair, threads) if least_flair else None
