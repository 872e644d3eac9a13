"""When new scans may begin: quiet hours, and room on the outbox's disk."""

import shutil
from datetime import time
from pathlib import Path


def is_quiet(hours: str, moment: time) -> bool:
    """Whether a local time lies in hours such as `22:00-06:00`, which may pass midnight."""
    if not hours:
        return False
    begin, end = (time.fromisoformat(part) for part in hours.split("-"))
    if begin <= end:
        return begin <= moment < end
    return moment >= begin or moment < end


def has_room(outbox: Path, reserve_bytes: float) -> bool:
    """Whether the outbox's disk has at least the reserve free; OSError if it is away."""
    return shutil.disk_usage(outbox).free >= reserve_bytes
