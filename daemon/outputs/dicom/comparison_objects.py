"""SR and page of a revision that only dates and compares a scan anew; all else stays as it was."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from daemon.outputs.dicom.common_attributes import AnalysisRecord, Series, record_of, stamp
from daemon.outputs.dicom.content_uids import bytes_of, says_the_same, seal
from daemon.outputs.dicom.encapsulated_pdf import embed
from daemon.outputs.dicom.source_references import Origin
from daemon.outputs.dicom.sr import compared_anew, predecessor
from daemon.report import Report


@dataclass(frozen=True)
class ComparedObjects:
    """The objects of the revision before, under their names in the new one's folder, which are
    links: a file that changes is replaced."""

    folder: Path
    origin: Origin
    analysis: AnalysisRecord
    as_before: bool

    def add_page(self, report: Report, file: Path) -> None:
        """The page anew, unless the SR says what it said before."""
        path = self.folder / f"{report.scan_id}_report.dcm"
        if self.as_before or not path.is_file():
            return
        old = pydicom.dcmread(path)
        made = pydicom.dcmread(path)
        embed(made, file)
        made.PredecessorDocumentsSequence = [predecessor(old)]
        self.replace(made, path, Series.PDF)

    def replace(self, made: Dataset, path: Path, kind: Series) -> None:
        """Write an object of this revision in place of the one before."""
        made.SeriesNumber = self.analysis.number(kind)
        made.SeriesDescription = self.analysis.series(kind)["series_description"]
        stamp(made, self.origin, self.analysis.at)
        seal([made])
        path.unlink()  # a link: the revision before keeps it
        path.write_bytes(bytes_of(made))


def compare_objects(folder: Path, report: Report, asked: datetime | None) -> ComparedObjects:
    """Replace the SR, if it says anything else now.

    folder: `dicom/` with links to the objects before; asked: when the revision was asked for.
    """
    path = folder / f"{report.scan_id}_sr.dcm"
    old = pydicom.dcmread(path)
    origin = Origin((old,), (), None)
    analysis = record_of(report, origin, "", asked)
    made = compared_anew(old, report)
    as_before = made is None or says_the_same(made, old)
    objects = ComparedObjects(folder, origin, analysis, as_before)
    if made is not None and not as_before:
        objects.replace(made, path, Series.SR)
    return objects
