"""What several pages ask the databases: patients by id, and the one that an address names."""

from collections.abc import Iterable

from aiohttp import web

from daemon.index.patients import Patient, ensure_patients, find_patient, patients_by_id
from daemon.index.revisions import revisions_of
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


async def asked_revisions(request: web.Request) -> tuple[ScanRow, list[ScanRow]]:
    """The revision that `?revision=` names, else the newest, and all of them, newest first."""
    all_of_them = await revisions_of(request.app[INDEX], request.match_info["scan_id"])
    if not all_of_them:
        raise web.HTTPNotFound(text="There is no such scan.")
    asked = request.query.get("revision")
    if asked is None:
        return all_of_them[0], all_of_them
    found = [scan for scan in all_of_them if str(scan.revision) == asked]
    if not found:
        raise web.HTTPNotFound(text="This scan has no such revision.")
    return found[0], all_of_them


async def asked_revision(request: web.Request) -> ScanRow:
    """The revision of the scan that the address names, else the newest, or HTTPNotFound."""
    return (await asked_revisions(request))[0]
