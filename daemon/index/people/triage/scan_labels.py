"""Labels that people put on scans, in the records: each with who put it there, and took it off."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.index.database import Database, now
from daemon.index.people.audit import changing, each_told

MOST_LABELS = 200  # of a site


@dataclass(frozen=True)
class Label:
    """One of the site's labels. label_id: stands in addresses, where no typed word does."""

    label_id: int
    name: str


async def label_list(records: Database) -> list[Label]:
    """All that were ever made, by name."""
    rows = await records.rows("SELECT label_id, name FROM labels ORDER BY name")
    return [Label(row["label_id"], row["name"]) for row in rows]


async def find_label(records: Database, name: str) -> Label | None:
    """The label of this name, in capitals or not, or None."""
    row = await records.row("SELECT label_id, name FROM labels WHERE name = ?", (name,))
    return Label(row["label_id"], row["name"]) if row else None


async def labels_of(records: Database, scan_id: str) -> list[Label]:
    """Those that are on a scan, by name."""
    rows = await records.rows(
        "SELECT label_id, name FROM scan_labels JOIN labels USING (label_id)"
        " WHERE scan_id = ? AND removed_at = '' ORDER BY name",
        (scan_id,),
    )
    return [Label(row["label_id"], row["name"]) for row in rows]


async def put_label(
    records: Database, scan_ids: Iterable[str], name: str, who: str
) -> list[str] | None:
    """Put it on these scans; on which it was not yet. It is made if there is none of that name.

    None if it would be more than MOST_LABELS. The audit has an entry of each scan.
    """
    async with changing(records):
        await records.change(
            "INSERT INTO labels (name, made_by, made_at) SELECT ?1, ?2, ?3"
            " WHERE (SELECT count(*) FROM labels) < ?4 ON CONFLICT DO NOTHING",
            (name, who, now(), MOST_LABELS),
        )
        label = await find_label(records, name)
        if label is None:
            return None
        rows = await records.rows(
            "SELECT value FROM json_each(?1) WHERE NOT EXISTS (SELECT 1 FROM scan_labels"
            " WHERE label_id = ?2 AND scan_id = value AND removed_at = '')",
            (json.dumps(list(scan_ids)), label.label_id),
        )
        changed = [str(row["value"]) for row in rows]
        await records.change_many(
            "INSERT INTO scan_labels (scan_id, label_id, put_by, put_at) VALUES (?, ?, ?, ?)",
            [(each, label.label_id, who, now()) for each in changed],
        )
        each_told(changed, f"label {label.label_id}: put")
    return changed


async def remove_label(
    records: Database, scan_ids: Iterable[str], name: str, who: str
) -> list[str]:
    """Take it off these scans; off which it was. The audit has an entry of each."""
    async with changing(records):
        label = await find_label(records, name)
        rows = await records.rows(
            "UPDATE scan_labels SET removed_by = ?, removed_at = ? WHERE label_id = ?"
            " AND removed_at = '' AND scan_id IN (SELECT value FROM json_each(?))"
            " RETURNING scan_id",
            (who, now(), label.label_id if label else 0, json.dumps(list(scan_ids))),
        )
        changed = [str(row["scan_id"]) for row in rows]
        each_told(changed, f"label {label.label_id if label else 0}: removed")
    return changed
