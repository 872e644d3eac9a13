"""What goes back to the PACS, as files in the scan's folder: SEG, SR, captures, and the page."""

import hashlib
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import highdicom as hd
import pydicom
from pydicom.dataset import Dataset

from daemon.drops import DICOM, objects_folder
from daemon.outputs.dicom.captures import Capture, Shown, build_captures
from daemon.outputs.dicom.common_attributes import AnalysisRecord, record_of, stamp
from daemon.outputs.dicom.content_uids import bytes_of, says_the_same, seal
from daemon.outputs.dicom.encapsulated_pdf import build_pdf
from daemon.outputs.dicom.seg import build_seg
from daemon.outputs.dicom.source_references import Origin, read_origin
from daemon.outputs.dicom.sr import build_sr
from daemon.outputs.dicom.sr_groups import Measured
from daemon.outputs.overlay import OVERLAY_SIDE, capture_pictures, captured_slices
from daemon.outputs.report_builder import slices_of
from daemon.outputs.slice_rendering import Display, display
from daemon.outputs.wording import finding_sentence
from daemon.report import Report
from daemon.safe_files import link_file
from model.inference.segmentation import Segmentation
from model.measurement.findings import number_lesions
from model.volume import Note, Volume, note

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ObjectFolder:
    """Where the objects of one result go, what they are of, and where those of the revision before
    lie, if there is one."""

    folder: Path
    before: Path | None
    origin: Origin
    analysis: AnalysisRecord

    def save(self, series: Sequence[Dataset], names: Sequence[str]) -> bool:
        """Write the objects of one series; where those of the revision before say the same, theirs
        stay, with their UIDs. Whether they have."""
        for made in series:
            stamp(made, self.origin, self.analysis.at)
        seal(series)
        old = [self.earlier(name) for name in names]
        same = all(
            there is not None and says_the_same(made, there)
            for made, there in zip(series, old, strict=True)
        )
        for made, there, name in zip(series, old, names, strict=True):
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            if same and there is not None and self.before is not None:
                made.SOPInstanceUID = there.SOPInstanceUID
                made.SeriesInstanceUID = there.SeriesInstanceUID
                link_file(str(self.before / name), str(path))
            else:
                path.write_bytes(bytes_of(made))
        return same

    def earlier(self, name: str) -> Dataset | None:
        """An object of the revision before."""
        path = self.before / name if self.before else None
        return pydicom.dcmread(path) if path and path.is_file() else None


@dataclass(frozen=True)
class Written:
    """What was made. doubt: the reason for one that is missing; pages: where the page may be
    added; None where nothing could be made."""

    doubt: Note | None
    pages: ObjectFolder | None = None
    as_before: bool = False  # whether the SR is the one of the revision before

    def add_page(self, report: Report, file: Path) -> None:
        """The report for people, beside the others; the earlier one, if nothing new is said."""
        if self.pages is None:
            return
        name = f"{report.scan_id}_report.dcm"
        old = self.pages.before / name if self.pages.before else None
        if self.as_before and old and old.is_file():
            link_file(str(old), str(self.pages.folder / name))
            return
        try:
            self.pages.save([build_pdf(self.pages.origin, file, self.pages.analysis)], [name])
        except OSError:
            raise
        except Exception:  # a header that cannot be written again: the page lies beside as it is
            log.warning("no_page_object", extra={"scan": report.scan_id})


def write_objects(
    volume: Volume,
    segmentation: Segmentation | None,
    report: Report,
    folder: Path,
    before: Path | None = None,
    asked: datetime | None = None,
) -> Written:
    """The objects, in `dicom/`; of what was not analyzed an SR that says so.

    They join the study of the series.

    before: the folder of the revision that is replaced; asked: when this one was asked for, UTC.
    No SEG of an empty mask, nor without the one study, series and FrameOfReferenceUID in which it
    would lie.
    """
    origin = read_origin(volume)
    if origin is None:
        return Written(note("no_dicom_objects", "no_study"))
    made = folder / DICOM
    made.mkdir()
    mask = hashlib.sha256(segmentation.mask.tobytes()).hexdigest() if segmentation else ""
    record = record_of(report, origin, mask, asked)
    place = ObjectFolder(made, objects_folder(before) if before else None, origin, record)
    try:
        return _write_all(volume, segmentation, report, place)
    except OSError:
        raise
    except Exception:  # highdicom analyzes the source's headers, and a result is worth more
        shutil.rmtree(made)
        return Written(note("no_dicom_objects"))


def _write_all(
    volume: Volume, segmentation: Segmentation | None, report: Report, place: ObjectFolder
) -> Written:
    """All but the page; the reason where a SEG is missing though there is something to mark."""
    name = report.scan_id
    seg, doubt = _write_seg(volume, segmentation, name, place)
    measured = Measured(place.origin, volume.affine, seg, place.analysis)
    before = place.earlier(f"{name}_sr.dcm")
    as_before = place.save([build_sr(report, measured, before)], [f"{name}_sr.dcm"])
    if segmentation is not None:
        _write_captures(volume, segmentation, report, place)
    return Written(doubt, place, as_before)


def _write_seg(
    volume: Volume, segmentation: Segmentation | None, name: str, place: ObjectFolder
) -> tuple[hd.seg.Segmentation | None, Note | None]:
    if segmentation is None or not segmentation.mask.any():
        return None, None
    if not place.origin.present[0].get("FrameOfReferenceUID"):
        return None, None  # the reader has said that there is no place to mark it
    if not place.origin.is_one_series:
        return None, note("no_dicom_seg")
    try:
        numbered = number_lesions(segmentation.mask, volume.affine)
        seg = build_seg(place.origin, numbered, place.analysis)
        place.save([seg], [f"{name}_seg.dcm"])
    except OSError:
        raise
    except Exception:  # highdicom takes fewer forms of a series than we can read
        return None, note("no_dicom_seg")
    return seg, None


def _write_captures(
    volume: Volume, segmentation: Segmentation, report: Report, place: ObjectFolder
) -> None:
    shown = display(volume, segmentation.mask)
    pictures = capture_pictures(shown, finding_sentence(report))
    indices = captured_slices(shown)
    captures = [
        Capture(picture, _index_in(volume, index))
        for picture, index in zip(pictures, indices, strict=True)
    ]
    how = Shown(shown.directions, _spacing(shown))
    made = list(build_captures(place.origin, captures, how, place.analysis))
    names = [f"{report.scan_id}_overlay/{n:04d}.dcm" for n in range(1, len(made) + 1)]
    place.save(made, names)


def _index_in(volume: Volume, shown: int) -> int | None:
    """The volume's slice that a picture shows; None where it lies across the images."""
    slices = slices_of(volume, None)
    if slices.axis != 2:
        return None
    return volume.shape[2] - 1 - shown if slices.reversed else shown


def _spacing(shown: Display) -> tuple[float, float] | None:
    """mm between rows and between columns of a picture as it is drawn."""
    if shown.column_mm is None:
        return None
    width, height = shown.size(OVERLAY_SIDE)
    _, rows, columns = shown.grey.shape
    return rows * shown.aspect * shown.column_mm / height, columns * shown.column_mm / width
