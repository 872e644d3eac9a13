"""What a rebuild finds on the disk, entered many at a time: results, and drops that have ended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.drops import DropKind, State
from daemon.index.database import Database
from daemon.index.inventory import HeldFile
from daemon.index.scans import ScanRow, insert_scans
from daemon.index.statistics import count_scan


@dataclass(frozen=True)
class EndedDrop:
    """A drop that has ended, told from where its files lie: in `source/`, or set aside.

    ended_at: as their times tell; when it was seen is lost, and was not long before.
    """

    unit: bytes
    patient_id: str
    kind: DropKind
    state: State
    scan_id: str | None
    reason: str | None
    ended_at: str
    files: tuple[HeldFile, ...]


@dataclass(frozen=True)
class FoundResult:
    """A published revision that lies in the outbox, and the drop that made it, where it tells."""

    scan: ScanRow
    seconds: Mapping[str, float] | None  # of each step; None: it was only compared anew
    dicom_ids: tuple[str, ...] = ()
    drop: EndedDrop | None = None


async def is_new(index: Database) -> bool:
    """Whether nothing was ever entered: neither a scan nor a drop."""
    found = await index.rows(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM scans) OR EXISTS (SELECT 1 FROM drops)"
    )
    return not found


async def put_triggers_aside(index: Database) -> None:
    """Thousands of results are entered first, and what follows from them is derived at once."""
    for row in await index.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        await index.change(f"DROP TRIGGER {row['name']}")
    async with index.transaction():  # an earlier try came far: what follows the results comes anew
        await index.change("DELETE FROM drops WHERE state != 'done'")


async def derive_lists(index: Database) -> None:
    """What the triggers would have kept of the scans and of the drops that are done."""
    async with index.transaction():
        for statement in _DERIVED:
            await index.change(statement)


async def put_triggers_back(index: Database, whole: Database) -> None:
    """Those of an index that has all of them."""
    for row in await whole.rows("SELECT sql FROM sqlite_master WHERE type = 'trigger'"):
        await index.change(row["sql"])


_FACTS = (
    "patient_id, finding, volume_ml, side, acquired_at, accession, growth, flags, is_doubtful,"
    " corrected_by, judged, revision"
)
_DERIVED = (
    "DELETE FROM worklist",
    "INSERT INTO worklist (drop_id, scan_id, arrived_at, stage, mark, brief, folder,"
    f" content_sha256, {_FACTS}) SELECT d.drop_id, f.scan_id, coalesce(d.seen_at, f.published_at),"
    " 'done', row_number() OVER (ORDER BY d.drop_id, f.scan_id), b.brief, b.folder,"
    f" b.content_sha256, {', '.join(f'f.{name.strip()}' for name in _FACTS.split(','))}"
    " FROM (SELECT scan_id, max(revision) AS revision FROM scans GROUP BY scan_id) newest"
    " JOIN scan_facts f USING (scan_id, revision) JOIN scan_briefs b USING (scan_id, revision)"
    " LEFT JOIN (SELECT scan_id, max(drop_id) AS drop_id FROM drops WHERE state = 'done'"
    " AND kind NOT IN ('again', 'compare', 'correct') GROUP BY scan_id) last USING (scan_id)"
    " LEFT JOIN drops d ON d.drop_id = last.drop_id ORDER BY d.drop_id, f.scan_id",
    "DELETE FROM worklist_flags",
    "INSERT INTO worklist_flags SELECT DISTINCT json_extract(q.value, '$.code'), w.scan_id,"
    " w.row_id, w.urgency, w.growth_order, w.arrived_at FROM worklist w"
    " CROSS JOIN json_each(w.brief, '$.quality') q WHERE q.type = 'object'",
    "UPDATE worklist_changes SET count = (SELECT count(*) FROM worklist)",
    "DELETE FROM patient_scans",
    "INSERT INTO patient_scans SELECT * FROM counted_scans",
    "DELETE FROM scan_figures",
    "INSERT INTO scan_figures SELECT scan_id, month, scanner, finding, is_flagged, confidence,"
    " iif(dice IS NULL, '', 'corrected'), dice FROM first_figures",
    "DELETE FROM month_figures",
    "INSERT INTO month_figures SELECT * FROM counted_figures",
)


async def enter_results(index: Database, found: Sequence[FoundResult]) -> None:
    """Results that the index does not know yet, in one transaction."""
    async with index.transaction():
        await insert_scans(index, [each.scan for each in found])
        await index.change_many(
            "INSERT OR IGNORE INTO identities (dicom_id, patient_id) VALUES (?, ?)",
            [(dicom_id, each.scan.patient_id) for each in found for dicom_id in each.dicom_ids],
        )
        await _count(index, found)
        await _insert(index, [each.drop for each in found if each.drop])


async def enter_ended(index: Database, drops: Sequence[EndedDrop]) -> None:
    """Drops that must have been, since their files lie where ended drops' files lie."""
    async with index.transaction():
        await _insert(index, drops)


async def scan_with_file(index: Database, patient_id: str, sha256: str) -> str | None:
    """The scan of a patient whose drop brought a file of these bytes."""
    row = await index.row(
        "SELECT d.scan_id FROM drops d JOIN files f USING (drop_id) WHERE d.patient_id = ?"
        " AND d.scan_id IS NOT NULL AND f.sha256 = ? LIMIT 1",
        (patient_id, sha256),
    )
    return str(row["scan_id"]) if row else None


async def _count(index: Database, found: Iterable[FoundResult]) -> None:
    """Add them to the totals; not those that were only compared anew."""
    scans: Counter[str] = Counter()
    seconds: dict[str, Any] = {}
    for each in found:
        if each.seconds is not None:
            scans[each.scan.finding] += 1
            seconds.setdefault(each.scan.finding, Counter()).update(each.seconds)
    for finding, count in scans.items():
        await count_scan(index, finding, seconds[finding], count)


async def _insert(index: Database, drops: Sequence[EndedDrop]) -> None:
    row = await index.row("SELECT coalesce(max(drop_id), 0) FROM drops")
    first = (row[0] if row else 0) + 1
    await index.change_many(
        "INSERT INTO drops (drop_id, unit, patient_id, kind, state, scan_id, reason, seen_at,"
        " ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(number, drop.unit, drop.patient_id, drop.kind, drop.state),
                *(drop.scan_id, drop.reason, drop.ended_at, drop.ended_at),
            )
            for number, drop in enumerate(drops, first)
        ],
    )
    await index.change_many(
        "INSERT INTO files (drop_id, path, size, mtime_ns, inode, ctime_ns, sha256, in_inbox,"
        " aside) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
        [
            (
                *(number, held.file.path, held.file.size, held.file.mtime_ns, held.file.inode),
                *(held.file.ctime_ns, held.sha256, held.aside),
            )
            for number, drop in enumerate(drops, first)
            for held in drop.files
        ],
    )
