"""Published scans and their revisions: what was found, for history, scan page and export."""

import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from daemon.drops import readable
from daemon.index.database import Database
from daemon.index.result_files import insert_files
from daemon.index.statistics import count_scan
from daemon.report import Report, read_report
from daemon.scan_history import date_of


@dataclass(frozen=True)
class ScanRow:
    """One published revision. folder: below the outbox, as bytes; report_json: gliowatch/report/1.

    acquired_at: as the scanner wrote it, else as a person entered it. scanner: its name, or ''.
    """

    scan_id: str
    revision: int
    patient_id: str
    folder: bytes
    content_sha256: str
    finding: str
    volume_ml: float | None
    acquired_at: str | None
    published_at: str
    report_json: str
    study_uid: str | None = None
    accession: str = ""
    study_date: str = ""
    removed_at: str | None = None  # when retention took its files away
    scanner: str = ""
    files: str = ""  # their hashes, to be kept with it; '' where they are not told

    @cached_property
    def report(self) -> Report:
        """The report, read when it is first asked for."""
        return read_report(self.report_json)


def row_of_report(report: Report, folder: bytes, published_at: str, files: str = "") -> ScanRow:
    """A report as the index keeps it, under the name of the patient's folder.

    files: the hashes of what lies beside it.
    """
    study = report.input.study
    return ScanRow(
        scan_id=report.scan_id,
        revision=report.revision,
        patient_id=readable(os.path.dirname(folder)),
        folder=folder,
        content_sha256=report.input.sha256,
        finding=report.finding,
        volume_ml=report.volume_ml,
        acquired_at=date_of(report),
        published_at=published_at,
        report_json=report.as_column(),
        study_uid=study.uid if study else None,
        accession=study.accession if study else "",
        study_date=study.date if study else "",
        scanner=study.scanner_name if study else "",
        files=files,
    )


async def add_scan(index: Database, scan: ScanRow) -> None:
    """Enter a published revision; called inside the transaction that ends its drop."""
    known = await index.row(
        "SELECT 1 FROM scans WHERE scan_id = ? AND revision = ?", (scan.scan_id, scan.revision)
    )
    is_analyzed = (scan.report.judged_revision or scan.revision) == scan.revision
    if known is None and is_analyzed:  # not one that was only compared anew
        await count_scan(index, scan.finding, scan.report.seconds.by_step())
    if scan.removed_at is None:  # what was removed and comes again begins anew
        await index.change(
            "DELETE FROM scans WHERE scan_id = ? AND removed_at IS NOT NULL", (scan.scan_id,)
        )
    await insert_scans(index, [scan])


async def insert_scans(index: Database, scans: Sequence[ScanRow]) -> None:
    """The rows alone, without what else follows from a new scan; inside a transaction."""
    await index.change_many(
        "INSERT OR REPLACE INTO scans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                scan.scan_id,
                scan.revision,
                scan.patient_id,
                scan.folder,
                scan.content_sha256,
                scan.finding,
                scan.volume_ml,
                scan.acquired_at,
                scan.published_at,
                scan.report_json,
                scan.study_uid,
                scan.accession,
                scan.study_date,
                scan.removed_at,
                scan.scanner,
            )
            for scan in scans
        ],
    )
    await insert_files(index, [(scan.folder, scan.files) for scan in scans if scan.files])


async def find_scan(index: Database, scan_id: str) -> ScanRow | None:
    """The newest revision of a scan, or None."""
    row = await index.row(
        "SELECT * FROM scans WHERE scan_id = ? ORDER BY revision DESC LIMIT 1", (scan_id,)
    )
    return scan_of_row(row) if row else None


async def patients_of_scans(index: Database, scan_ids: Iterable[str]) -> dict[str, str]:
    """The patient_id of each of these scans that there is."""
    rows = await index.rows(
        "SELECT DISTINCT scan_id, patient_id FROM scans WHERE scan_id IN"
        " (SELECT value FROM json_each(?))",
        (json.dumps(list(scan_ids)),),
    )
    return {row["scan_id"]: row["patient_id"] for row in rows}


async def ids_of_scans(index: Database, patient_ids: Iterable[str]) -> list[str]:
    """Every scan of these patients."""
    rows = await index.rows(
        "SELECT DISTINCT scan_id FROM scans WHERE patient_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(patient_ids)),),
    )
    return [row["scan_id"] for row in rows]


async def scan_of_study(index: Database, patient_id: str, study_uid: str) -> ScanRow | None:
    """The newest revision of the scan that a DICOM study became last, or None."""
    row = await index.row(
        "SELECT * FROM scans WHERE patient_id = ? AND study_uid = ?"
        " ORDER BY (SELECT max(published_at) FROM scans other WHERE other.scan_id = scans.scan_id)"
        " DESC, revision DESC LIMIT 1",
        (patient_id, study_uid),
    )
    return scan_of_row(row) if row else None


@dataclass(frozen=True)
class ScanOfStudy:
    """A scan of a DICOM study. day: of the study, else of the acquisition, YYYYMMDD, or ''."""

    scan_id: str
    patient_id: str
    study_uid: str
    day: str


async def studies_since(index: Database, moment: str, most: int = 1000) -> list[ScanOfStudy]:
    """Scans of DICOM studies that were first published then or after, the newest first."""
    rows = await index.rows(
        "SELECT scan_id, patient_id, study_uid, replace(coalesce(nullif(study_date, ''),"
        " substr(acquired_at, 1, 10), ''), '-', '') AS day FROM scans WHERE study_uid IS NOT NULL"
        " AND removed_at IS NULL AND published_at >= ? AND revision = 1"
        " ORDER BY published_at DESC, scan_id LIMIT ?",
        (moment, most),
    )
    return [ScanOfStudy(*row) for row in rows]


async def scans_of_patient(index: Database, patient_id: str) -> list[ScanRow]:
    """A patient's scans, newest revisions only, latest acquisition first; undated ones last."""
    return (await scans_of_patients(index, [patient_id])).get(patient_id, [])


async def scans_of_patients(
    index: Database, patient_ids: Iterable[str], limit: int = 500
) -> dict[str, list[ScanRow]]:
    """The same of several; of each so many at most. Who has none is left out."""
    rows = await index.rows(
        "SELECT s.* FROM json_each(?) asked CROSS JOIN standing_scans s"
        " ON s.patient_id = asked.value WHERE s.revision ="
        " (SELECT max(revision) FROM scans WHERE scan_id = s.scan_id)"
        " ORDER BY s.patient_id, s.acquired_at DESC NULLS LAST, s.published_at DESC",
        (json.dumps(list(patient_ids)),),
    )
    found: dict[str, list[ScanRow]] = {}
    for row in rows:
        own = found.setdefault(row["patient_id"], [])
        if len(own) < limit:
            own.append(scan_of_row(row))
    return found


async def dated_before(index: Database, scan: ScanRow) -> str | None:
    """The id of the patient's latest dated scan before this one; None if it has no date either."""
    row = await index.row(
        "SELECT s.scan_id FROM standing_scans s WHERE s.patient_id = ? AND s.scan_id != ?"
        " AND s.acquired_at < ? AND s.revision ="
        " (SELECT max(revision) FROM scans WHERE scan_id = s.scan_id)"
        " ORDER BY s.acquired_at DESC, s.published_at DESC LIMIT 1",
        (scan.patient_id, scan.scan_id, scan.acquired_at),
    )
    return str(row["scan_id"]) if row else None


async def patients_with_content(index: Database, content_sha256: str) -> set[str]:
    """The patients under whom a scan of this content is filed; not what was given away, or back."""
    rows = await index.rows(
        "SELECT DISTINCT patient_id FROM standing_scans s WHERE content_sha256 = ? AND NOT EXISTS"
        " (SELECT 1 FROM given_scans g WHERE g.scan_id = s.scan_id AND g.is_given)",
        (content_sha256,),
    )
    return {str(row["patient_id"]) for row in rows}


async def patient_ids(index: Database) -> set[str]:
    """Every patient under whom a drop or a scan is filed."""
    rows = await index.rows("SELECT patient_id FROM drops UNION SELECT patient_id FROM scans")
    return {str(row["patient_id"]) for row in rows}


def scan_of_row(row: sqlite3.Row) -> ScanRow:
    """A row of scans with all its columns."""
    return ScanRow(
        scan_id=row["scan_id"],
        revision=row["revision"],
        patient_id=row["patient_id"],
        folder=row["folder"],
        content_sha256=row["content_sha256"],
        finding=row["finding"],
        volume_ml=row["volume_ml"],
        acquired_at=row["acquired_at"],
        published_at=row["published_at"],
        report_json=row["report"],
        study_uid=row["study_uid"],
        accession=row["accession"],
        study_date=row["study_date"],
        removed_at=row["removed_at"],
        scanner=row["scanner"],
    )


async def revisions_of(index: Database, scan_id: str) -> list[ScanRow]:
    """Every revision of a scan, newest first; none if there is no such scan."""
    rows = await index.rows(
        "SELECT * FROM scans WHERE scan_id = ? ORDER BY revision DESC", (scan_id,)
    )
    return [scan_of_row(row) for row in rows]


async def revisions_since(index: Database, moment: str, most: int) -> list[ScanRow]:
    """Later revisions, the first ones left out, that were published then or after, oldest first;
    `most` of them at once."""
    rows = await index.rows(
        "SELECT * FROM scans WHERE removed_at IS NULL AND published_at >= ? AND revision > 1"
        " ORDER BY published_at, scan_id, revision LIMIT ?",
        (moment, most),
    )
    return [scan_of_row(row) for row in rows]


async def newest_by_network(index: Database, most: int) -> list[ScanRow]:
    """The scans that were published last, newest first, each as a network marked it last: not as a
    person corrected it."""
    rows = await index.rows(
        "SELECT scan_id FROM shown_scans s WHERE revision ="
        " (SELECT max(revision) FROM scans o WHERE o.scan_id = s.scan_id)"
        " ORDER BY published_at DESC, scan_id LIMIT ?",
        (most,),
    )
    found = []
    for row in rows:
        revisions = await revisions_of(index, row["scan_id"])
        found += [scan for scan in revisions if scan.report.mask is None][:1]
    return found


async def shown_among(index: Database, scan_ids: list[str]) -> list[ScanRow]:
    """Those of these scans that pages show, in their newest revisions and in this order."""
    rows = await index.rows(
        "SELECT s.* FROM json_each(?) asked CROSS JOIN shown_scans s ON s.scan_id = asked.value"
        " WHERE s.revision = (SELECT max(revision) FROM scans o WHERE o.scan_id = s.scan_id)"
        " ORDER BY asked.key",
        (json.dumps(scan_ids),),
    )
    return [scan_of_row(row) for row in rows]


async def every_scan(
    index: Database, patient_name: Callable[[str], str] = str
) -> AsyncIterator[ScanRow]:
    """Every scan by patient and date; what is published meanwhile may be left out.

    patient_name: what patients are ordered by, so that their order does not tell who they are.
    """
    rows = await index.rows(
        "SELECT DISTINCT scan_id, patient_id, acquired_at FROM shown_scans s WHERE revision ="
        " (SELECT max(revision) FROM scans o WHERE o.scan_id = s.scan_id)"
        " ORDER BY acquired_at, scan_id"
    )
    for row in sorted(rows, key=lambda row: patient_name(row["patient_id"])):
        scan = await find_scan(index, row["scan_id"])
        if scan is not None:
            yield scan
