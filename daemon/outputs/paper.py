"""An A4 page that is filled from the top: lines of text that fit, pictures, rules."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from daemon.outputs.lettering import Lettering

SIZE = A4
WIDTH, HEIGHT = A4  # points
MARGIN = 40.0
BODY = WIDTH - 2 * MARGIN
INK, GREY = 0.0, 0.35


@dataclass
class Page:
    """A canvas that is filled from the top; y: where the next line may begin, in points."""

    canvas: Canvas
    lettering: Lettering
    y: float = HEIGHT - MARGIN

    def write(
        self, x: float, text: str, size: float, width: float, bold: bool = False, ink: float = INK
    ) -> None:
        """One line on the page's present height, cut to `width`."""
        self.canvas.setFillGray(ink)
        line = self.lettering.fitted(text, size, width, bold)
        self.lettering.draw(x, self.y - size, line, size, bold)

    def lines(
        self, x: float, text: str, size: float, width: float, most: int, bold: bool = False
    ) -> None:
        """Several lines, one below the other."""
        for line in self.lettering.wrapped(text, size, width, most, bold):
            self.write(x, line, size, width + 1, bold)
            self.y -= size * 1.3

    def rule(self) -> None:
        """A thin line over the page's width."""
        self.canvas.setStrokeGray(GREY)
        self.canvas.setLineWidth(0.5)
        self.canvas.line(MARGIN, self.y, WIDTH - MARGIN, self.y)

    def picture(self, file: Path, width: float, height: float) -> float:
        """A picture at the left, as large as fits; where it ends below."""
        with Image.open(file) as opened:
            pixels = opened.convert("RGB")
        scale = min(width / pixels.width, height / pixels.height)
        across, down = pixels.width * scale, pixels.height * scale
        self.canvas.drawImage(ImageReader(pixels), MARGIN, self.y - down, across, down)
        return self.y - down
