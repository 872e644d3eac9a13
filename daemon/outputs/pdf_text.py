"""Text on a PDF's page in any script of the shipped fonts: shaped, in reading order, cut to fit.

The Unicode Bidirectional Algorithm (UAX #9) for one line of plain text: rules P2, P3, W1, W2,
W4, W7, N0, N1, N2, I1, I2, L2, and L4 where a part holds no letter. Left out: explicit embeddings,
which names have no use for and our text drops, and number signs (W5).
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from reportlab.lib.abag import ABag
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import ShapedStr, TTFont, shapeFragWord
from reportlab.pdfgen.canvas import Canvas

LEFT, RIGHT, NUMBER, NEUTRAL = "L", "R", "N", "?"
_KINDS = {"L": LEFT, "R": RIGHT, "AL": RIGHT, "EN": NUMBER, "AN": NUMBER}
PAIRS = {"(": ")", "[": "]", "{": "}"}
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


@dataclass(frozen=True)
class Part:
    """Characters in the order in which they are read, all in one direction."""

    text: str
    right_to_left: bool


def parts_of(line: str) -> list[Part]:
    """The parts of a line as they stand from left to right."""
    if line.isascii():  # most lines: nothing in it turns
        return [Part(line, False)] if line else []
    base = _base(line)
    levels = _levels(line, base)
    runs = []
    for level, places in groupby(range(len(line)), key=levels.__getitem__):
        runs.append((level, "".join(line[place] for place in places)))
    for least in range(max(levels, default=0), 0, -1):
        runs = list(_turned(runs, least))
    return [_part(text, level % 2 == 1) for level, text in runs]


def _part(text: str, right_to_left: bool) -> Part:
    """A part; without a letter that tells its direction it is mirrored and turned by hand."""
    if right_to_left and not any(_kind(each) == RIGHT for each in text):
        return Part(text[::-1].translate(_MIRRORED), False)
    return Part(text, right_to_left)


def _turned(runs: list[tuple[int, str]], least: int) -> Iterator[tuple[int, str]]:
    """Each sequence of runs of at least this level, reversed (L2)."""
    for high, group in groupby(runs, key=lambda run: run[0] >= least):
        inside = list(group)
        yield from inside[::-1] if high else inside


def _base(line: str) -> str:
    """The direction of the first letter that has one (P2, P3)."""
    strong = (kind for kind in map(_kind, line) if kind in (LEFT, RIGHT))
    return next(strong, LEFT)


def _levels(line: str, base: str) -> list[int]:
    kinds = _resolved(_paired(line, _numbers(line, base), base), base)
    of_base = {LEFT: {LEFT: 0, RIGHT: 1, NUMBER: 2}, RIGHT: {LEFT: 2, RIGHT: 1, NUMBER: 2}}
    return [of_base[base][kind] for kind in kinds]


def _kind(character: str) -> str:
    return _KINDS.get(unicodedata.bidirectional(character), NEUTRAL)


def _numbers(line: str, base: str) -> list[str]:
    """The kind of each character, numbers told apart by what they follow (W1, W2, W4, W7)."""
    kinds, classes, strong = [], _classes(line), base
    for place, each in enumerate(classes):
        kind = _KINDS.get(each, NEUTRAL)
        if kind in (LEFT, RIGHT):
            strong = kind
        if each == "EN" and strong == LEFT:
            kind = LEFT
        if each in ("ES", "CS") and _joins_numbers(classes, place):
            kind = LEFT if strong == LEFT and classes[place - 1] == "EN" else NUMBER
        kinds.append(kind)
    return kinds


def _classes(line: str) -> list[str]:
    """Bidirectional classes; marks take that of their letter (W1), numbers after Arabic AN (W2)."""
    classes: list[str] = []
    strong = ""
    for character in line:
        each = unicodedata.bidirectional(character)
        if each in ("NSM", "BN"):
            each = classes[-1] if classes else "ON"
        if each in ("L", "R", "AL"):
            strong = each
        classes.append("AN" if each == "EN" and strong == "AL" else each)
    return classes


def _joins_numbers(classes: list[str], place: int) -> bool:
    """One sign between two numbers: plus or minus between European ones, a comma between any."""
    if not 0 < place < len(classes) - 1 or classes[place - 1] != classes[place + 1]:
        return False
    return classes[place - 1] in (("EN",) if classes[place] == "ES" else ("EN", "AN"))


def _paired(line: str, kinds: list[str], base: str) -> list[str]:
    """Both brackets of a pair get one direction (N0).

    It is the base, if they hold something of it; else, if they hold something, what is before them.
    """
    strong = [RIGHT if kind == NUMBER else kind for kind in kinds]
    for opening, closing in _pairs(line):
        inside = set(strong[opening:closing]) - {NEUTRAL}
        if not inside:
            continue
        before = next((kind for kind in strong[opening::-1] if kind != NEUTRAL), base)
        kind = base if base in inside else before
        for place in (opening, closing):
            kinds[place] = strong[place] = kind
    return kinds


def _pairs(line: str) -> list[tuple[int, int]]:
    """Where brackets open and close, in the order in which they open (BD16)."""
    pairs, waiting = [], list[int]()
    for place, each in enumerate(line):
        if each in PAIRS:
            waiting.append(place)
        while each in PAIRS.values() and any(PAIRS[line[before]] == each for before in waiting):
            opening = waiting.pop()
            if PAIRS[line[opening]] == each:
                pairs.append((opening, place))
                break
    return sorted(pairs)


def _resolved(kinds: list[str], base: str) -> list[str]:
    """Neutrals between two of one direction take it, numbers counting as right; else the base."""
    resolved: list[str] = []
    before = base
    for kind, group in groupby(kinds):
        length = len(list(group))
        if kind != NEUTRAL:
            before = RIGHT if kind == NUMBER else kind
            resolved += [kind] * length
            continue
        rest = kinds[len(resolved) + length :]
        after = base if not rest else RIGHT if rest[0] == NUMBER else rest[0]
        resolved += [before if before == after else base] * length
    return resolved


FONTS = Path(__file__).parent / "fonts"
PLAIN, BOLD, HAN = "DejaVuSans", "DejaVuSans-Bold", "DroidSansFallback"
ELLIPSIS = "\u2026"
NO_GLYPH = "\ufffd"
LONGEST = 1000  # characters that are looked at, however long a text is
FEATURES = {"liga": False, "dlig": False}  # letters of Latin stay single, for who searches the page
ARABIC_DIGITS = frozenset(map(chr, (*range(0x660, 0x66A), *range(0x6F0, 0x6FA))))
_LETTERS = ("L", "R", "AL")
JOINERS = "\u200c\u200d"  # written Persian and Urdu need them


def plain_line(text: str) -> str:
    """One line: composed, without control characters and marks that turn the direction."""
    composed = unicodedata.normalize("NFC", text[:LONGEST])
    visible = (each if _is_visible(each) else " " for each in composed)
    return " ".join("".join(visible).split())


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    return character in JOINERS or (category[0] != "C" and category not in ("Zl", "Zp"))


def _scripts(text: str) -> list[str]:
    """Of each character R (Hebrew) or AL (Arabic), which are shaped apart; L of all else.

    What has no script goes with the letter before it, or the first one.
    """
    if text.isascii():
        return ["L"] * len(text)
    kinds = [unicodedata.bidirectional(character) for character in text]
    script = next((kind for kind in kinds if kind in _LETTERS), "L")
    return [script := kind if kind in _LETTERS else script for kind in kinds]


class Lettering:
    """The shipped fonts, fresh for one canvas, so that the same page is always the same bytes."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._fonts: dict[str, TTFont] = {}  # by name, as they are needed: HAN takes long to read
        self._opened(PLAIN)

    def width(self, line: str, size: float, bold: bool = False) -> float:
        """Points that a line takes."""
        return sum(width for _, _, width in self._pieces(line, size, bold))

    def draw(self, x: float, y: float, line: str, size: float, bold: bool = False) -> None:
        """Draw a line whose left end is `x`, on the base line `y`."""
        for font, text, width in self._pieces(line, size, bold):
            self._canvas.setFont(font, size)
            self._canvas.drawString(x, y, text)
            x += width

    def fitted(self, text: str, size: float, width: float, bold: bool = False) -> str:
        """The text as one line of at most `width` points, an ellipsis where it was cut."""
        line = plain_line(text)
        if len(line) == len(text[:LONGEST]) == LONGEST:
            line += ELLIPSIS
        if self.width(line, size, bold) <= width:
            return line
        low, high = 0, len(line)
        while low < high - 1:
            middle = (low + high) // 2
            if self.width(line[:middle].rstrip() + ELLIPSIS, size, bold) <= width:
                low = middle
            else:
                high = middle
        return line[:low].rstrip() + ELLIPSIS

    def wrapped(
        self, text: str, size: float, width: float, most: int, bold: bool = False
    ) -> list[str]:
        """The text as at most `most` lines; the last is cut with an ellipsis if need be."""
        words, lines = plain_line(text).split(" "), [""]
        fits = partial(self._fits, size=size, width=width, bold=bold)
        for number, word in enumerate(words):
            longer = f"{lines[-1]} {word}".strip()
            if fits(longer):
                lines[-1] = longer
            elif len(lines) == most:
                rest = " ".join([lines[-1], *words[number:]])
                return [*lines[:-1], self.fitted(rest, size, width, bold)]
            else:
                lines += [self.fitted(word, size, width, bold)]
        return [line for line in lines if line]

    def _fits(self, line: str, size: float, width: float, bold: bool) -> bool:
        return self.width(line, size, bold) <= width

    def _pieces(self, line: str, size: float, bold: bool) -> list[tuple[str, str, float]]:
        """Font, shaped text and width of each piece, from left to right."""
        pieces = []
        for part in parts_of(line):
            inside = []
            fonts = (self._font(each, bold) for each in part.text)
            runs = zip(fonts, _scripts(part.text), part.text, strict=True)
            for ((font, is_digits), _), group in groupby(runs, lambda run: run[:2]):
                text = "".join(character for _, _, character in group)
                if is_digits:  # their script is Arabic, so they are shaped from the right
                    text = text[::-1]
                inside.append(self._shaped(font or PLAIN, text if font else NO_GLYPH, size))
            pieces += inside[::-1] if part.right_to_left else inside
        return pieces

    def _font(self, character: str, bold: bool) -> tuple[str | None, bool]:
        """The first font with this character, or None, and whether it is an Arabic digit."""
        wanted = (BOLD, PLAIN, HAN) if bold else (PLAIN, HAN)
        code = ord(character)
        has_it = (name for name in wanted if code in self._opened(name).face.charToGlyph)
        return next(has_it, None), character in ARABIC_DIGITS

    def _opened(self, name: str) -> TTFont:
        if name not in self._fonts:
            self._fonts[name] = TTFont(name, FONTS / f"{name}.ttf")
            pdfmetrics.registerFont(self._fonts[name])
        return self._fonts[name]

    def _shaped(self, font: str, text: str, size: float) -> tuple[str, str, float]:
        plain = pdfmetrics.stringWidth(text, font, size)
        fragment = (ABag(fontName=font, fontSize=size), text)
        shaped: str = shapeFragWord([plain, fragment], features=FEATURES)[1][1]
        if not isinstance(shaped, ShapedStr):
            return font, shaped, float(pdfmetrics.stringWidth(shaped, font, size))
        return font, shaped, sum(glyph.x_advance for glyph in shaped.__shapeData__) * size / 1000
