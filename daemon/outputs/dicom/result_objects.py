"""What goes back to the PACS, as files in the scan's folder: SEG, SR and secondary captures."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from daemon.drops import DICOM, objects_folder
from daemon.outputs.dicom.seg import build_seg
from daemon.outputs.dicom.source_references import (
    DESCRIPTION,
    AnalysisRecord,
    Origin,
    keep_identity,
    read_origin,
)
from daemon.outputs.dicom.sr import build_sr
from daemon.outputs.overlay import capture_pictures
from daemon.outputs.slice_rendering import display
from daemon.outputs.wording import finding_sentence
from daemon.report import Report
from model.inference.segmentation import Segmentation
from model.measurement.findings import number_lesions
from model.reading.dicom.frames import OURS
from model.volume import Note, Volume, note

SERIES_NUMBER = 7303
FEET = {"I": "F", "S": "H"}  # DICOM's letters for down and up


def build_captures(
    origin: Origin,
    pictures: list[Image.Image],
    directions: tuple[str, str],
    analysis: AnalysisRecord,
) -> Iterator[hd.sc.SCImage]:
    """One object a picture. directions: where the rows' and the columns' pixels run to, in RAS
    letters, such as ("L", "P")."""
    along, down = (FEET.get(letter, letter) for letter in directions)
    for number, picture in enumerate(pictures, start=1):
        image = hd.sc.SCImage.from_ref_dataset(
            ref_dataset=origin.present[0],
            pixel_array=np.asarray(picture.convert("RGB")),
            photometric_interpretation=hd.PhotometricInterpretationValues.RGB,
            bits_allocated=8,
            coordinate_system=hd.CoordinateSystemNames.PATIENT,
            series_instance_uid=analysis.uid("capture series"),
            series_number=SERIES_NUMBER,
            sop_instance_uid=analysis.uid("capture", number),
            instance_number=number,
            manufacturer=OURS,
            patient_orientation=(along, down),
            transfer_syntax_uid=ExplicitVRLittleEndian,
            series_description=DESCRIPTION,
        )
        image.BodyPartExamined = "BRAIN"
        image.BurnedInAnnotation = "YES"  # our own words, no patient's
        yield image


def write_objects(
    volume: Volume,
    segmentation: Segmentation,
    report: Report,
    folder: Path,
    before: Path | None = None,
) -> Note | None:
    """The objects, in `dicom/`, and the reason for one that is missing.

    They join the study of the series.

    before: the folder of the revision that is replaced. No SEG of an empty mask, nor without
    the one study, series and FrameOfReferenceUID in which it would lie.
    """
    origin = read_origin(volume)
    if origin is None:
        return note("no_dicom_objects", "no_study")
    made = folder / DICOM
    made.mkdir()
    try:
        old = _sr_of(before, report.scan_id)
        return _write_all(
            volume, origin, segmentation=segmentation, report=report, folder=made, before=old
        )
    except OSError:
        raise
    except Exception:  # highdicom analyzes the source's headers, and a result is worth more
        shutil.rmtree(made)
        made.mkdir()
        return note("no_dicom_objects")
    finally:
        if not any(made.iterdir()):
            made.rmdir()


def _write_all(
    volume: Volume,
    origin: Origin,
    segmentation: Segmentation,
    report: Report,
    folder: Path,
    before: Dataset | None,
) -> Note | None:
    """All objects; the reason where a SEG is missing though there is something to mark."""
    content = hashlib.sha256(segmentation.mask.tobytes()).hexdigest()
    analysis = AnalysisRecord(
        scan_id=report.scan_id,
        revision=report.revision,
        model=report.model.name,
        weights_sha256=report.model.weights_sha256,
        content_sha256=content,
        corrected=report.mask is not None,
        incomplete=report.is_incomplete,
    )
    name, seg, doubt = report.scan_id, None, None
    if not segmentation.mask.any() or not origin.present[0].get("FrameOfReferenceUID"):
        pass  # nothing to mark, or the reader has said that there is no place to mark it
    elif not origin.is_one_series:
        doubt = note("no_dicom_seg")
    else:
        try:
            numbered = number_lesions(segmentation.mask, volume.affine)
            seg = build_seg(origin, numbered, analysis)
            _save(seg, folder / f"{name}_seg.dcm", origin)
        except OSError:
            raise
        except Exception:  # highdicom takes fewer forms of a series than we can read
            seg, doubt = None, note("no_dicom_seg")
    _save(build_sr(origin, seg, report, analysis, before), folder / f"{name}_sr.dcm", origin)
    shown = display(volume, segmentation.mask)
    pictures = capture_pictures(shown, finding_sentence(report))
    (folder / f"{name}_overlay").mkdir()
    for number, capture in enumerate(build_captures(origin, pictures, shown.directions, analysis)):
        _save(capture, folder / f"{name}_overlay" / f"{number + 1:04d}.dcm", origin)
    return doubt


def _sr_of(before: Path | None, scan_id: str) -> Dataset | None:
    """The SR of an earlier revision; none if it was not analyzed."""
    path = objects_folder(before) / f"{scan_id}_sr.dcm" if before else None
    return pydicom.dcmread(path) if path and path.is_file() else None


def _save(made: Dataset, path: Path, origin: Origin) -> None:
    """In UTF-8, which holds every name that the source may have written in its own way."""
    keep_identity(made, origin)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.save_as(path)
