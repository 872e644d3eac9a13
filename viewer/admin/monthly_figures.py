"""The page on months and scanners: how scans fared, what is usual, and what lies outside of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from aiohttp import web

from daemon.index.worklist_rows import catch_up
from daemon.outputs.catalogue import text
from daemon.outputs.wording import not_known
from daemon.quality.monthly_figures import (
    FIGURES,
    MONTHS_SHOWN,
    Figures,
    MonthlyFigures,
    OfScanner,
    month_before,
    monthly_figures,
    months_of_scanner,
)
from daemon.quality.usual_bands import FEWEST_MONTHS, FEWEST_SCANS, Figure
from viewer.sessions import INDEX, JOINED, RECORDS
from viewer.templating import render

WIDE, HIGH, EDGE = 300.0, 80.0, 6.0  # of a chart, in units of its own
LEAST_RANGE = 0.05  # of a chart's scale: less would draw chance large


@dataclass(frozen=True)
class Cell:
    """A figure in words, and what would be usual."""

    value: str
    usual: str
    is_outside: bool


@dataclass(frozen=True)
class Row:
    """A month or a scanner in words. key: of a scanner, for its address."""

    name: str
    scans: int
    cells: list[Cell]
    reviewed: int
    corrected: str
    rejected: int
    marks: list[str]
    key: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure over the months, in units of the drawing. band: a polygon; marks: x, y, sentence."""

    title: str
    line: str
    band: str
    marks: list[tuple[float, float, str]]
    top: str
    bottom: str


async def show_months(request: web.Request) -> web.StreamResponse:
    """`/system/months`; `scanner`: the key of one, whose months are shown alone."""
    now = datetime.now().astimezone()
    found = await figures_now(request.app, now)
    names = {key_of(each.year.name): each.year.name for each in found.scanners}
    chosen = names.get(request.query.get("scanner", ""))
    months = found.months
    if chosen is not None:
        months = await months_of_scanner(request.app[INDEX], now, chosen)
    this = f"{now:%Y-%m}"
    values = {
        "title": text("months.title"),
        "section": "system",
        "lead": [] if not months else month_row(months[0], this).marks,
        "chosen": None if chosen is None else scanner_words(chosen),
        "months": [month_row(each, this) for each in months],
        "scanners": [scanner_row(each) for each in found.scanners],
        "charts": [chart(name, months, this) for name in FIGURES],
        "first": month_before(this, MONTHS_SHOWN - 1),
        "last": this,
        "fewest": {"scans": FEWEST_SCANS, "months": FEWEST_MONTHS},
    }
    return render(request, "monthly_figures.html", values)


async def figures_now(app: web.Application, now: datetime) -> MonthlyFigures:
    """As of now, with all that people have said."""
    await catch_up(app[JOINED], app[RECORDS])  # as the worklist does
    return await monthly_figures(app[INDEX], now)


def month_row(month: Figures, this: str) -> Row:
    """A month beside the months before it."""
    is_over = month.name != this
    name = month.name if is_over else text("months.so_far", month=month.name)
    return _row(name, month, mark_sentences(name, month, _before))


def scanner_row(scanner: OfScanner) -> Row:
    """A scanner beside the others; what its newest month is unlike stands there too."""
    year, newest = scanner.year, scanner.newest
    name = scanner_words(year.name)
    marks = mark_sentences(name, year, _others)
    where = text("months.scanner_month", scanner=name, month=newest.name)
    marks += mark_sentences(where, newest, _before)
    return _row(name, year, marks, key_of(year.name))


def scanner_words(name: str) -> str:
    """A scanner's name, or that it is not known."""
    return name or not_known()


def key_of(scanner: str) -> str:
    """What stands in an address for a scanner."""
    return sha256(scanner.encode()).hexdigest()[:12]


def mark_sentences(where: str, figures: Figures, usual: Callable[[str, str], str]) -> list[str]:
    """A sentence for each figure that lies outside."""
    found = []
    for name in figures.outside:
        figure = figures.figure(name)
        low, high = (value_words(name, edge) for edge in figure.usual or (None, None))
        found.append(
            text(
                f"months_mark.{name}",
                where=where,
                value=value_words(name, figure.value),
                count=figure.of,
                usual=usual(low, high),
            )
        )
    return found


def value_words(name: str, value: float | None) -> str:
    """A figure's value: a confidence as a number, a share in per cent."""
    if value is None:
        return text("months.no_value")
    if name == "confidence":
        return text("months.confidence_value", value=value)
    return text("months.percent", percent=100 * value)


def chart(name: str, months: Iterable[Figures], this: str) -> Chart:
    """One figure of the months, the oldest at the left; of months without scans nothing."""
    places = {month_before(this, MONTHS_SHOWN - 1 - place): place for place in range(MONTHS_SHOWN)}
    shown = [(places[each.name], each, each.figure(name)) for each in reversed(list(months))]
    edges = [edge for _, _, figure in shown for edge in figure.usual or ()]
    values = [figure.value for _, _, figure in shown if figure.value is not None]
    low, high = min([*values, *edges], default=0.0), max([*values, *edges], default=1.0)
    high = max(high, low + LEAST_RANGE)

    def at(place: int, value: float) -> tuple[float, float]:
        x = EDGE + place * (WIDE - 2 * EDGE) / (MONTHS_SHOWN - 1)
        y = HIGH - EDGE - (value - low) / (high - low) * (HIGH - 2 * EDGE)
        return round(x, 1), round(y, 1)

    banded = [(place, figure.usual) for place, _, figure in shown if figure.usual]
    upper = [at(place, usual[1]) for place, usual in banded]
    lower = [at(place, usual[0]) for place, usual in banded]
    told = [(place, each, f.value) for place, each, f in shown if f.value is not None]
    return Chart(
        title=text(f"months_figure.{name}"),
        line=_points(at(place, value) for place, _, value in told),
        band=_points([*upper, *reversed(lower)]),
        marks=[
            (
                *at(place, value),
                text("months.point", month=each.name, value=value_words(name, value)),
            )
            for place, each, value in told
            if each.figure(name).is_outside
        ],
        top=value_words(name, high),
        bottom=value_words(name, low),
    )


def _row(name: str, figures: Figures, marks: list[str], key: str = "") -> Row:
    corrected = str(figures.corrected)
    if figures.dice is not None:
        corrected = text("months.corrected", count=figures.corrected, dice=figures.dice)
    return Row(
        name=name,
        scans=figures.scans,
        cells=[_cell(each, figures.figure(each)) for each in FIGURES],
        reviewed=figures.accepted.of,
        corrected=corrected,
        rejected=figures.rejected,
        marks=marks,
        key=key,
    )


def _cell(name: str, figure: Figure) -> Cell:
    usual = ""
    if figure.usual is not None:
        low, high = (value_words(name, edge) for edge in figure.usual)
        usual = text("months.usual", low=low, high=high)
    return Cell(value_words(name, figure.value), usual, figure.is_outside)


def _before(low: str, high: str) -> str:
    return text("months.usual_before", low=low, high=high)


def _others(low: str, high: str) -> str:
    return text("months.usual_others", low=low, high=high)


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)
