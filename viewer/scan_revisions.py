"""All revisions of a scan in words: when each came, and why it was made."""

from dataclasses import dataclass

from daemon.index.scans import ScanRow
from daemon.outputs.sentences import WHY_REVISED, moment_words, size_words

FIRST = "The first result."
NO_REASON = "This result replaces the one before."


@dataclass(frozen=True)
class RevisionLine:
    """One row of the table of revisions."""

    number: int
    published: str
    why: str
    size: str
    is_newest: bool


def revision_lines(revisions: list[ScanRow]) -> list[RevisionLine]:
    """Newest first, as given."""
    return [_line(scan, scan is revisions[0]) for scan in revisions]


def _line(scan: ScanRow, is_newest: bool) -> RevisionLine:
    size = size_words(scan.report) if scan.finding == "tumor" else ""
    published = moment_words(scan.published_at)
    return RevisionLine(scan.revision, published, _why(scan), size, is_newest)


def _why(scan: ScanRow) -> str:
    if scan.revision == 1:
        return FIRST
    notes = scan.report["quality"]
    why = [str(note["message"]) for note in notes if note["code"] in WHY_REVISED]
    return " ".join(why) or NO_REASON
