"""The SR of a study that was rejected: a PACS hears that nothing of it was analyzed, and why."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO

from daemon.outputs.dicom.common_attributes import AnalysisRecord, stamp
from daemon.outputs.dicom.content_uids import bytes_of, seal
from daemon.outputs.dicom.source_references import Origin, origin_of
from daemon.outputs.dicom.sr import build_refusal
from model.reading.dicom.frames import OURS


def refusals(files: Iterable[BinaryIO], key: str, reason: str) -> Iterator[bytes]:
    """One SR for each study that the files name, as its file holds it. key: of the drop."""
    for origin in origin_of(files).values():
        made = build_refusal(origin, _record(origin, key), reason)
        stamp(made, origin, origin.newest or datetime.now())
        seal([made])
        yield bytes_of(made)


def _record(origin: Origin, key: str) -> AnalysisRecord:
    """No network has seen it: it was refused before."""
    numbers = (image.get("SeriesNumber") for image in origin.present)
    return AnalysisRecord(
        scan_id=key,
        revision=1,
        model=OURS,
        weights_sha256="",
        content_sha256="",
        at=origin.newest or datetime.now(),
        taken=frozenset(int(number) for number in numbers if number is not None),
    )
