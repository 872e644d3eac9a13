"""Drafts of masks that people draw in the browser: kept stroke by stroke, until sent or given up.

Not in the audit, which tells what was stated: a draft is not, and the mask that is sent is.
"""

from daemon.index.database import Database
from daemon.index.people.mask_drafts import MaskDraft, drafts_of, put_draft, remove_draft
from daemon.outputs.catalogue import text
from model.errors import GliowatchError

MOST_BYTES = 16_000_000  # packed; a mask of a head has some ten thousand
PACKED = b"\x1f\x8b"  # how a gzip file begins


class NoDraft(GliowatchError):
    """What came is no packed mask; the sentence says so."""


def check_packed(mask: bytes) -> None:
    """Raises NoDraft for what is no packed file, or too large for a mask."""
    if not mask.startswith(PACKED) or len(mask) > MOST_BYTES:
        raise NoDraft(text("drawing.no_mask"))


async def keep_draft(
    records: Database, scan_id: str, account_id: int, revision: int, mask: bytes
) -> None:
    """Keep what somebody has drawn so far. mask: a .nii.gz file, which nothing here opens.

    Raises NoDraft.
    """
    check_packed(mask)
    await put_draft(records, scan_id, account_id, revision, mask)


async def end_draft(records: Database, scan_id: str, account_id: int) -> None:
    """It was sent, or given up: nothing of it is left."""
    await remove_draft(records, scan_id, account_id)


async def others_drafts(records: Database, scan_id: str, account_id: int) -> list[MaskDraft]:
    """Who else draws on this scan's mask just now, first who began first."""
    return [each for each in await drafts_of(records, scan_id) if each.account_id != account_id]


async def own_draft(records: Database, scan_id: str, account_id: int) -> MaskDraft | None:
    """What this person has drawn and not sent, or None."""
    found = (each for each in await drafts_of(records, scan_id) if each.account_id == account_id)
    return next(found, None)
