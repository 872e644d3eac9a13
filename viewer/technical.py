"""The technical lines at the foot of a scan's page: which network, which grid, which bytes."""

from typing import Any

from daemon.outputs.sentences import HASH_CHARACTERS, NOT_KNOWN, network_words, spacing_words


def technical_lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a label and its words."""
    given, model = report["input"], report["model"]
    return [
        ("Scan", f"{report['scan_id']}, revision {report['revision']}"),
        ("Network", network_words(report)),
        ("Threshold", str(model["threshold"])),
        ("Description", given["description"] or NOT_KNOWN),
        ("Shape", _numbers(given["shape"], "{:d}")),
        ("Spacing", spacing_words(report)),
        ("Orientation", given["orientation"] or NOT_KNOWN),
        ("Input SHA-256", _short(given["sha256"])),
        ("Seconds", _seconds(report["seconds"])),
    ]


def _short(digest: str | None) -> str:
    return digest[:HASH_CHARACTERS] if digest else NOT_KNOWN


def _numbers(values: list[Any] | None, form: str) -> str:
    if not values or None in values:
        return NOT_KNOWN
    return " x ".join(form.format(value) for value in values)


def _seconds(seconds: dict[str, float]) -> str:
    return ", ".join(f"{part} {value:.1f}" for part, value in seconds.items())
