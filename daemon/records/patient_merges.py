"""Two records of one patient: the rules by which they are merged, and that is taken back."""

from daemon.drops import UNASSIGNED, shown_id
from daemon.index.database import Database
from daemon.index.people.patient_merges import (
    Merge,
    add_merge,
    merges_of,
    mirror_merges,
    undo_merge,
)
from daemon.index.people.patients import Patient
from daemon.outputs.catalogue import text
from model.errors import GliowatchError

LONGEST_REASON = 500  # characters


class CannotMerge(GliowatchError):
    """These two cannot be merged, or one is to be deleted while they are; the sentence says why."""


async def check_merge(records: Database, patient: Patient, into: Patient, reason: str) -> None:
    """Raise CannotMerge if one of the rules is against it."""
    if patient.patient_id == into.patient_id:
        raise CannotMerge(text("merge.same"))
    if UNASSIGNED in (patient.patient_id, into.patient_id):
        raise CannotMerge(text("merge.nobody"))
    if patient.deleted_at or into.deleted_at:
        raise CannotMerge(text("merge.deleted"))
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise CannotMerge(text("merge.no_reason", most=LONGEST_REASON))
    if await standing_merges(records, patient.patient_id):
        raise CannotMerge(text("merge.is_merged", patient=shown_id(patient.patient_id)))
    others = await standing_merges(records, into.patient_id)
    if any(each.patient_id == into.patient_id for each in others):
        raise CannotMerge(text("merge.is_merged", patient=shown_id(into.patient_id)))


async def merge(
    index: Database, records: Database, patient: Patient, into: Patient, reason: str, who: str
) -> Merge:
    """From now on the scans of the one are shown with the other. Raises CannotMerge."""
    await check_merge(records, patient, into, reason)
    done = await add_merge(
        records,
        patient.patient_id,
        into_id=into.patient_id,
        reason=" ".join(reason.split()),
        who=who,
    )
    if done is None:
        raise CannotMerge(text("merge.changed"))
    await mirror_merges(index, records)
    return done


async def unmerge(index: Database, records: Database, number: int, who: str) -> Merge | None:
    """It was a mistake: each has its own scans again; None if it was taken back already."""
    undone = await undo_merge(records, number, who)
    await mirror_merges(index, records)
    return undone


async def standing_merges(records: Database, patient_id: str) -> list[Merge]:
    """Those that are not taken back, in which this patient is."""
    return [each for each in await merges_of(records, patient_id) if not each.undone_at]
