"""The report for people: one A4 page with the words of the viewer, for research use only."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from daemon.outputs import wording as words
from daemon.outputs.catalogue import text
from daemon.outputs.pdf_text import Lettering
from daemon.report import Report
from model.reading.dicom.patient_tags import Identity

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


PICTURE = 300.0  # width and height that the picture may take, and that the column beside it has
GAP = 16.0
COLUMNS = ((0.0, "number"), (30.0, "size"), (100.0, "diameters"), (195.0, "side"), (260.0, "place"))
FOOT = 62.0
LEAST_PLANES = 60.0
CHANGE_LINES = 7


def write_pdf(report: Report, patient: Identity, folder: Path) -> None:
    """Write `<scan_id>_report.pdf` into the folder that holds the scan's pictures.

    The same values give the same bytes, whatever the time. patient: whom the page names; all
    its texts, and those of the report, may be hostile or in any script: they are drawn as text,
    and cut where they are too long.
    """
    name = report.scan_id
    path = folder / f"{name}_report.pdf"
    rl_config.useA85 = 0  # text in place of bytes would be larger, and is made in plain Python
    canvas = Canvas(str(path), pagesize=SIZE, invariant=1, pageCompression=1)
    canvas.setTitle(f"gliowatch {name}")  # no patient data: viewers list titles
    canvas.setAuthor("gliowatch")
    canvas.setSubject(text("report.research_use"))
    page = Page(canvas, Lettering(canvas))
    _head(page, text("pdf.title_corrected" if report.mask else "pdf.title"))
    _whose(page, report, patient)
    _finding(page, report)
    top = page.y
    lesion, overlay = folder / f"{name}_lesion1.png", folder / f"{name}_overlay.png"
    bottom = page.picture(lesion if lesion.is_file() else overlay, PICTURE, 1.2 * PICTURE)
    page.y = top
    _beside(page, report, bottom)
    page.y = bottom - GAP
    _lesions(page, report)
    _planes(page, folder / f"{name}_planes.png")
    _foot(page, report)
    canvas.showPage()
    canvas.save()


def _head(page: Page, title: str) -> None:
    page.write(MARGIN, title, 9, BODY, ink=GREY)
    width = page.lettering.width(text("report.research_use"), 9, bold=True)
    page.write(WIDTH - MARGIN - width, text("report.research_use"), 9, width + 1, bold=True)
    page.y -= 15
    page.rule()
    page.y -= 8


def _whose(page: Page, report: Report, patient: Identity) -> None:
    """Whose scan it is, and which: the name large, the rest in two columns."""
    given, study = report.input, report.input.study
    page.write(MARGIN, patient.name or text("pdf.name_unknown"), 15, BODY, bold=True)
    page.y -= 24
    left = (
        (text("pdf.patient_id"), patient.patient_id),
        (text("pdf.born"), patient.birth_date or words.not_known()),
        (text("pdf.gender"), patient.gender or words.not_known()),
        (text("pdf.series"), given.description or words.not_known()),
    )
    right = (
        (text("pdf.acquired"), words.moment_words(given.acquired_at)),
        (text("pdf.study"), words.study_words(study.date, study.accession) if study else ""),
        (text("pdf.input"), _input(report)),
        (
            text("pdf.scan"),
            text("pdf.scan_words", scan=report.scan_id, revision=report.revision),
        ),
    )
    half = BODY / 2
    for (label, value), (other_label, other) in zip(left, right, strict=True):
        for x, name, each in ((MARGIN, label, value), (MARGIN + half, other_label, other)):
            page.write(x, name, 8, 55, ink=GREY)
            page.write(x + 58, each or words.not_known(), 8, half - 66)
        page.y -= 13
    page.y -= 2
    page.rule()
    page.y -= 10


def _input(report: Report) -> str:
    """The kind of file, and its voxels' size."""
    kind, spacing = words.KINDS[report.input.kind], words.spacing_words(report)
    if spacing == words.not_known():
        return text("pdf.voxel_unknown", kind=kind)
    return text("pdf.input_words", kind=kind, spacing=spacing)


def _finding(page: Page, report: Report) -> None:
    page.lines(MARGIN, words.finding_sentence(report), 13, BODY, 5, bold=True)
    page.y -= 8


def _planes(page: Page, picture: Path) -> None:
    """The three planes in what room is left, if they are there and it is enough."""
    room = page.y - FOOT - GAP
    if picture.is_file() and room >= LEAST_PLANES:
        page.picture(picture, BODY, min(room, 0.7 * PICTURE))


def _beside(page: Page, report: Report, bottom: float) -> None:
    """Beside the picture: size with its range, change, and what is doubtful."""
    x = MARGIN + PICTURE + GAP
    width = WIDTH - MARGIN - x
    if report.finding != "not_judged":
        _titled(page, x, width, text("pdf.size"), _size_lines(report))
        change = [words.change_words(report)]
        _titled(page, x, width=width, title=text("pdf.change"), texts=change, most=CHANGE_LINES)
    notes = report.sentences or [text("report.nothing_doubtful")]
    _titled(page, x, width=width, title=text("pdf.quality"), texts=notes, bottom=bottom)


def _size_lines(report: Report) -> list[str]:
    limits, confidence = words.range_words(report), words.confidence_words(report)
    shift = words.midline_words(report)
    return [
        words.size_words(report),
        *(
            [text("pdf.range", range=limits, meaning=text("report.range_meaning"))]
            if limits
            else []
        ),
        *([text("pdf.confidence", confidence=confidence)] if confidence else []),
        *([text("report.midline_shift", shift=shift)] if shift else []),
    ]


def _titled(
    page: Page,
    x: float,
    width: float,
    title: str,
    texts: list[str],
    bottom: float = 0,
    most: int = 4,
) -> None:
    """A heading with texts below it, each of at most `most` lines, as far as `bottom`."""
    page.write(x, title, 10, width, bold=True)
    page.y -= 15
    for number, each in enumerate(texts):
        if page.y - 4 * 8.5 * 1.3 < bottom and number + 1 < len(texts):
            left = len(texts) - number
            page.lines(x, text("report.more_in_json", count=left), 8.5, width, 2)
            return
        page.lines(x, each, 8.5, width, most)
        page.y -= 3
    page.y -= 8


def _lesions(page: Page, report: Report) -> None:
    """A row for each of the largest lesions."""
    lesions = report.lesions
    if not lesions:
        return
    page.write(MARGIN, text("pdf.lesions"), 10, BODY, bold=True)
    page.y -= 16
    _row(page, [text(f"pdf.{name}") for _, name in COLUMNS], GREY)
    for lesion in lesions[: words.MOST_LESIONS]:
        cells = [
            str(lesion.id),
            words.lesion_size(lesion),
            words.diameter_words(lesion),
            words.SIDES[lesion.side],
            words.place_words(lesion),
        ]
        _row(page, cells, INK)
    if len(lesions) > words.MOST_LESIONS:
        left = len(lesions) - words.MOST_LESIONS
        page.write(MARGIN, text("report.more_in_json", count=left), 8.5, BODY)
        page.y -= 13
    page.y -= 6


def _row(page: Page, cells: list[str], ink: float) -> None:
    """One line; the last cell, which may tell much, has two."""
    starts = [start for start, _ in COLUMNS]
    for start, end, cell in zip(starts, starts[1:], cells, strict=False):
        page.write(MARGIN + start, cell, 8.5, end - start - 6, ink=ink)
    width = BODY - starts[-1]
    for line in page.lettering.wrapped(cells[-1], 8.5, width, 2):
        page.write(MARGIN + starts[-1], line, 8.5, width + 1, ink=ink)
        page.y -= 11
    page.y -= 2


def _foot(page: Page, report: Report) -> None:
    page.y = FOOT
    page.rule()
    page.y -= 6
    page.write(MARGIN, text("pdf.network", network=words.network_words(report)), 8, BODY, ink=GREY)
    page.y -= 12
    page.write(
        MARGIN, text("report.foot", research_use=text("report.research_use")), 8, BODY, ink=GREY
    )
