"""OHIF's reader, cornerstone's adapters in node: our axes are bidirectional lines in their place.

Its packages are none of ours: GLIOWATCH_NODE_MODULES names the folder where
`npm install @cornerstonejs/adapters@5.14.0 @babel/runtime` put them.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from model.reading.dicom.study import read_dicom
from tests.daemon.outputs.dicom.test_object_contents import Case, ends_of, report_on, tell
from tests.phantoms.dicom_series import STORED, Series, write_series
from tests.programs import program

SCRIPT = Path(__file__).with_name("cornerstone_lines.mjs")
SQUARE = np.diag([-0.8, -0.8, 5.0, 1.0])  # their reader takes the two pixel sizes for each other


def test_cornerstone_draws_the_axes_where_they_lie(tmp_path: Path) -> None:
    modules = os.environ.get("GLIOWATCH_NODE_MODULES", "")
    if not Path(modules, "@cornerstonejs", "adapters").is_dir():
        pytest.skip("GLIOWATCH_NODE_MODULES names no folder with @cornerstonejs/adapters")
    (tmp_path / "source").mkdir()
    files = write_series(tmp_path / "source", STORED, SQUARE, Series(change=tell))
    case = Case(read_dicom(files), tmp_path)
    folder = case.written(report_on(case.volume), "result")
    planes = {}
    for file in files:
        image = pydicom.dcmread(file)
        along = [float(value) for value in image.ImageOrientationPatient]
        planes[str(image.SOPInstanceUID)] = {
            "rowCosines": along[:3],
            "columnCosines": along[3:],
            "imagePositionPatient": [float(mm) for mm in image.ImagePositionPatient],
            "rowPixelSpacing": 0.8,
            "columnPixelSpacing": 0.8,
            "frameOfReferenceUID": str(image.FrameOfReferenceUID),
        }
    (tmp_path / "planes.json").write_text(json.dumps(planes))
    (sr,) = (folder / "dicom").glob("*_sr.dcm")
    command = [program("node"), str(SCRIPT), modules, str(sr), str(tmp_path / "planes.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout.splitlines()[-1])
    ras = ends_of(case.volume, (3, 4, 3), (6, 7, 3), (3, 7, 3), (6, 4, 3))
    assert np.allclose(line["points"], np.array(ras) * [-1, -1, 1], atol=0.02)
