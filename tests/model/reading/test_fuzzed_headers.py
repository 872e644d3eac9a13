"""Headers with bytes changed at random: refused in a sentence, flagged, or read as if unchanged."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from model.errors import UnreadableScan
from model.intensity import normalise
from model.reading.nifti import read_nifti
from model.reading.read import read, scan_at
from model.volume import FloatArray, Upright, Volume
from tests.conftest import FRONTAL, SAMPLES
from tools.experiments.nifti_grids import apart, parts_of, write

Capture = pytest.CaptureFixture[str]
SECONDS = 50
THINNED = 4  # of the sample's voxels in a slice, so that many files are tried in that time
STUDY = SAMPLES / "from-the-pacs" / "study"


@dataclass(frozen=True)
class Seen:
    """What a finding follows from: the grid, and the grey values as a network takes them."""

    volume: Volume
    shades: FloatArray

    @staticmethod
    def of(volume: Volume) -> "Seen":
        upright = Upright.of(volume.shape, volume.affine).turn(volume.voxels)
        return Seen(volume, normalise(upright, volume.levels))

    def is_same(self, other: "Seen") -> bool:
        mine, theirs = self.volume, other.volume
        if self.shades.shape != other.shades.shape or mine.sides_known is not theirs.sides_known:
            return False
        here, there = (Upright.of(v.shape, v.affine).affine for v in (mine, theirs))
        diagonal = float(np.linalg.norm(np.array(mine.spacing) * mine.shape))
        is_near = apart(here, there, self.shades.shape) <= 1e-3 * diagonal
        return is_near and bool(np.abs(self.shades - other.shades).max() < 0.005)

    def outcome(self, changed: Path) -> str:
        """What became of a changed file: its kind, or `quietly wrong`."""
        try:
            volume = read(scan_at(changed))
        except UnreadableScan as refused:
            return "refused" if str(refused).endswith(".") else "refused without a sentence"
        if {note.code for note in volume.notes} > {note.code for note in self.volume.notes}:
            return "flagged"
        if volume.unfit is not None:
            return "not judged"
        return "same" if self.is_same(Seen.of(volume)) else "quietly wrong"


def tried(
    name: str, change: Callable[[np.random.Generator], Path], sound: Seen, capsys: Capture
) -> Counter[str]:
    """Outcomes of as many changed files as fit into the time."""
    chance, outcomes = np.random.default_rng(11), Counter[str]()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        outcome = sound.outcome(change(chance))
        assert outcome in ("refused", "flagged", "not judged", "same"), outcomes.total()
        outcomes[outcome] += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {outcomes.total()} changed headers: {dict(outcomes)}\n")
    return outcomes


def changed_bytes(content: bytes, first: int, end: int, chance: np.random.Generator) -> bytes:
    """One to four neighbouring bytes between `first` and `end`, each a new value."""
    broken = bytearray(content)
    start = int(chance.integers(first, end))
    for position in range(start, min(end, start + int(chance.integers(1, 5)))):
        values = (0, 1, 0x7F, 0x80, 0xFF, int(chance.integers(256)))
        broken[position] = values[int(chance.integers(len(values)))]
    return bytes(broken)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", [1, 2])
def test_no_nifti_header_is_quietly_wrong(tmp_path: Path, version: int, capsys: Capture) -> None:
    sample = read_nifti(FRONTAL)
    affine = sample.affine @ np.diag([THINNED, THINNED, 1, 1])
    voxels = sample.voxels[::THINNED, ::THINNED].astype(np.int16)
    file = write(parts_of(voxels, affine, version), tmp_path, packed=False)
    whole, sound = file.read_bytes(), Seen.of(read(scan_at(file)))

    def change(chance: np.random.Generator) -> Path:
        file.write_bytes(changed_bytes(whole, 0, 352 if version == 1 else 544, chance))
        return file

    outcomes = tried(f"NIfTI-{version}", change, sound, capsys)
    assert min(outcomes["refused"], outcomes["flagged"], outcomes["same"]) > 10


def small_series(folder: Path) -> list[Path]:
    """The sample study's FLAIR, thinned and not compressed: a file for each slice."""
    files = []
    for path in sorted(STUDY.iterdir()):
        slice_ = pydicom.dcmread(path)
        if "tirm" not in slice_.SeriesDescription:
            continue
        pixels = slice_.pixel_array[::THINNED, ::THINNED]
        slice_.Rows, slice_.Columns = pixels.shape
        slice_.PixelSpacing = [float(mm) * THINNED for mm in slice_.PixelSpacing]
        slice_.PixelData = pixels.tobytes()
        slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_.save_as(folder / path.name)
        files.append(folder / path.name)
    return files


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_dicom_header_is_quietly_wrong(tmp_path: Path, capsys: Capture) -> None:
    files = small_series(tmp_path)
    sound = Seen.of(read(scan_at(tmp_path)))
    whole = {file: file.read_bytes() for file in files}
    broken: list[Path] = []

    def change(chance: np.random.Generator) -> Path:
        for file in broken:
            file.write_bytes(whole[file])
        file = files[int(chance.integers(len(files)))]
        broken[:] = [file]
        end = whole[file].index(b"\xe0\x7f\x10\x00")
        file.write_bytes(changed_bytes(whole[file], 128, end, chance))
        return tmp_path

    outcomes = tried("DICOM", change, sound, capsys)
    assert outcomes["refused"] > 10
    assert outcomes["same"] > 10
