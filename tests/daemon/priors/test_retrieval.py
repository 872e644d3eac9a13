"""Which earlier studies are fetched: the newest few, each once, and a PACS that is away waits."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from daemon.dicom_node.peer_answers import PeerAway, StudyFound
from daemon.dicom_node.staging import Staging
from daemon.dicom_node.study_assembly import study_folder
from daemon.index.database import Database, now, open_index
from daemon.index.scans import add_scan
from daemon.priors.journal import Journal
from daemon.priors.process import _work
from daemon.priors.retrieval import Fetched, Fetcher
from daemon.settings import Settings
from daemon.settings.archives import Priors
from tests.conftest import until
from tests.viewer.test_house import scan_row

NEW = "1.2.9"


@dataclass
class FakePacs:
    """A PACS with the studies of one patient: day and modality by UID."""

    studies: dict[str, tuple[str, str]]
    is_away: bool = False
    half: set[str] = field(default_factory=set)  # those that never come whole
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    async def studies_of(self, patient_id: str) -> list[StudyFound]:
        if self.is_away:
            raise PeerAway("no_connection")
        self.asked.append(patient_id)
        return [StudyFound(uid, day, (modality,)) for uid, (day, modality) in self.studies.items()]

    async def fetch(self, study_uid: str) -> bool:
        self.sent.append(study_uid)
        return study_uid not in self.half

    async def close(self) -> None:
        return


STUDIES = {
    NEW: ("20240506", "MR"),
    "1.2.1": ("20200101", "MR"),
    "1.2.2": ("20210101", "MR"),
    "1.2.3": ("20220101", "CT"),
    "1.2.4": ("20230101", "MR"),
    "1.2.5": ("20250101", "MR"),
    "1.2.6": ("", "MR"),
}


@dataclass
class Site:
    index: Database
    staging: Staging
    pacs: FakePacs

    def fetcher(self, **keys: Any) -> Fetcher:
        """As after a start."""
        settings = Priors(newest=2, first_pause_seconds=0.001, **keys)
        return Fetcher(self.index, self.pacs, settings, self.staging, Journal(self.staging))

    async def publish(self, patient: str, number: int, study: str, day: str) -> None:
        row = scan_row(patient, f"{number:020d}")
        dated = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        told = replace(row, study_uid=study, study_date=dated, published_at=now())
        await add_scan(self.index, told)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    staging = Staging(inbox)
    staging.make()
    async with open_index(tmp_path / "index.sqlite") as index:
        yield Site(index, staging, FakePacs(dict(STUDIES)))


async def test_the_newest_before_are_fetched_once(site: Site) -> None:
    fetcher = site.fetcher()
    assert await fetcher.fetch("a%2Fb", "20240506", NEW) == Fetched(came=2)
    assert site.pacs.asked == ["a/b"]  # as the PACS has the ID
    assert site.pacs.sent == ["1.2.4", "1.2.2"]
    marks = {path.name for path in site.staging.asked.iterdir()}
    assert marks == {study_folder(uid) for uid in ("1.2.4", "1.2.2")}
    assert await site.fetcher().fetch("a%2Fb", "20240506", NEW) == Fetched(known=2)
    assert await fetcher.fetch("a%2Fb", "") == Fetched(came=2)  # 2025, and the one of 2024
    assert site.pacs.sent == ["1.2.4", "1.2.2", "1.2.5", NEW]
    text = (site.staging.root / "priors.jsonl").read_text()
    assert "1.2." not in text
    assert "a/b" not in text


async def test_what_comes_before_the_first_look_counts_as_new(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    settings = Settings.model_validate(
        {"daemon": {name: str(tmp_path / name) for name in ("inbox", "outbox", "index", "records")}}
    )
    async with open_index(tmp_path / "index"):
        pass
    waiting = asyncio.create_task(_work(settings, FakePacs({})))  # no node holds its lock
    begun = tmp_path / "inbox" / ".receiving" / "priors.jsonl"
    await until(begun.exists)
    assert not waiting.done()
    waiting.cancel()


async def test_new_scans_get_theirs_and_history_gets_none(site: Site) -> None:
    await site.fetcher().look()
    await site.publish("P1", 1, NEW, "20240506")
    await site.publish("unassigned", 2, "1.2.8", "20240506")
    fetcher = site.fetcher()
    site.pacs.is_away = True
    await fetcher.look()
    assert site.pacs.sent == []
    site.pacs.is_away = False
    await asyncio.sleep(0.05)  # the pause
    await fetcher.look()
    assert site.pacs.sent == ["1.2.4", "1.2.2"]
    await site.publish("P1", 3, "1.2.4", "20230101")  # what was fetched is published
    await site.fetcher().look()
    assert site.pacs.asked == ["P1"]
    site.pacs.studies["1.2.7"] = ("20240101", "MR")
    await site.publish("P1", 4, "1.2.10", "20240507")
    await site.fetcher().look()
    assert site.pacs.sent == ["1.2.4", "1.2.2", "1.2.7"]  # NEW is at hand, and the second newest


async def test_a_study_that_comes_in_part_is_tried_again_and_given_up(site: Site) -> None:
    site.pacs.half = {"1.2.4"}
    fetcher = site.fetcher(tries=2)
    assert await fetcher.fetch("P1", "20240506") == Fetched(came=1, failed=1)  # NEW came
    assert await fetcher.fetch("P1", "20240506") == Fetched(came=1, known=1)  # given up: done with
    assert await fetcher.fetch("P1", "20240506") == Fetched(known=2)
    assert site.pacs.sent.count("1.2.4") == 2
