"""The size of a scan's pixels where the file does not tell it: a person enters it."""

from typing import Any

from daemon.history import spacing_in
from daemon.index.database import Database
from daemon.index.queue import judge_again
from daemon.index.scans import ScanRow, find_scan
from daemon.index.spacings import add_spacing, entered_spacing, entered_spacings
from model.errors import GliowatchError
from model.rules import LARGEST_GAP_MM, LARGEST_PIXEL_MM, SMALLEST_MM, Spacing


class WrongSpacing(GliowatchError):
    """The spacing cannot be taken; the sentence says why."""


def wants_spacing(report: dict[str, Any]) -> bool:
    """Whether the file itself does not say how large its pixels are."""
    if report["input"]["kind"] == "image" or report.get("spacing_entered"):
        return True
    return any(note["code"] == "units_unknown" for note in report["quality"])


def spacing_of(typed: tuple[str, str, str], is_picture: bool) -> Spacing | None:
    """What was typed (across, down, between) as numbers; None if nothing was. Raises WrongSpacing.

    A picture has no distance between slices, a volume needs one.
    """
    asked = [text.strip().replace(",", ".") for text in (typed[:2] if is_picture else typed)]
    if not any(asked):
        return None
    if not all(asked):
        raise WrongSpacing("Please give all distances of a scan's pixels, or none.")
    limits = (LARGEST_PIXEL_MM, LARGEST_PIXEL_MM, LARGEST_GAP_MM)
    numbers = [_number(text, most) for text, most in zip(asked, limits, strict=False)]
    return Spacing(*numbers)


async def enter_spacing(
    index: Database, records: Database, scan: ScanRow, spacing: Spacing | None, who: str
) -> None:
    """Note how large a published scan's pixels are (None = not known after all).

    It is judged anew. The records come first: what a crash leaves undone, `queue_spaced` finds.
    Raises WrongSpacing where the file has a scale of its own.
    """
    if not wants_spacing(scan.report):
        raise WrongSpacing("The file itself says how large the pixels of this scan are.")
    await add_spacing(records, scan.scan_id, spacing, who)
    await judge_again(index, scan.scan_id, scan.patient_id)


async def queue_spaced(index: Database, records: Database) -> None:
    """At start: every scan whose newest revision was judged with another spacing."""
    for entered in await entered_spacings(records):
        await queue_if_spaced(index, records, entered.scan_id)


async def queue_if_spaced(index: Database, records: Database, scan_id: str) -> None:
    """Queue a scan if another spacing was entered than it was judged with: perhaps meanwhile."""
    scan = await find_scan(index, scan_id)
    if scan and not scan.removed_at and await is_spaced_anew(records, scan):
        await judge_again(index, scan_id, scan.patient_id)


async def is_spaced_anew(records: Database, scan: ScanRow) -> bool:
    """Whether a person entered another spacing than a published scan was judged with."""
    entered = await entered_spacing(records, scan.scan_id)
    if entered is None or not wants_spacing(scan.report):
        return False
    return spacing_in(scan.report) != entered.spacing


def _number(text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        raise WrongSpacing("A distance between pixels is a number, in millimetres.") from None
    if not SMALLEST_MM <= number <= most:
        raise WrongSpacing(f"This distance must lie between {SMALLEST_MM} and {most:g} mm.")
    return number
