"""One scan, taken apart into the stages from a file at rest to its results, each to be timed."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.commands.segment import as_drop, segment_once
from daemon.outputs.pdf import write_pdf
from daemon.outputs.report_builder import Occasion, build_report, save_report
from daemon.outputs.scan_folder import write_files, write_views
from daemon.pipeline.worker_tasks import analysis_rules, receive
from daemon.report import Report
from daemon.report_parts import Network as NetworkUsed
from daemon.report_parts import Seconds
from daemon.safe_files import sync_tree
from daemon.settings import ModelSettings
from model.inference.input_check import InputCheck
from model.inference.preprocessing import Prepared, prepare
from model.inference.segmentation import Rules, Segmentation, segmentation_of
from model.measurement.findings import Findings, measure
from model.measurement.lobes import lobes_of
from model.measurement.midplane import midplane_of_head
from model.network.network import Network
from model.reading.dicom.patient_tags import Identity
from model.reading.read import read, scan_at
from model.volume import FloatArray, Kind, Volume
from tools.bench.timing import Row

NAME = "bench"  # stands for the scan's id and the patient's
MODEL, WHOLE, OBJECTS = "model", "whole scan, with all of its files", "DICOM objects"
LOBES, PDF, VIEWS = "lobes (atlas registration)", "report.pdf", "pictures of lesions, planes"


@dataclass(frozen=True)
class BenchScan:
    """A scan that was analyzed once, so that each stage can run alone, again and again."""

    scan: Path
    folder: Path
    network: Network
    input_check: InputCheck
    volume: Volume
    prepared: Prepared
    analyzed: FloatArray
    found: Segmentation
    report: Report

    @property
    def slices(self) -> int:
        """Axial slices of the scan."""
        return len(self.prepared.slices)

    @property
    def busy(self) -> int:
        """Slices that the network analyzes: those that show anything of a head."""
        return int(self.prepared.head.any(axis=(1, 2)).sum())

    def counted(self) -> tuple[Row, ...]:
        """The stages outside the model that every scan needs, without registration."""
        return (
            Row("take in: hash, copy, sync", self._take_in),
            Row("read", lambda: read(scan_at(self.scan))),
            Row("prepare", self._prepare),
            Row("gate", lambda: self.input_check.seen(self.prepared)),
            Row("mask", lambda: _mask(self.volume, self.analyzed, self.prepared, self.network)),
            Row("findings", lambda: _findings(self.volume, self.found)),
            Row("files: mask, overlay, montage", self.write_files),
            Row("report.json", lambda: save_report(self.report, self._results / "report.json")),
            Row("sync results", lambda: sync_tree(self._results)),
        )

    def others(self) -> tuple[Row, ...]:
        """The model, what has a row of its own, and all of it together as a user gets it."""
        return (
            Row(MODEL, lambda: self.network.probabilities(self.prepared, best=False)),
            Row(VIEWS, lambda: write_views(self.volume, self.found, self.report, self._results)),
            *self.apart(),
            Row(WHOLE, self._segment),
        )

    def apart(self) -> tuple[Row, ...]:
        """What has a row and a target of its own."""
        rows = (
            Row(LOBES, lambda: lobes_of(self.volume, self.found.mask)),
            Row(PDF, lambda: write_pdf(self.report, Identity(NAME), self._results)),
        )
        is_dicom = self.volume.kind is Kind.DICOM
        return (*rows, Row(OBJECTS, self._write_objects)) if is_dicom else rows

    @property
    def _results(self) -> Path:
        return self.folder / "results"

    def _take_in(self) -> None:
        shutil.rmtree(self.folder / "staging", ignore_errors=True)
        scan = self.scan.resolve()
        receive(scan.parent, as_drop(scan, NAME), self.folder / "staging")

    def _prepare(self) -> None:
        prepare(replace(self.volume), self.network.preparation)  # a volume that nobody looked at

    def write_files(self) -> None:
        """Mask, overlay and montage, which the page for people shows as well."""
        write_files(self.volume, self.found, self._results, NAME, save_probabilities=False)

    def _write_objects(self) -> None:
        from daemon.outputs.dicom.result_objects import write_objects  # highdicom: long to import

        shutil.rmtree(self.folder / "objects", ignore_errors=True)
        (self.folder / "objects").mkdir()
        write_objects(self.volume, self.found, self.report, self.folder / "objects")

    def _segment(self) -> None:
        rules = analysis_rules(ModelSettings(least_flair=0))
        (analyzed,) = segment_once([self.scan], self.folder / "whole", NAME, rules)
        assert analyzed.report is not None, analyzed.reason


def bench_scan(scan: Path, folder: Path, network: Network, input_check: InputCheck) -> BenchScan:
    """Analyze a scan once; files go below `folder`. Raises UnreadableScan if it cannot be read."""
    (folder / "results").mkdir(parents=True)
    volume = read(scan_at(scan))
    prepared = prepare(volume, network.preparation)
    analyzed = network.probabilities(prepared, best=False)
    found = _mask(volume, analyzed, prepared, network)
    findings = replace(_findings(volume, found), trust=found.trust)
    return BenchScan(
        scan=scan,
        folder=folder,
        network=network,
        input_check=input_check,
        volume=volume,
        prepared=prepared,
        analyzed=analyzed,
        found=found,
        report=_report(volume, findings, network, found.threshold),
    )


def _report(volume: Volume, findings: Findings, network: Network, threshold: float) -> Report:
    used = NetworkUsed(name=network.name, weights_sha256=network.sha256, threshold=threshold)
    occasion = Occasion(NAME, NAME, 1, "0" * 64, Seconds(read=0.0, segment=0.0, write=0.0))
    return build_report(volume, findings, used, occasion, lobes=None)


def _mask(
    volume: Volume, analyzed: FloatArray, prepared: Prepared, network: Network
) -> Segmentation:
    return segmentation_of(volume, analyzed, prepared.grid, network.certainty, Rules())


def _findings(volume: Volume, found: Segmentation) -> Findings:
    return measure(found.mask, volume.affine, midplane_of_head(volume), found.probability)
