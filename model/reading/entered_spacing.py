"""The size of a pixel as a person entered it, apart from the readers: the viewer needs none."""

from dataclasses import dataclass

SMALLEST_MM, LARGEST_PIXEL_MM, LARGEST_GAP_MM = 0.1, 5.0, 20.0


@dataclass(frozen=True)
class Spacing:
    """Distances in mm between the middles of neighbours, as a person entered them.

    across, down: in a slice, along its first and second axis in the file; between: from slice to
    slice, None for a single picture.
    """

    across: float
    down: float
    between: float | None = None

    @property
    def numbers(self) -> list[float | None]:
        """As it stands in a report: across, down, between."""
        return [self.across, self.down, self.between]
