"""FHIR to a server in this process that keeps resources by their identifiers, as R4 says it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pydicom
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from daemon.destinations.sender import Sender
from daemon.index.database import open_index
from daemon.index.people.reviews import Decision, add_review
from daemon.index.sent_objects import SendState
from daemon.pipeline.extra_objects import faults_in
from daemon.settings.archives import FhirServer
from tests.daemon.destinations.archive import Site, send_all, site_in

SCAN = "a" * 20
LATER = "2099-01-01T00:00:00.000+00:00"  # than any journal was begun
BEFORE = "2024-05-06T09:00:00.000+00:00"


@dataclass
class Server:
    """What it holds, by kind and identifier. status: of its answers; came: each message."""

    url: str = ""
    status: int = 200
    came: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    held: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.Response:
        """A transaction: all of it, or an OperationOutcome."""
        kind = "application/fhir+json"
        assert request.content_type == kind
        self.headers.append(request.headers.get("Authorization", ""))
        bundle = await request.json()
        self.came.append(bundle)
        if self.status != 200:
            said: dict[str, Any] = {"resourceType": "OperationOutcome", "issue": []}
            return web.Response(status=self.status, text=json.dumps(said), content_type=kind)
        for entry in bundle["entry"]:
            asked, made = entry["request"], entry["resource"]
            known = asked.get("ifNoneExist") or asked["url"].partition("?")[2]
            key = f"{made['resourceType']} {unquote(known.partition('=')[2])}"
            if asked["method"] == "PUT" or key not in self.held:
                self.held[key] = made
        said = {"resourceType": "Bundle", "type": "transaction-response"}
        return web.Response(text=json.dumps(said), content_type=kind)

    def statuses(self) -> list[str]:
        """Of the report in each message that came."""
        return [each["entry"][1]["resource"]["status"] for each in self.came]


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    its, app = Server(), web.Application(client_max_size=10**8)
    app.router.add_post("/r4", its.take)
    async with TestServer(app) as running:
        its.url = str(running.make_url("/r4"))
        yield its


async def begun(site: Site, its: Server, **changes: Any) -> Sender:
    quick = {"rate": 1000.0, "first_pause_seconds": 0.001, "longest_pause_seconds": 0.001}
    to = FhirServer(url=its.url, **quick | changes)
    return await Sender.begin(site.index, site.records, site.settings.daemon, to)


async def test_a_result_is_told_as_it_stands_and_never_twice(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its)
        await site.publish(SCAN, "sr")
        for _ in range(2):
            await send_all(sender)
        assert its.statuses() == ["preliminary"]
        await site.say(SCAN, Decision.ACCEPTED)
        for _ in range(2):
            await send_all(sender)
        await site.say(SCAN, Decision.REJECTED)
        await send_all(sender)
        assert its.statuses() == ["preliminary", "final", "entered-in-error"]
        reports = [each for each in its.held if each.startswith("DiagnosticReport")]
        assert len(reports) == 1
        rows = await site.rows(SCAN)
        assert {(row.kind, row.state, row.code) for row in rows} == {
            ("fhir", SendState.SENT, "200")
        }
        assert list(faults_in(site.settings.daemon.outbox)) == []


async def test_a_result_whose_files_are_damaged_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its)
        await site.publish("5ca1", "sr")
        await site.publish(SCAN, "sr")
        (whole,) = site.settings.daemon.outbox.glob("*/5ca1/dicom/*.dcm")
        dataset = pydicom.dcmread(whole)
        del dataset.SeriesInstanceUID
        dataset.save_as(whole.with_name("5ca1_sr.dcm"))
        for _ in range(3):
            await send_all(sender)
        assert its.statuses() == ["preliminary"]
        assert caplog.messages.count("message_not_made") == 1


async def test_a_new_index_tells_nothing_again(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site, server() as its:
        await site.publish(SCAN, "sr", moment=LATER)
        await send_all(await begun(site, its))
        await site.say(SCAN, Decision.ACCEPTED)
        await send_all(await begun(site, its))
        async with open_index(tmp_path / "new.sqlite") as index:
            again = Site(site.settings, index, site.records)
            await again.enter(SCAN, moment=LATER)
            await send_all(await begun(again, its))
            assert {row.state for row in await again.rows(SCAN)} == {SendState.SENT}
        assert its.statuses() == ["preliminary", "final"]


async def test_a_revision_is_told_and_amends_what_was_final(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its)
        await site.publish(SCAN, "sr")
        await site.say(SCAN, Decision.ACCEPTED)
        await send_all(sender)
        await site.publish(SCAN, "sr", revision=2)
        await send_all(sender)
        await add_review(site.records, SCAN, 2, Decision.ACCEPTED, "", "R. Viewer")
        await send_all(sender)
        assert its.statuses() == ["final", "preliminary", "amended"]


async def test_an_error_is_tried_again_and_given_up_and_sent_by_a_wish(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its, tries=1)
        its.status = 422
        await site.publish(SCAN, "sr")
        for _ in range(2):
            await send_all(sender)
        (row,) = await site.rows(SCAN)
        assert (row.state, row.tries, row.code) == (SendState.GIVEN_UP, 1, "422")
        assert len(its.came) == 1
        its.status = 200
        await site.send_again(SCAN, sender)
        await send_all(sender)
        assert {row.state for row in await site.rows(SCAN)} == {SendState.SENT}


async def test_what_is_told_of_one_scan_keeps_its_order(tmp_path: Path) -> None:
    """Else an old message that is tried again would undo the one after it."""
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its, first_pause_seconds=3600.0, longest_pause_seconds=3600.0)
        its.status = 422
        await site.publish(SCAN, "sr")
        await send_all(sender)
        its.status = 200
        await site.say(SCAN, Decision.ACCEPTED)
        await send_all(sender)
        assert its.statuses() == ["preliminary"]  # refused; the next one waits for it
        rows = await site.rows(SCAN)
        assert [row.state for row in rows] == [SendState.FAILED, SendState.WAITING]
        await site.send_again(SCAN, sender)  # then the old one is not needed any more
        await send_all(sender)
        assert its.statuses() == ["preliminary", "final"]
        assert [row.state for row in await site.rows(SCAN)] == [SendState.SENT]


async def test_of_messages_the_last_one_is_sent_again(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its)
        await site.publish(SCAN, "sr")
        await send_all(sender)
        await site.say(SCAN, Decision.ACCEPTED)
        await send_all(sender)
        await site.send_again(SCAN, sender)
        await send_all(sender)
        assert its.statuses() == ["preliminary", "final", "final"]


async def test_after_acceptance_alone_and_then_that_it_was_taken_back(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its, when="accepted")
        await site.publish(SCAN, "sr")
        await site.say(SCAN, Decision.REJECTED)
        await send_all(sender)
        assert its.came == []
        await site.say(SCAN, Decision.ACCEPTED)
        await send_all(sender)
        await site.say(SCAN, Decision.REJECTED)
        await send_all(sender)
        assert its.statuses() == ["final", "entered-in-error"]
        assert {each["status"] for each in its.held.values() if "status" in each} == {
            "entered-in-error"
        }


async def test_the_token_of_a_file_goes_with_each_message(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its, token_file=str(tmp_path / "token"))
        await site.publish(SCAN, "sr")
        await send_all(sender)
        assert its.headers == ["Bearer secret"]
        (tmp_path / "token").unlink()
        await site.say(SCAN, Decision.ACCEPTED)
        await send_all(sender)
        assert [row.state for row in await site.rows(SCAN)] == [SendState.SENT, SendState.WAITING]


async def test_results_from_before_go_by_a_wish_alone(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site, server() as its:
        sender = await begun(site, its)
        await site.publish(SCAN, "sr", moment=BEFORE)
        await send_all(sender)
        assert its.came == []
        await site.send_again(SCAN, sender)
        await send_all(sender)
        assert its.statuses() == ["preliminary"]


@pytest.mark.long
async def test_the_command_sends_what_is_due_and_again_what_is_named(tmp_path: Path) -> None:
    async with server() as its:
        (tmp_path / "settings.toml").write_text(f'[fhir]\nurl = "{its.url}"\n')
        async with site_in(tmp_path) as site:
            await begun(site, its)  # a result is told from when the journal is begun
            await site.publish(SCAN, "sr")
        for scans, count in ((), 1), ((), 1), ((SCAN,), 2):
            words = [sys.executable, "-m", "gliowatch", "send", *scans]
            done = await asyncio.create_subprocess_exec(
                *words, "--settings", "settings.toml", cwd=tmp_path, stdout=asyncio.subprocess.PIPE
            )
            said, _ = await done.communicate()
            assert (done.returncode, len(its.came)) == (0, count)
            assert said.decode() == "fhir: 1 sent, 0 to be sent, 0 given up.\n"
