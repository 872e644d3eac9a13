"""Which patients the index leaves out of lists: those whom a person deleted, as the records say."""

from daemon.index.database import Database
from daemon.index.histories import queue_stale


async def set_hidden(index: Database, patient_ids: set[str]) -> None:
    """Hide just these patients; those who are shown again are compared anew where needed."""
    async with index.transaction():
        rows = await index.rows("SELECT patient_id FROM hidden_patients")
        before = {str(row["patient_id"]) for row in rows}
        await index.change_many(
            "DELETE FROM hidden_patients WHERE patient_id = ?",
            [(patient_id,) for patient_id in before - patient_ids],
        )
        await index.change_many(
            "INSERT INTO hidden_patients VALUES (?)",
            [(patient_id,) for patient_id in patient_ids - before],
        )
        await queue_stale(index, before - patient_ids)
