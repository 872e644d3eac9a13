"""Names in any script: in fonts that have them, in the order and the forms that are read."""

from io import BytesIO
from typing import cast

import pypdfium2
import pytest
from bidi import get_display
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from daemon.outputs.pdf_text import NO_GLYPH, Lettering, parts_of

NAMES = {
    "latin": "\u00c5ngstr\u00f6m-N\u00fa\u00f1ez, \u0110or\u0111e \u017di\u017eka \u1ec5",
    "greek": "\u03a0\u03b1\u03c0\u03b1\u03b4\u03cc\u03c0\u03bf\u03c5\u03bb\u03bf\u03c2",
    "cyrillic": "\u0429\u0435\u0440\u0431\u0430\u043a\u043e\u0432 \u0401\u0436\u0438\u043a \u0490",
    "arabic": "\u0645\u062d\u0645\u062f \u0639\u0628\u062f \u0627\u0644\u0644\u0647",
    "persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u067e\u06af\u0627\u0647",
    "hebrew": "\u05db\u05d4\u05df",
    "chinese": "\u738b\u5c0f\u660e \u6b50\u967d\u9f8d\u98db",
    "japanese": "\u5c71\u7530 \u592a\u90ce \u3084\u307e\u3060",
    "korean": "\uae40\ucca0\uc218",
}


def drawn(text: str, size: float = 20) -> tuple[list[str], list[float]]:
    """Characters of a line on a page, and where each begins, in the order of drawing."""
    kept = BytesIO()
    canvas = Canvas(kept, pagesize=(600, 60), invariant=1)
    Lettering(canvas).draw(10, 20, text, size)
    canvas.save()
    with pypdfium2.PdfDocument(kept.getvalue()) as document:
        page = document[0].get_textpage()
        places = range(page.count_chars())
        return (
            [cast(str, page.get_text_range(place, 1)) for place in places],
            [page.get_charbox(place)[0] for place in places],
        )


@pytest.mark.parametrize("script", NAMES)
@pytest.mark.parametrize("bold", [False, True])
def test_a_shipped_font_has_every_letter(script: str, bold: bool) -> None:
    lettering = Lettering(Canvas(BytesIO()))
    pieces = lettering._pieces(NAMES[script], 10, bold)
    assert not [text for _, text, _ in pieces if NO_GLYPH in text]
    assert sum(width for _, _, width in pieces) > 10


def test_what_no_font_has_is_told_by_a_sign() -> None:
    lettering = Lettering(Canvas(BytesIO()))
    pieces = lettering._pieces("A \u0e2a\u0e21", 10, False)
    assert "".join(text for _, text, _ in pieces) == f"A {NO_GLYPH}"


def test_arabic_letters_are_joined() -> None:
    lettering = Lettering(Canvas(BytesIO()))
    word = "\u0645\u062d\u0645\u062f"
    ((_, text, width),) = lettering._pieces(word, 10, False)
    assert len(text) == len(word)
    assert not set(text) & set(word)  # initial, medial and final forms, none standing alone
    assert width != sum(lettering.width(letter, 10) for letter in word)


def test_letters_stand_in_reading_order() -> None:
    _, places = drawn("abc")
    assert places == sorted(places)
    letters, places = drawn("\u05d0\u05d1\u05d2")
    order = [letters[number] for number in sorted(range(3), key=places.__getitem__)]
    assert order == ["\u05d2", "\u05d1", "\u05d0"]


@pytest.mark.parametrize("digits", ["12", "\u0661\u0662", "\u06f1\u06f2"])
def test_numbers_keep_their_order_in_arabic(digits: str) -> None:
    letters, places = drawn(f"\u0645 {digits}")
    first, second = (places[letters.index(digit)] for digit in digits)
    assert first < second < places[letters.index("\u0645")]


def test_cutting_keeps_within_the_width() -> None:
    lettering = Lettering(Canvas(BytesIO()))
    for name in NAMES.values():
        for width in (30.0, 61.5, 200.0):
            cut = lettering.fitted(name * 9, 12, width)
            assert lettering.width(cut, 12) <= width
            lines = lettering.wrapped(name * 9, 12, width, 3)
            assert len(lines) <= 3
            assert all(lettering.width(line, 12) <= width for line in lines)


@how(max_examples=600, deadline=None)
@given(st.text("ab\u05d0\u05d1\u4e2d\u0645\u062d\u062f12\u0663 .,-()[]", min_size=1, max_size=14))
def test_the_order_is_that_of_another_program(line: str) -> None:
    line = " ".join(line.split())
    ours = "".join(part.text[::-1] if part.right_to_left else part.text for part in parts_of(line))
    unturned = str.maketrans("([", ")]")  # the other program leaves turning them to the font
    assert ours.translate(unturned) == get_display(line).translate(unturned)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("\u05db\u05d4\u05df (David)", ["(", "David", "\u05db\u05d4\u05df ("]),
        ("\u05db\u05d4\u05df (David) 12", ["12", " (", "David", "\u05db\u05d4\u05df ("]),
        ("David [\u05db\u05d4\u05df]", ["David [", "\u05db\u05d4\u05df", "]"]),
        ("\u05db (\u05d4) \u05df", ["\u05db (\u05d4) \u05df"]),
        ("\u05db (a", ["a", "\u05db ("]),
    ],
)
def test_brackets_turn_with_the_direction(line: str, parts: list[str]) -> None:
    """A part with letters is turned by the font; one without shows its brackets as drawn."""
    found = parts_of(line)
    assert [part.text for part in found] == parts
    assert [part.right_to_left for part in found] == [
        "\u05db" <= part[0] < "\u05eb" for part in parts
    ]


def test_brackets_hold_what_they_hold_on_the_page() -> None:
    letters, places = drawn("\u05db\u05d4\u05df (David) 12")
    order = "".join(letters[number] for number in sorted(range(14), key=places.__getitem__))
    assert order.replace(" ", "") == "12(David)\u05df\u05d4\u05db"


@pytest.mark.parametrize("between", ["", " ", " ("])
def test_arabic_is_joined_beside_hebrew(between: str) -> None:
    arabic, hebrew = "\u0645\u062d\u0645\u062f", "\u05db\u05d4\u05df"
    lettering = Lettering(Canvas(BytesIO()))
    ((_, alone, _),) = lettering._pieces(arabic, 10, False)
    after = lettering._pieces(f"{hebrew}{between}{arabic}", 10, False)
    before = lettering._pieces(f"{arabic}{between}{hebrew}", 10, False)
    assert after[0][1] == alone
    assert before[1][1].endswith(alone)
    width = lettering.width(arabic, 10) + lettering.width(hebrew, 10)
    if not between:
        assert lettering.width(f"{hebrew}{arabic}", 10) == pytest.approx(width)
