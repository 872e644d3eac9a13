"""Scans by other machines, over TLS: the same results, and begun again without doing it again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, SAMPLES
from tests.daemon.machines.stations import Station, free_address, make_certificates

SCANS = [
    next((SAMPLES / "TCGA_CS_4944_20010208").iterdir()),
    next((SAMPLES / "a-picture").iterdir()),
]
OF_THE_MACHINE = ("seconds", "created_at", "processed_at")


def segment(target: Path, *words: str, **own: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gliowatch", "segment", *map(str, SCANS), "-o", str(target), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | own,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def results(target: Path) -> dict[str, Any]:
    """By scan and file, what is not a matter of the moment: reports as values, masks as bytes."""
    found: dict[str, Any] = {}
    for path in sorted(target.glob("[!.]*/*")):
        name = f"{path.parent.name}/{path.name}"
        if path.name.endswith("_report.json"):
            content = json.loads(path.read_text())
            found[name] = {key: content[key] for key in content if key not in OF_THE_MACHINE}
        elif path.name.endswith(("_mask.nii.gz", "_prob.nii.gz")):
            found[name] = path.read_bytes()
    return found


@pytest.mark.long
def test_the_result_is_the_same_wherever_a_scan_is_analyzed(tmp_path: Path) -> None:
    tls, address = make_certificates(tmp_path / "tls"), free_address()
    own = {f"GLIOWATCH_WORKERS__{key.upper()}": path for key, path in tls.items()}
    own["GLIOWATCH_MODEL__SAVE_PROBABILITIES"] = "true"
    here = segment(tmp_path / "here", **own)
    assert here.returncode == 0, here.stderr
    with Station("alpha", address, tls, tmp_path), Station("beta", address, tls, tmp_path):
        far = segment(tmp_path / "far", "--workers", address, **own)
    assert far.returncode == 0, far.stderr
    assert "alpha" in far.stdout or "beta" in far.stdout
    assert results(tmp_path / "far") == results(tmp_path / "here")
    assert any(name.endswith("_prob.nii.gz") for name in results(tmp_path / "far"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "far").glob("[!.]*")}
    again = segment(tmp_path / "far", "--workers", address, "--json", **own)
    assert again.returncode == 0, again.stderr
    assert len(json.loads(again.stdout)) == len(SCANS)  # and no machine is there any more
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "far").glob("[!.]*")} == before


def test_workers_over_a_network_need_certificates(tmp_path: Path) -> None:
    refused = segment(tmp_path, "--workers", "tcp://10.0.0.5:8786")
    assert refused.returncode == 2
    assert "is not encrypted" in refused.stderr
