"""One claimed drop with everything that is needed to take it through."""

from dataclasses import dataclass
from typing import Any

from daemon import work
from daemon.drops import QueuedDrop
from daemon.index.database import Database
from daemon.index.patients import patients_by_id
from daemon.names import UNASSIGNED
from daemon.settings import Settings
from daemon.slots import Slot
from daemon.turns import Turns
from model.reading.dicom.patient_tags import Identity


@dataclass(frozen=True)
class Job:
    """A drop that is this worker's, the databases, the slot for its work, and the settings.

    turns: by content and PatientID, so that of two patients' same scans, or of one patient's scans
    under two folders, the second knows of the first.
    """

    index: Database
    records: Database
    slot: Slot
    settings: Settings
    rules: work.JudgingRules
    queued: QueuedDrop
    turns: Turns

    async def in_worker(self, function: Any, *values: Any) -> Any:
        """Run a function of daemon.work in the slot's process, within what is allowed."""
        return await self.slot.run(self.settings.daemon.allowance, function, *values)

    async def entered(self) -> Identity | None:
        """What people entered about the drop's patient, if anything; `unassigned` is nobody."""
        patient_id = self.queued.drop.patient_id
        found = await patients_by_id(self.records, [patient_id])
        if patient_id == UNASSIGNED or patient_id not in found:
            return None
        known = found[patient_id]
        return Identity(patient_id, known.name, known.birth_date, known.gender)
