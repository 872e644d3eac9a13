"""OHIF's reader, cornerstone's adapters in node: our axes are lines, our segments are labels.

Its packages are none of ours: GLIOWATCH_NODE_MODULES names the folder where
`npm install @cornerstonejs/adapters@5.14.0 @babel/runtime` put them.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from daemon.commands.segment import segment_once
from daemon.pipeline.worker_tasks import analysis_rules
from daemon.settings import ModelSettings
from model.reading.dicom.study import read_dicom
from tests.conftest import SHARED
from tests.daemon.outputs.dicom.test_dcmqi import KINDS, write
from tests.daemon.outputs.dicom.test_object_contents import Case, ends_of, report_on, tell
from tests.phantoms.dicom_series import STORED, Series, write_series
from tests.programs import program

BRAINIX = SHARED / "dicom" / "brainix_flair"
SQUARE = np.diag([-0.8, -0.8, 5.0, 1.0])  # their reader takes the two pixel sizes for each other


@pytest.fixture
def modules() -> str:
    """Where cornerstone's packages are."""
    named = os.environ.get("GLIOWATCH_NODE_MODULES", "")
    if not Path(named, "@cornerstonejs", "adapters").is_dir():
        pytest.skip("GLIOWATCH_NODE_MODULES names no folder with @cornerstonejs/adapters")
    return named


def lines_in(
    result: Path, files: Iterable[Path], modules: str, target: Path
) -> list[dict[str, Any]]:
    """The bidirectional lines of a result's SR over these images, as OHIF's reader makes them."""
    planes = {}
    for file in files:
        image = pydicom.dcmread(file, stop_before_pixels=True)
        along = [float(value) for value in image.ImageOrientationPatient]
        down, across = (float(value) for value in image.PixelSpacing)
        planes[str(image.SOPInstanceUID)] = {
            "rowCosines": along[:3],
            "columnCosines": along[3:],
            "imagePositionPatient": [float(mm) for mm in image.ImagePositionPatient],
            "rowPixelSpacing": down,
            "columnPixelSpacing": across,
            "frameOfReferenceUID": str(image.FrameOfReferenceUID),
        }
    target.write_text(json.dumps(planes))
    (sr,) = (result / "dicom").glob("*_sr.dcm")
    found: list[dict[str, Any]] = said_by("cornerstone_lines.mjs", modules, sr, target)
    return found


def said_by(script: str, modules: str, *files: Path) -> Any:
    command = [program("node"), str(Path(__file__).with_name(script)), modules, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_cornerstone_draws_the_axes_where_they_lie(tmp_path: Path, modules: str) -> None:
    (tmp_path / "source").mkdir()
    files = write_series(tmp_path / "source", STORED, SQUARE, Series(change=tell))
    case = Case(read_dicom(files), tmp_path)
    folder = case.written(report_on(case.volume), "result")
    (line,) = lines_in(folder, files, modules, tmp_path / "planes.json")
    ras = ends_of(case.volume, (3, 4, 3), (6, 7, 3), (3, 7, 3), (6, 4, 3))
    assert np.allclose(line["points"], np.array(ras) * [-1, -1, 1], atol=0.02)


@pytest.mark.long
@pytest.mark.skipif(not BRAINIX.is_dir(), reason="../shared/data is not here")
def test_cornerstone_draws_a_line_for_each_lesion_of_a_real_scan(
    tmp_path: Path, modules: str
) -> None:
    (analyzed,) = segment_once([BRAINIX], tmp_path, "P", analysis_rules(ModelSettings()))
    assert analyzed.folder is not None, analyzed.reason
    files = sorted(path for path in BRAINIX.iterdir() if path.is_file())
    (report,) = analyzed.folder.glob("*_report.json")
    lesions = json.loads(report.read_text())["lesions"]
    found = lines_in(analyzed.folder, files, modules, tmp_path / "planes.json")
    wanted = [
        [*each["longest_diameter_ends_ras_mm"], *each["perpendicular_diameter_ends_ras_mm"]]
        for each in lesions
    ]
    points = [np.array(line["points"]) * [-1, -1, 1] for line in found]
    assert len(points) == len(wanted) == 4
    for ends in wanted:
        assert any(np.allclose(each, ends, atol=0.1) for each in points)
    (seg,) = (analyzed.folder / "dicom").glob("*_seg.dcm")
    counted = Counter[int]()
    for counts in said_by("cornerstone_segments.mjs", modules, seg, *files).values():
        counted.update({int(number): count for number, count in counts.items()})
    assert counted == {each["id"]: each["voxels"] for each in lesions}


@pytest.mark.long
@pytest.mark.parametrize("name", ["new", "revision", "corrected", "incomplete"])
def test_cornerstone_reads_the_segments_of_each_kind_of_result(
    tmp_path: Path, modules: str, name: str
) -> None:
    (tmp_path / "source").mkdir()
    files = write_series(tmp_path / "source", STORED, series=Series(change=tell))
    case = Case(read_dicom(files), tmp_path)
    _, made = write(case, name)
    mask = KINDS[name].mask
    assert mask is not None
    sources = [pydicom.dcmread(each.file) for each in case.volume.sources if each]
    assert said_by("cornerstone_segments.mjs", modules, made["seg.dcm"], *files) == {
        f"dicom:{source.SOPInstanceUID}": {"1": int(mask[..., k].sum())}
        for k, source in enumerate(sources)
        if mask[..., k].any()
    }
