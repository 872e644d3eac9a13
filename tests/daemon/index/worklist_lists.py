"""The databases of a small site, for tests of the worklist's rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daemon.drops import DropKind
from daemon.index import ledger
from daemon.index.database import Database, open_index, open_joined, open_records
from daemon.index.worklist_pages import Asked, Filters, page_of
from daemon.index.worklist_rows import Row, catch_up, worklist_rows
from tests.daemon.index.test_ledger import a_drop, claimed
from tests.viewer.test_house import scan_row


@asynccontextmanager
async def open_lists(folder: Path) -> AsyncIterator["Lists"]:
    """New databases in a folder."""
    paths = (folder / "index.sqlite", folder / "records.sqlite")
    async with (
        open_index(paths[0]) as index,
        open_records(paths[1]) as records,
        open_joined(*paths) as joined,
    ):
        yield Lists(index, records, joined)


@dataclass
class Lists:
    """The databases of a small site."""

    index: Database
    records: Database
    joined: Database

    async def drop(self, name: str, patient: str = "P") -> int:
        """A rested drop."""
        drop_id = (await ledger.add_drops(self.index, [a_drop(name, patient=patient)]))[0]
        await ledger.mark_rested(self.index, [drop_id])
        return drop_id

    async def publish(
        self, scan_id: str, patient: str = "P", revision: int = 1, **changes: Any
    ) -> None:
        """A drop that becomes a revision of a scan."""
        await self.drop(f"{scan_id}{revision}.nii", patient)
        scan = replace(scan_row(patient, scan_id, revision=revision, **changes), revision=revision)
        claim = await claimed(self.index)
        while claim.drop.kind is DropKind.COMPARE:  # of the patient's other scans
            await ledger.withdraw(self.index, claim.drop_id)
            claim = await claimed(self.index)
        await ledger.finish(self.index, claim, scan, {})

    async def rows(self, asked: Asked | None = None) -> list[Row]:
        """The first page, brought up to date."""
        await catch_up(self.joined, self.records)
        found = await page_of(self.joined, asked or Asked(Filters()), 50)
        return await worklist_rows(self.joined, found)

    async def states(self) -> list[tuple[str | None, str]]:
        """scan_id and state of each row of the usual list."""
        return [(row.scan_id, row.state) for row in await self.rows()]
