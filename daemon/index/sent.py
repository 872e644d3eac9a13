"""What became of the files of one upload: the drops that lie, or lay, in its folder."""

from dataclasses import dataclass

from daemon.drops import State
from daemon.index.database import Database

MOST = 50  # drops of one upload
LATEST = 400  # of the patient's drops, among which they are looked for


@dataclass(frozen=True)
class SentDrop:
    """One drop of an upload. files: how many of the upload's it has; scan_id: '' until known."""

    drop_id: int
    unit: bytes
    files: int
    state: State
    rested: bool
    reason: str
    scan_id: str
    finding: str


async def drops_of_upload(index: Database, patient_id: str, folder: bytes) -> list[SentDrop]:
    """The drops with files below a folder of the inbox, as they were seen."""
    rows = await index.rows(
        "SELECT d.drop_id, d.unit, count(*) AS files, d.state, d.rested, d.reason, d.scan_id,"
        " (SELECT finding FROM scans s WHERE s.scan_id = d.scan_id ORDER BY revision DESC LIMIT 1)"
        " AS finding FROM (SELECT * FROM drops WHERE patient_id = ?1 ORDER BY drop_id DESC LIMIT"
        f" {LATEST}) d JOIN files f ON f.drop_id = d.drop_id AND f.path >= ?2 AND f.path < ?3"
        f" GROUP BY d.drop_id ORDER BY d.drop_id LIMIT {MOST}",
        (patient_id, folder + b"/", folder + b"0"),  # '0' follows '/'
    )
    return [
        SentDrop(
            row["drop_id"],
            row["unit"],
            row["files"],
            State(row["state"]),
            bool(row["rested"]),
            row["reason"] or "",
            row["scan_id"] or "",
            row["finding"] or "",
        )
        for row in rows
    ]
