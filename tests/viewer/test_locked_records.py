"""Another program locks the records: who reads goes on, and who writes is told so soon."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from daemon.index.database import Locked, open_records
from daemon.index.people.audit import Action, note, page_of_audit
from daemon.index.people.reviews import reviews_of
from tests.viewer.test_house import open_house
from viewer.sessions import RECORDS

SAID = "Another program has locked"


async def test_pages_go_on_or_say_so_while_a_backup_has_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.app.LOCKED_SECONDS", 0.2)
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        await house.page("/scans/scan1")  # this view is noted, and the next ones are not
        await house.app[RECORDS].change("UPDATE login_sessions SET seen = seen - 100")
        review = {"decision": "accepted", "revision": "1", "seen": "1.0.0"}
        with closing(sqlite3.connect(house.settings.daemon.records)) as backup:
            backup.execute("BEGIN IMMEDIATE")
            async with asyncio.timeout(30):
                await house.page("/account")
                await house.page("/scans/scan1")
                assert SAID in await house.page("/patients", 503)  # the view cannot be noted
                pages = [house.post("/scans/scan1/reviews", review) for _ in range(10)]
                for status, text in await asyncio.gather(*pages):
                    assert (status, SAID in text) == (503, True)
                answer = await house.client.get("/api/v1/patients")
                assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
            assert await reviews_of(house.app[RECORDS], "scan1") == []
        await house.page("/patients")
        assert (await house.post("/scans/scan1/reviews", review))[0] == 303


async def test_who_writes_reads_what_he_wrote_and_others_what_is_committed(
    tmp_path: Path,
) -> None:
    async with open_records(tmp_path / "r.sqlite", 0.2, reads_apart=True) as records:
        await note(records, "ada", Action.VIEW, "before")
        async with records.transaction():
            await records.change("INSERT INTO login_failures VALUES ('a', ?)", (time.time(),))
            assert len(await records.rows("SELECT 1 FROM login_failures")) == 1
            aside = asyncio.create_task(records.rows("SELECT 1 FROM login_failures"))
            assert await aside == []
            other = asyncio.create_task(note(records, "bob", Action.VIEW, "meanwhile"))
            with pytest.raises(Locked):
                await other
        assert len(await records.rows("SELECT 1 FROM login_failures")) == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await records.rows("DELETE FROM login_failures RETURNING subject")
        assert [entry.account for entry in await page_of_audit(records)] == ["ada"]
