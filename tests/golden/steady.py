"""Outputs as text in which nothing is left that differs from one run to the next."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

DAY = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d|%2B\d\d:\d\d)?"
)
REPLACED = (
    (r'("(?:read|segment|write|compare)": ?)[0-9.]+', r"\1SECONDS"),
    (r'("share_free": ?)[0-9.]+', r"\1ROOM"),
    (r'("seconds": )[0-9.]+', r"\1SECONDS"),
    (r"\b(read|segment|write|compare) [0-9]+\.[0-9]", r"\1 SECONDS"),
    (r"<td>[0-9]+ s</td>", "<td>SECONDS</td>"),
    (r"\b[0-9.]+ [MGT]B free \([0-9]+ %\)", "ROOM free"),
    (r"\b[0-9]+ % free", "ROOM free"),
    (r"(127\.0\.0\.1:)[0-9]+", r"\1PORT"),
    (r"(<dt>port</dt><dd>)[0-9]+", r"\1PORT"),
    (r"\b(Last night|Since this evening)\b", "THE NIGHT"),
    (r"\b[0-9]+ years\b", "AGE years"),
    (r'(<td class="moment">\d{4}-\d\d-\d\d</td>\s*<td>)[0-9]{1,3}(?=</td>)', r"\1AGE"),
)
MOMENTS = {
    *("InstanceCreationDate", "InstanceCreationTime", "ContentDate", "ContentTime"),
    *("DateOfSecondaryCapture", "TimeOfSecondaryCapture", "ContributionDateTime"),
}
RANDOM_UID = re.compile(r"1\.2\.826\.0\.1\.3680043\.(?:10\.511\.3|8\.498)\.\d{20,}")
LONG = 100  # bytes; a longer value is written as its digest


def digest(content: str | bytes) -> str:
    """SHA-256 of text or bytes, in hexadecimal digits."""
    return sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def steady_text(text: str, swaps: dict[str, str]) -> str:
    """The text without times, durations, free space and ports. swaps: what else to replace."""
    for old, new in swaps.items():
        text = text.replace(old, new)
    for pattern, new in REPLACED:
        text = re.sub(pattern, new, text)
    first = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    return DAY.sub(lambda found: "MOMENT" if found[1] >= first else found[0], text)


def steady_dicom(path: str) -> str:
    """Every element of a DICOM file, one a line; its moments and random UIDs are numbered."""
    content = pydicom.dcmread(path)
    text = "\n".join((*_lines(content.file_meta), *_lines(content)))
    seen: dict[str, str] = {}
    return RANDOM_UID.sub(lambda found: seen.setdefault(found[0], f"UID-{len(seen) + 1}"), text)


def _lines(content: Dataset, indent: str = "") -> Iterator[str]:
    for element in content:
        start = f"{indent}{element.tag} {element.VR}"
        if element.VR == "SQ":
            yield f"{start} {len(element.value)}"
            for item in element.value:
                yield from _lines(item, indent + "  ")
        elif element.keyword in MOMENTS:
            yield f"{start} MOMENT"
        else:
            yield f"{start} {_value(element.value)}"


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return repr(value) if len(value) <= LONG else f"{len(value)} bytes, {digest(value)}"
    return (
        repr([str(each) for each in value]) if isinstance(value, MultiValue) else repr(str(value))
    )
