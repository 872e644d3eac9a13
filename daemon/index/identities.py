"""Which PatientIDs came under which patient's folder, to tell when that cannot be right."""

from collections.abc import Iterable

from daemon.index.database import Database
from daemon.names import UNASSIGNED


async def add_identities(index: Database, patient_id: str, dicom_ids: Iterable[str]) -> None:
    """Note PatientIDs of a published scan; called inside the transaction that ends its drop."""
    await index.change_many(
        "INSERT OR IGNORE INTO identities (dicom_id, patient_id) VALUES (?, ?)",
        [(dicom_id, patient_id) for dicom_id in dicom_ids],
    )


async def patients_named(index: Database, dicom_ids: Iterable[str]) -> set[str]:
    """The patients under whose folders any of these PatientIDs came."""
    found: set[str] = set()
    for dicom_id in dicom_ids:
        rows = await index.rows("SELECT patient_id FROM identities WHERE dicom_id = ?", (dicom_id,))
        found |= {str(row["patient_id"]) for row in rows}
    return found


async def is_in_conflict(index: Database, patient_id: str, dicom_ids: Iterable[str] = ()) -> bool:
    """Two PatientIDs under this folder, or one of its PatientIDs under another folder as well.

    dicom_ids: those of a scan that is about to be filed under it. `unassigned` is nobody's folder.
    """
    if patient_id == UNASSIGNED:
        return False
    rows = await index.rows("SELECT dicom_id FROM identities WHERE patient_id = ?", (patient_id,))
    under_it = {str(row["dicom_id"]) for row in rows} | set(dicom_ids)
    if len(under_it) > 1:
        return True
    for dicom_id in under_it:
        elsewhere = await index.row(
            "SELECT 1 FROM identities WHERE dicom_id = ? AND patient_id NOT IN (?, ?)",
            (dicom_id, patient_id, UNASSIGNED),
        )
        if elsewhere:
            return True
    return False
