"""In which order the parts of a line are drawn from left to right, whatever scripts it mixes.

The Unicode Bidirectional Algorithm (UAX #9) for one line of plain text: rules P2, P3, W1, W2,
W4, W7, N1, N2, I1, I2, L2, and L4 where a part holds no letter. Left out: explicit embeddings,
which names have no use for and our text drops, number signs (W5) and bracket pairs (N0).
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

LEFT, RIGHT, NUMBER, NEUTRAL = "L", "R", "N", "?"
_KINDS = {"L": LEFT, "R": RIGHT, "AL": RIGHT, "EN": NUMBER, "AN": NUMBER}
_BRACKETS = str.maketrans("()[]{}<>«»", ")(][}{><»«")


@dataclass(frozen=True)
class Part:
    """Characters in the order in which they are read, all in one direction."""

    text: str
    right_to_left: bool


def parts_of(line: str) -> list[Part]:
    """The parts of a line as they stand from left to right."""
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
        return Part(text[::-1].translate(_BRACKETS), False)
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
    kinds = _resolved(_numbers(line, base), base)
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
