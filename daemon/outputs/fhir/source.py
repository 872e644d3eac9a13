"""What a result's own DICOM objects say of its patient, its study, and themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from daemon.drops import UNASSIGNED, objects_folder, shown_id
from daemon.report import Report

MODALITIES = {"1.2.840.10008.5.1.4.1.1.66.4": "SEG"}  # of what an SR is made from, beside MR


@dataclass(frozen=True)
class SeriesOfResult:
    """objects: SOP class and SOP Instance UID of each that is named."""

    uid: str
    modality: str
    objects: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Source:
    """'' and nothing for what is not told, as of a scan that was no DICOM.

    zone: offset from UTC as in the header, such as +0100; tracked: the UID of each lesion by its
    number, under which SEG and SR follow it.
    """

    patient_id: str = ""
    patient_name: str = ""
    issuer: str = ""
    study: str = ""
    accession: str = ""
    zone: str = ""
    series: tuple[SeriesOfResult, ...] = ()
    tracked: dict[int, str] = field(default_factory=dict)


def read_source(folder: Path, report: Report) -> Source:
    """Of a published result. Raises OSError.

    The name stands there only where the study had one; the ID of its folder is that of its files,
    unless those have none.
    """
    known = "" if report.patient_id == UNASSIGNED else shown_id(report.patient_id)
    sr = _read(objects_folder(folder) / f"{report.scan_id}_sr.dcm")
    segments = _read(objects_folder(folder) / f"{report.scan_id}_seg.dcm")
    if "StudyInstanceUID" not in sr:
        return Source(patient_id=known)
    name = sr.get("PatientName")
    return Source(
        patient_id=str(sr.get("PatientID") or known),
        patient_name=name.family_comma_given().strip(", ") if name else "",
        issuer=str(sr.get("IssuerOfPatientID") or ""),
        study=str(sr.StudyInstanceUID),
        accession=str(sr.get("AccessionNumber") or ""),
        zone=str(sr.get("TimezoneOffsetFromUTC") or ""),
        series=(*_series(sr), _of(sr, "SR")),
        tracked={
            int(each.SegmentNumber): str(each.TrackingUID)
            for each in segments.get("SegmentSequence", [])
            if "TrackingUID" in each
        },
    )


def _read(path: Path) -> Dataset:
    """Empty where there is none, or what is there was altered and is no DICOM any more."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except (FileNotFoundError, NotADirectoryError, InvalidDicomError, EOFError, ValueError):
        return Dataset()


def _of(made: Dataset, modality: str) -> SeriesOfResult:
    named = (str(made.SOPClassUID), str(made.SOPInstanceUID))
    return SeriesOfResult(str(made.SeriesInstanceUID), modality, (named,))


def _series(sr: Dataset) -> Iterator[SeriesOfResult]:
    """Those of which the SR was made: the images that were analyzed, and the SEG."""
    for study in sr.get("CurrentRequestedProcedureEvidenceSequence", []):
        for series in study.ReferencedSeriesSequence:
            objects = tuple(
                (str(each.ReferencedSOPClassUID), str(each.ReferencedSOPInstanceUID))
                for each in series.ReferencedSOPSequence
            )
            modality = MODALITIES.get(objects[0][0], "MR")
            yield SeriesOfResult(str(series.SeriesInstanceUID), modality, objects)
