"""A volume as it travels to another machine, and its analysis as it comes back.

Nothing of a patient goes along: no name, header, date, description or path. What a reader noted
goes as codes alone; the sentences, which may quote a file, stay here and are put in again.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from model.inference.analysis import Analysis
from model.inference.confidence import Trust
from model.inference.segmentation import Segmentation
from model.measurement.findings import Findings
from model.measurement.lobes import Lobes
from model.volume import FloatArray, Kind, Note, Scale, Volume

FAST = 1  # level of the compression: a network of 1 Gb/s is no slower than a better one
UNFIT = -1  # number of the note that says why a volume is unfit, beside those of `notes`
DATED = "dated"  # stands there for a date that is known here
Shape = tuple[int, int, int]


class Damaged(ValueError):
    """What came is not what was sent."""


@dataclass(frozen=True)
class Grid:
    """Numbers (i, j, k), packed without loss. dtype: as numpy names it; order: of the memory."""

    packed: bytes
    dtype: str
    shape: Shape
    order: Literal["C", "F"]

    @staticmethod
    def of(numbers: "NDArray[np.uint8] | FloatArray") -> "Grid":
        """Packed; whole numbers that fit into 16 bits take half the room."""
        order: Literal["C", "F"] = "F" if numbers.flags.f_contiguous else "C"
        small = _as_small(numbers)
        packed = isal_zlib.compress(small.tobytes(order), FAST)
        i, j, k = numbers.shape
        return Grid(packed, small.dtype.str, (i, j, k), order)

    def unpacked(self) -> NDArray[np.generic]:
        """The same numbers in the same order of memory, still of `dtype`. Raises Damaged."""
        try:
            content = bytearray(isal_zlib.decompress(self.packed))
            return np.frombuffer(content, self.dtype).reshape(self.shape, order=self.order)
        except Exception as error:  # the library's own kind among them, which has no type
            raise Damaged(type(error).__name__) from None


def _as_small(numbers: NDArray[Any]) -> NDArray[Any]:
    """Floats as int16, where that gives the same bits again."""
    if numbers.dtype != np.float32:
        return numbers
    with np.errstate(invalid="ignore"):
        small = numbers.astype(np.int16)
    again = small.astype(np.float32)
    return small if np.array_equal(again.view(np.uint32), numbers.view(np.uint32)) else numbers


@dataclass(frozen=True)
class Parcel:
    """A volume as it travels. notes, unfit: codes of what its reader noted.

    is_dated: whether the day of the scan is known; which one it is stays here.
    """

    voxels: Grid
    affine: tuple[float, ...]
    kind: Kind
    scale: Scale
    sides_known: bool
    is_dated: bool
    filled: float | None
    notes: tuple[str, ...]
    unfit: str | None

    @staticmethod
    def of(volume: Volume) -> "Parcel":
        """What an analysis needs of a volume, and no more."""
        return Parcel(
            voxels=Grid.of(volume.voxels),
            affine=tuple(float(number) for number in volume.affine.flat),
            kind=volume.kind,
            scale=volume.scale,
            sides_known=volume.sides_known,
            is_dated=volume.acquired_at is not None,
            filled=volume.filled,
            notes=tuple(each.code for each in volume.notes),
            unfit=volume.unfit.code if volume.unfit else None,
        )

    def volume(self) -> Volume:
        """The volume for the analysis: numbers stand for the sentences. Raises Damaged."""
        return Volume(
            voxels=self.voxels.unpacked().astype(np.float32, copy=False),
            affine=np.array(self.affine, np.float64).reshape(4, 4),
            kind=self.kind,
            scale=self.scale,
            sides_known=self.sides_known,
            acquired_at=DATED if self.is_dated else None,
            unfit=None if self.unfit is None else Note(self.unfit, _mark(UNFIT)),
            notes=tuple(Note(code, _mark(number)) for number, code in enumerate(self.notes)),
            filled=self.filled,
        )


@dataclass(frozen=True)
class Answer:
    """An analysis as it comes back. mask, probability: None where nothing was segmented.

    lobes: of its lesions; network, weights_sha256: which analyzed; seconds: for how long.
    """

    findings: Findings
    mask: Grid | None
    probability: Grid | None
    threshold: float
    trust: Trust | None
    lobes: Lobes | None
    network: str
    weights_sha256: str
    seconds: float

    @property
    def is_refusal(self) -> bool:
        """Whether this volume was not one to segment: another one of the scan may be."""
        return self.mask is None

    @property
    def size(self) -> int:
        """Bytes of its grids."""
        return sum(len(grid.packed) for grid in (self.mask, self.probability) if grid)

    def analysis(self, volume: Volume) -> Analysis:
        """The analysis of the volume that was sent, with its sentences. Raises Damaged."""
        notes = tuple(_spoken(each, volume) for each in self.findings.notes)
        findings = replace(self.findings, notes=notes)
        if self.mask is None or self.probability is None:
            return Analysis(findings, None)
        mask, probability = self.mask.unpacked(), self.probability.unpacked()
        if mask.shape != volume.shape or probability.shape != volume.shape:
            raise Damaged("shape")
        segmentation = Segmentation(
            mask.astype(np.uint8, copy=False),
            probability.astype(np.float32, copy=False),
            self.threshold,
            self.trust,
        )
        return Analysis(findings, segmentation)


def answer_of(
    analysis: Analysis, lobes: Lobes | None, network: str, weights_sha256: str, seconds: float
) -> Answer:
    """An analysis, packed."""
    made = analysis.segmentation
    return Answer(
        findings=analysis.findings,
        mask=Grid.of(made.mask) if made else None,
        probability=Grid.of(made.probability) if made else None,
        threshold=made.threshold if made else 0.0,
        trust=made.trust if made else None,
        lobes=lobes,
        network=network,
        weights_sha256=weights_sha256,
        seconds=seconds,
    )


def _mark(number: int) -> str:
    """What stands for a sentence that stays at home."""
    return f"\x02{number}\x03"


def _spoken(note: Note, volume: Volume) -> Note:
    """A note with the sentences of the volume's own notes in the place of their numbers."""
    message = note.message
    for number, each in enumerate(volume.notes):
        message = message.replace(_mark(number), each.message)
    if volume.unfit is not None:
        message = message.replace(_mark(UNFIT), volume.unfit.message)
    return Note(note.code, message)
