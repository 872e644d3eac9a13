"""What several pages ask the databases: patients by id, and the one that an address names."""

from collections.abc import Iterable

from aiohttp import web

from daemon.index.patients import Patient, ensure_patients, find_patient, patients_by_id
from daemon.index.scans import ScanRow, find_scan
from viewer.keys import INDEX, RECORDS


async def known_patients(request: web.Request, patient_ids: Iterable[str]) -> dict[str, Patient]:
    """The records of these patients; one who came by a drop alone gets an empty record."""
    records, wanted = request.app[RECORDS], set(patient_ids)
    found = await patients_by_id(records, wanted)
    if wanted <= found.keys():
        return found
    await ensure_patients(records, wanted - found.keys())
    return await patients_by_id(records, wanted)


async def asked_patient(request: web.Request) -> Patient:
    """The patient of the address, or HTTPNotFound."""
    patient = await find_patient(request.app[RECORDS], request.match_info["patient_key"])
    if patient is None:
        raise web.HTTPNotFound(text="There is no such patient.")
    return patient


async def asked_scan(request: web.Request) -> ScanRow:
    """The newest revision of the scan of the address, or HTTPNotFound."""
    scan = await find_scan(request.app[INDEX], request.match_info["scan_id"])
    if scan is None:
        raise web.HTTPNotFound(text="There is no such scan.")
    return scan
