"""One claimed drop with everything that is needed to take it through."""

from dataclasses import dataclass
from typing import Any

from daemon import work
from daemon.drops import QueuedDrop
from daemon.index.database import Database
from daemon.settings import Settings
from daemon.slots import Slot


@dataclass(frozen=True)
class Job:
    """A drop that is this worker's, the databases, the slot for its work, and the settings."""

    index: Database
    records: Database
    slot: Slot
    settings: Settings
    rules: work.JudgingRules
    queued: QueuedDrop

    async def in_worker(self, function: Any, *values: Any) -> Any:
        """Run a function of daemon.work in the slot's process, within what is allowed."""
        return await self.slot.run(self.settings.daemon.allowance, function, *values)
