"""Scans published without a network: known masks, through the functions that publish any scan."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.index.database import open_index
from daemon.index.scans import ScanRow, add_scan, row_of_report
from daemon.outputs.manifest import write_manifest
from daemon.outputs.report_builder import Occasion, build_report, slices_of
from daemon.outputs.scan_folder import write_files, write_report, write_views
from daemon.pipeline.outbox import hashes_of
from daemon.report_parts import Network, Seconds
from model.inference.segmentation import Segmentation
from model.measurement.findings import measure
from model.measurement.midplane import Midplane
from model.reading.dicom.patient_tags import Identity
from model.reading.read import read
from model.volume import Kind, MaskArray, Scan

UPRIGHT = Midplane(np.zeros(3), np.array([1.0, 0.0, 0.0]))  # of a head that lies straight
PUBLISHED = "2026-05-06T09:00:00.000+00:00"


@dataclass(frozen=True)
class Given:
    """What is published: whose, the dropped file, its mask. changes: keys of the report."""

    patient: str
    number: int
    dropped: Path
    kind: Kind
    mask: MaskArray
    revision: int = 1
    acquired_at: str | None = None
    changes: tuple[tuple[str, Any], ...] = ()
    published: str = PUBLISHED

    @property
    def scan_id(self) -> str:
        """As the daemon's are: 20 digits of a hash."""
        return f"{self.number:020x}"


def publish_folder(outbox: Path, given: Given) -> ScanRow:
    """Write every file of a scan as a worker would; the row that the index has of it."""
    name = given.scan_id + (f"-r{given.revision}" if given.revision > 1 else "")
    folder = outbox / given.patient / name
    (folder / "source").mkdir(parents=True)
    shutil.copy(given.dropped, folder / "source")
    volume = read(Scan(given.kind, (given.dropped,)))
    probability: NDArray[np.float32] = given.mask * np.float32(0.9)
    midplane = UPRIGHT if volume.sides_known else None
    findings = measure(given.mask, volume.affine, midplane, probability, volume.notes)
    occasion = Occasion(
        scan_id=given.scan_id,
        patient_id=given.patient,
        files=1,
        input_sha256=f"{given.number:064x}",
        seconds=Seconds(read=0.1, segment=0.2, write=0.3),
        supersedes=given.revision - 1 or None,
    )
    network = Network(name="unet", weights_sha256="f" * 64, threshold=0.5)
    report = build_report(volume, findings, network, occasion, lobes=None)
    report = report.changed(
        slices=slices_of(volume, given.mask),
        input=report.input.changed(acquired_at=given.acquired_at),
        **dict(given.changes),
    )
    segmentation = Segmentation(given.mask, probability, 0.5)
    write_files(volume, segmentation, folder, given.scan_id, False)
    write_views(volume, segmentation, report, folder)
    write_report(report, Identity(given.patient), folder)
    write_manifest(report, folder)
    place = os.fsencode(f"{given.patient}/{name}")
    return row_of_report(report, place, given.published, hashes_of(folder))


async def publish(settings_folder: Path, scans: list[Given]) -> None:
    """Publish scans into a hospital's outbox and index."""
    outbox = settings_folder / "outbox"
    rows = [publish_folder(outbox, given) for given in scans]
    async with open_index(settings_folder / "index.sqlite") as index:
        for row in rows:
            async with index.transaction():
                await add_scan(index, row)
