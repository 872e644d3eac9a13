"""What follows a corrected scan: the patient's next one is compared with the corrected volume."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from daemon.settings import Settings
from tests.daemon.pipeline.corrections import run, send
from tests.daemon.pipeline.test_prior_scan import by_day, drop_dicom, folder_of, priors


def test_what_follows_is_compared_with_the_corrected_volume(
    hospital: Settings, tmp_path: Path
) -> None:
    for day in ("2024-03-01", "2024-05-01"):
        drop_dicom(hospital, day)
    run(hospital)
    ((first,), (*_, before)) = (by_day(hospital)[month] for month in ("2024-03", "2024-05"))
    drawn = nib.Nifti1Image.from_filename(next(folder_of(hospital, first).glob("*_seg.nii.gz")))
    mask = np.zeros(drawn.shape, np.uint8)
    mask[30:40, 30:40, 2:4] = 1
    nib.save(nib.Nifti1Image(mask, drawn.affine, drawn.header), tmp_path / "m.nii.gz")
    send(hospital, first["scan_id"], tmp_path / "m.nii.gz")
    run(hospital)
    found = by_day(hospital)
    corrected, after = found["2024-03"][-1], found["2024-05"][-1]
    assert priors([before, after]) == ["2024-03 r1", "2024-03 r2"]
    grown = after["volume_ml"] - corrected["volume_ml"]
    assert after["change"]["volume_ml"] == pytest.approx(grown, abs=1e-3)
    assert after["change"]["measured_differently"] == ["corrected"]
    assert "one of the masks was corrected manually" in after["change"]["words"]
    folder = folder_of(hospital, corrected)
    seg = pydicom.dcmread(folder / "dicom" / f"{corrected['scan_id']}_seg.dcm")
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert (folder / "dicom" / f"{corrected['scan_id']}_sr.dcm").is_file()
