"""`gliowatch compare-weights`: what other weights would change, with nothing published."""

import asyncio
import json
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.index.database import open_index
from daemon.index.inventory import mark_removed
from daemon.index.scans import every_scan
from daemon.service import run_daemon
from daemon.settings import Settings
from tests.conftest import FRONTAL, gliowatch, worker_here
from tests.phantoms.heads import head, write_nifti


@pytest.fixture
def published(hospital: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A head with a tumor, a phantom, and a picture, analyzed by the small network."""

    for patient in ("A", "B", "C"):
        (hospital.daemon.inbox / patient).mkdir()
    shutil.copy(FRONTAL, hospital.daemon.inbox / "A" / "scan.nii.gz")
    phantom = head()
    write_nifti(hospital.daemon.inbox / "B" / "scan.nii.gz", phantom.voxels, phantom.affine)
    grey = np.clip(phantom.voxels[:, :, 12].T, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(hospital.daemon.inbox / "C" / "slice.png")
    with worker_here():
        assert asyncio.run(run_daemon(hospital, True, asyncio.Event())) == 0
    return hospital


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in files}


async def rows(settings: Settings) -> list[tuple[str, str]]:
    async with open_index(settings.daemon.index) as index:
        return [(scan.scan_id, scan.report_json) async for scan in every_scan(index)]


async def remove(settings: Settings, patient: str) -> None:
    async with open_index(settings.daemon.index) as index:
        async for scan in every_scan(index):
            if scan.patient_id == patient:
                await mark_removed(index, scan.folder, "2026-01-01T00:00:00.000+00:00")


def test_the_same_weights_change_nothing_and_others_are_told(published: Settings) -> None:
    outbox, here = published.daemon.outbox, published.daemon.inbox.parent
    before, known = everything(outbox), asyncio.run(rows(published))
    same = gliowatch(published, "compare-weights", published.model.weights, "--json")
    assert same.returncode == 0, same.stderr
    told = json.loads(same.stdout)
    assert [each["dice"] for each in told["scans"]] == [1.0, 1.0, 1.0]
    assert all(each["now"] == each["then"] for each in told["scans"])
    assert told["summary"]["same_mask"] == told["summary"]["compared"] == 3

    shipped, out = str(resources.files("model.weights") / "flair_unet.safetensors"), here / "out"
    other = gliowatch(published, "compare-weights", shipped, "-o", str(out))
    assert other.returncode == 0, other.stderr
    assert "3 scans compared with" in other.stdout
    content = json.loads((out / "comparison.json").read_text())
    (name,) = (path.name for path in (outbox / "A").iterdir())
    (real,) = (each for each in content["scans"] if each["scan_id"] == name)
    assert (real["then"]["finding"], real["dice"] < 1) == ("tumor", True)
    assert f"{real['dice']:.3f}" in other.stdout
    pictures = {path.name for path in out.glob("*.png")}
    assert len(pictures) == sum(each["dice"] < 1 for each in content["scans"])
    picture = out / f"dice_{real['dice']:.2f}_{name}.png"
    assert picture.name in pictures
    with Image.open(picture) as opened:
        assert min(opened.size) > 400

    assert everything(outbox) == before
    assert asyncio.run(rows(published)) == known


def test_what_is_gone_or_damaged_is_told(published: Settings) -> None:
    asyncio.run(remove(published, "B"))
    (source,) = published.daemon.outbox.glob("A/*/source/*")
    source.chmod(0o600)
    source.write_bytes(b"no scan")
    told = gliowatch(published, "compare-weights", published.model.weights)
    assert told.returncode == 1
    assert "1 scans compared" in told.stdout
    assert "1 not compared: retention has removed their files." in told.stdout
    assert "1 could not be analyzed again." in told.stdout
    last = gliowatch(published, "compare-weights", published.model.weights, "--last", "1", "--json")
    assert len(json.loads(last.stdout)["scans"]) == 1


def test_pictures_are_not_written_into_the_outbox(hospital: Settings) -> None:
    target = hospital.daemon.outbox / "compared"
    told = gliowatch(hospital, "compare-weights", hospital.model.weights, "-o", str(target))
    assert told.returncode == 2
    assert "only results may lie in the outbox" in told.stderr
    assert not target.exists()


def test_what_is_no_weights_file_is_refused_in_a_sentence(hospital: Settings) -> None:
    told = gliowatch(hospital, "compare-weights", str(FRONTAL))
    assert told.returncode == 2
    assert FRONTAL.name in told.stderr
