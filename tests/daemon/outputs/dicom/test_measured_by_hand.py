"""A person's measurements as an SR: made by the daemon's teller, read by dciodvfy and highdicom."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

from daemon.index.database import open_index, open_records
from daemon.index.people.accounts import add_account
from daemon.index.people.measurements import documents_of, measurements_of
from daemon.index.scans import ScanRow, add_scan, row_of_report
from daemon.outputs.scan_folder import save_series
from daemon.permissions import Role
from daemon.pipeline.extra_objects import faults_in
from daemon.pipeline.review_objects import ReviewTeller
from daemon.records.measurements import keep, leave
from daemon.report import Report
from daemon.settings import Settings
from model.drawn_shapes import Drawn, Shape
from model.measurement.hand_measurements import measure_shape
from model.reading.dicom.study import read_dicom
from model.volume import Volume
from tests.daemon.outputs.dicom.test_object_contents import report_on, tell
from tests.daemon.outputs.dicom.test_objects import errors_of
from tests.phantoms.dicom_series import Series, write_series

pytestmark = pytest.mark.long

DRAWN = (
    Drawn(Shape.LENGTH, ((1, 2, 3), (5, 5, 3))),
    Drawn(Shape.ANGLE, ((1, 2, 2), (5, 2, 2), (5, 6, 2))),
    Drawn(Shape.ELLIPSE, ((1, 2, 3), (9, 6, 3))),
    Drawn(Shape.PROBE, ((4, 5, 1),)),
)
PLACE = b"P/5"


def published(folder: Path) -> tuple[Volume, Report]:
    """A DICOM scan among the results, as far as measuring asks for it."""
    (folder / "outbox/P/5/source").mkdir(parents=True)
    (folder / "inbox").mkdir()
    files = write_series(folder / "outbox/P/5/source", series=Series(change=tell))
    volume = read_dicom(files)
    given = {"kind": "dicom", "shape": volume.shape, "spacing_mm": volume.spacing}
    report = report_on(volume, input=given)
    save_series(volume, folder / f"outbox/P/5/{report.scan_id}_flair.nii.gz")
    return volume, report


async def left(settings: Settings, volume: Volume, row: ScanRow) -> None:
    """Ada measures four times and asks for a document; Bob's own measurement stays his."""
    daemon = settings.daemon
    async with open_index(daemon.index) as index, open_records(daemon.records) as records:
        async with index.transaction():
            await add_scan(index, row)
        for name in ("Ada Lovelace", "Bob"):
            await add_account(records, name.lower(), name, Role.REVIEWER, "")
        for account, name, shapes in ((1, "Ada Lovelace", DRAWN), (2, "Bob", DRAWN[:1])):
            for drawn in shapes:
                found = measure_shape(volume.voxels, volume.affine, 2, drawn)
                await keep(records, row, drawn, found, account_id=account, who=name)
        await leave(records, row, 1, "Ada Lovelace")
        teller = ReviewTeller(settings, index, records)
        try:
            for _ in range(3):  # a second and a third look add nothing
                await teller._tell_all()
        finally:
            await teller.finish()
        assert len(await measurements_of(records, row.scan_id)) == 5
        assert len(await documents_of(records, row.scan_id)) == 1


def test_measurements_are_left_as_a_persons_sr(tmp_path: Path) -> None:
    volume, report = published(tmp_path)
    settings = Settings()
    settings = settings.model_copy(update={"daemon": settings.daemon.relative_to(tmp_path)})
    row = row_of_report(report, PLACE, datetime.now(UTC).isoformat())
    asyncio.run(left(settings, volume, row))
    (path,) = (tmp_path / "outbox/.extra" / report.scan_id / "dicom").iterdir()
    assert os.path.basename(path).endswith("-r1_byhand1_sr.dcm")
    assert errors_of(path) == []
    assert list(faults_in(tmp_path / "outbox")) == []
    made = pydicom.dcmread(path)
    assert made.StudyInstanceUID == "1.2.3.4"
    assert "measured by hand" in made.SeriesDescription
    assert made.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    said = made.to_json()
    assert "Measured by hand by Ada Lovelace" in said
    assert "neural network" not in said
    assert "Bob" not in said
    content = hd.sr.srread(path).content
    assert isinstance(content, hd.sr.MeasurementReport)
    groups = content.get_image_measurement_groups()
    assert len(groups) == 4
    assert len({group.tracking_uid for group in groups}) == 4
    columns, rows, _ = volume.spacing
    across = np.hypot(4 * columns, 3 * rows)
    ellipse = np.pi * 4 * columns * 2 * rows
    expected = [
        ("Length", "POLYLINE", [1.5, 2.5, 5.5, 5.5], [across]),
        ("Angle", "POLYLINE", [1.5, 2.5, 5.5, 2.5, 5.5, 6.5], [90.0]),
        ("EllipticalROI", "ELLIPSE", [1.5, 4.5, 9.5, 4.5, 5.5, 2.5, 5.5, 6.5], [ellipse]),
        ("Probe", "POINT", [4.5, 5.5], [float(volume.voxels[4, 5, 1])]),
    ]
    for group, (tool, graphic, spots, values) in zip(groups, expected, strict=True):
        assert str(group.tracking_identifier).endswith(f":{tool}")
        measured = group.get_measurements()
        assert [each.value for each in measured][:1] == pytest.approx(values)
        (drawn,) = measured[0].referenced_coordinates
        assert drawn.GraphicType == graphic
        assert list(drawn.GraphicData) == pytest.approx(spots)
    images = {str(each.SOPInstanceUID): each for each in map(pydicom.dcmread, source(tmp_path))}
    (line,) = groups[0].get_measurements()[0].referenced_coordinates
    image = images[line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
    assert place_of(image, line.GraphicData[:2]) == pytest.approx(
        (volume.affine @ (1, 2, 3, 1))[:3], abs=1e-3
    )


def source(folder: Path) -> list[Path]:
    return sorted((folder / "outbox/P/5/source").iterdir())


def place_of(image: pydicom.Dataset, spot: list[float]) -> list[float]:
    """RAS mm of a column and row whose first pixel's middle is 0.5, 0.5 (PS3.3 C.7.6.2.1.1)."""
    across = np.array(image.ImageOrientationPatient[:3]) * image.PixelSpacing[1]
    down = np.array(image.ImageOrientationPatient[3:]) * image.PixelSpacing[0]
    steps = across * (spot[0] - 0.5) + down * (spot[1] - 0.5)
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = image.ImagePositionPatient + steps
    return list(found * (-1, -1, 1))
