"""How gliowatch is, as plain values: at work or not, how much is left to do, and on which disk."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from daemon.index.database import Database
from daemon.index.heartbeats import RECONCILE, seconds_since

MISSED_LOOKS = 3
GRACE_SECONDS = 60.0  # for a start, or for a scan that the next look waits for


@dataclass(frozen=True)
class Sign:
    """Whether the daemon is at work, and when it last showed itself: UTC, ISO 8601, or ''."""

    is_alive: bool
    at: str


async def last_sign_of_life(index: Database, reconcile_seconds: float) -> Sign:
    """The daemon's last look through the inbox; alive if it is not too long ago."""
    seconds = await seconds_since(index, RECONCILE)
    if seconds is None:
        return Sign(False, "")
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    longest = MISSED_LOOKS * reconcile_seconds + GRACE_SECONDS
    return Sign(seconds <= longest, at.isoformat(timespec="seconds"))
