"""What people measure on a scan by hand: shapes by the voxels on which they lie, plain values."""

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """What is drawn to measure by."""

    LENGTH = "length"
    ANGLE = "angle"
    ELLIPSE = "ellipse"
    PROBE = "probe"


POINTS = {Shape.LENGTH: 2, Shape.ANGLE: 3, Shape.ELLIPSE: 2, Shape.PROBE: 1}
Place = tuple[float, float, float]


@dataclass(frozen=True)
class Drawn:
    """A shape on one slice. points: voxel indices along the file's i, j, k, whole in the middle of
    a voxel: both ends of a length; an angle's corner is the second of three; of an ellipse two
    corners of the box around it, whose sides run along the slice's own axes.
    """

    shape: Shape
    points: tuple[Place, ...]


@dataclass(frozen=True)
class Figures:
    """What a shape measures; None where it does not measure that, or no scale is known.

    mean and sd: of all voxels whose middle lies in the ellipse, sd over their number; voxels: how
    many these are; value: of the probed voxel; place: RAS mm of its middle.
    """

    length_mm: float | None = None
    angle_degrees: float | None = None
    area_mm2: float | None = None
    mean: float | None = None
    sd: float | None = None
    voxels: int | None = None
    value: float | None = None
    place: Place | None = None
