"""Masks that people corrected, in the records: who sent which bytes, and what became of them."""

import secrets
import sqlite3
from dataclasses import dataclass, fields

from daemon.drops import DropKind, State, correction_unit
from daemon.index.database import Database, now
from daemon.index.people.audit import changing
from daemon.index.scans import ScanRow, scan_of_row
from daemon.report import Report

IN_FRONT = 2**63 - 1  # later than any file can have arrived; of equal ones the oldest drop is first


@dataclass(frozen=True)
class Correction:
    """One corrected mask. file: its name in the scan's folder of corrections; at: UTC, ISO 8601.

    seen_revision: whose mask the person saw; says_empty: the person says that there is no tumor;
    refused: why it could not be taken. Once it is measured: its revision, and how it agrees with
    the network's mask of `model_revision` (volumes in ml, None without a scale).
    """

    correction_key: str
    scan_id: str
    seen_revision: int
    file: str
    sha256: str
    says_empty: bool
    comment: str
    corrected_by: str
    at: str
    refused: str | None = None
    revision: int | None = None
    model_revision: int | None = None
    weights_sha256: str | None = None
    dice: float | None = None
    model_ml: float | None = None
    corrected_ml: float | None = None


NAMES = tuple(field.name for field in fields(Correction))


def new_correction(
    scan_id: str, seen_revision: int, file: str, says_empty: bool, comment: str, by: str
) -> Correction:
    """A correction of now. file: named by the SHA-256 of its bytes, with an ending."""
    key, digest = secrets.token_hex(10), file.partition(".")[0]
    return Correction(
        correction_key=key,
        scan_id=scan_id,
        seen_revision=seen_revision,
        file=file,
        sha256=digest,
        says_empty=says_empty,
        comment=comment,
        corrected_by=by,
        at=now(),
    )


async def add_correction(records: Database, correction: Correction) -> None:
    """Put a corrected mask, whose bytes are kept already, on record."""
    places = ", ".join("?" * len(NAMES))
    async with changing(records):
        await records.change(
            f"INSERT INTO corrections ({', '.join(NAMES)}) VALUES ({places})",
            [getattr(correction, name) for name in NAMES],
        )


async def find_correction(records: Database, key: str) -> Correction | None:
    """A correction by its key, or None."""
    row = await records.row("SELECT * FROM corrections WHERE correction_key = ?", (key,))
    return _correction(row) if row else None


async def corrections_of(records: Database, scan_id: str) -> list[Correction]:
    """All corrected masks of a scan, latest first."""
    rows = await records.rows(
        "SELECT * FROM corrections WHERE scan_id = ? ORDER BY at DESC, correction_key", (scan_id,)
    )
    return [_correction(row) for row in rows]


async def all_corrections(records: Database) -> list[Correction]:
    """Every corrected mask that is on record."""
    rows = await records.rows("SELECT * FROM corrections ORDER BY at, correction_key")
    return [_correction(row) for row in rows]


async def open_corrections(records: Database) -> list[Correction]:
    """Those of which the records do not say yet what became of them, oldest first."""
    rows = await records.rows(
        "SELECT * FROM corrections WHERE revision IS NULL AND refused IS NULL"
        " ORDER BY at, correction_key"
    )
    return [_correction(row) for row in rows]


async def note_refused(records: Database, key: str, reason: str) -> None:
    """It could not be taken, and `reason` says why in one sentence."""
    async with records.transaction():
        await records.change(
            "UPDATE corrections SET refused = ? WHERE correction_key = ? AND revision IS NULL",
            (reason, key),
        )


async def note_made(records: Database, report: Report) -> None:
    """It became the revision that this report is of."""
    mask = report.mask
    assert mask is not None, "the report of a corrected mask says so"
    async with records.transaction():
        await records.change(
            "UPDATE corrections SET refused = NULL, revision = ?, model_revision = ?,"
            " weights_sha256 = ?, dice = ?, model_ml = ?, corrected_ml = ?"
            " WHERE correction_key = ?",
            (
                report.revision,
                mask.agreement.revision,
                report.model.weights_sha256,
                mask.agreement.dice,
                mask.agreement.model_volume_ml,
                report.volume_ml,
                mask.correction,
            ),
        )


async def queue_correction(index: Database, correction: Correction, patient_id: str) -> None:
    """Queue a corrected mask to be measured, before all that is not urgent, since somebody waits.

    Those of one scan go in the order in which they came. Never twice, however it ended.
    """
    unit = correction_unit(correction.scan_id, correction.correction_key)
    async with index.transaction():
        await index.change(
            "INSERT INTO drops"
            " (unit, patient_id, kind, state, rested, seen_at, scan_id, arrived_ns)"
            f" SELECT ?1, ?2, ?3, 'waiting', 1, ?4, ?5, {IN_FRONT}"
            " WHERE NOT EXISTS (SELECT 1 FROM drops WHERE unit = ?1)",
            (unit, patient_id, DropKind.CORRECT, now(), correction.scan_id),
        )


async def queued_state(index: Database, correction: Correction) -> tuple[State, str | None] | None:
    """State and reason of its drop; None where the index knows of none."""
    unit = correction_unit(correction.scan_id, correction.correction_key)
    row = await index.row(
        "SELECT state, reason FROM drops WHERE unit = ? ORDER BY drop_id DESC LIMIT 1", (unit,)
    )
    return (State(row["state"]), row["reason"]) if row else None


async def revision_made_of(index: Database, scan_id: str, key: str) -> ScanRow | None:
    """The published revision that a correction became first; later ones only compare it anew."""
    row = await index.row(
        "SELECT * FROM scans WHERE scan_id = ? AND json_extract(report, '$.mask.correction') = ?"
        " ORDER BY revision LIMIT 1",
        (scan_id, key),
    )
    return scan_of_row(row) if row else None


def _correction(row: sqlite3.Row) -> Correction:
    values = {name: row[name] for name in NAMES}
    return Correction(**values | {"says_empty": bool(row["says_empty"])})
