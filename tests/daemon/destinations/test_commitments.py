"""Whether an archive keeps what it took: asked, heard on either association, never sent again."""

import asyncio
import json
import time
import urllib.request
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from daemon.destinations.send_status import counts_words
from daemon.destinations.sender import Sender
from daemon.dicom_node.associations import Ending
from daemon.dicom_node.commitment_reports import CommitmentReport, CommitmentReports
from daemon.dicom_node.server import LARGEST_MESSAGE
from daemon.index.commitments import Commitment
from daemon.index.database import open_index
from daemon.index.sent_objects import SendState, count_sent
from daemon.settings import load_settings
from tests.daemon.destinations.archive import (
    Site,
    archive,
    destination,
    report_to,
    said_of,
    send_all,
    site_in,
)
from tests.daemon.dicom_node.senders import SETTINGS, listening, real_node
from tests.daemon.dicom_node.test_real_senders import orthanc
from tests.daemon.outputs.dicom.test_pacs import free_port

LATER = "2099-01-01T00:00:00.000+00:00"  # than any journal was begun


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer on the same association is waited for, however slow the machine is."""
    monkeypatch.setattr("daemon.dicom_node.commitment_scu.SAME_ASSOCIATION_SECONDS", 60.0)


async def work(sender: Sender) -> None:
    """One round of a sender that asks."""
    await send_all(sender)
    await sender.look_for_commitment()


async def states(site: Site) -> list[Commitment]:
    """What the archive said of each object of the one scan, all of which it has."""
    rows = await site.rows("a" * 20)
    assert {row.state for row in rows} == {SendState.SENT}
    return [row.commitment for row in rows]


async def test_an_answer_on_the_same_association_outlives_the_index(
    tmp_path: Path, patient: None
) -> None:
    async with site_in(tmp_path) as site:
        with archive(commits=True) as its:
            its.report = said_of
            sender = await site.sender(destination(its.port, commitment=True))
            uids = await site.publish("a" * 20, "seg sr sc pdf", moment=LATER)
            await work(sender)
            assert await states(site) == [Commitment.COMMITTED] * 4
            (question,) = its.asked
            asked = [str(item.ReferencedSOPInstanceUID) for item in question.ReferencedSOPSequence]
            assert asked == uids
            async with open_index(tmp_path / "other.sqlite") as site.index:
                await site.enter("a" * 20, moment=LATER)
                await work(await site.sender(destination(its.port, commitment=True)))
                assert await states(site) == [Commitment.COMMITTED] * 4
            assert (its.came, len(its.asked)) == (uids, 1)


async def test_an_answer_on_another_association_comes_through_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site_in(tmp_path) as site:
        with archive(commits=True) as its, listening(tmp_path, monkeypatch) as node:
            assert node.staging.inbox == site.settings.daemon.inbox
            sender = await site.sender(destination(its.port, commitment=True))
            seg, *_ = await site.publish("a" * 20, "seg sr sc")
            await work(sender)
            assert await states(site) == [Commitment.ASKED] * 3
            (question,) = its.asked
            assert await asyncio.to_thread(report_to, node.port, said_of(question, seg)) == 0
            await work(sender)
            assert await states(site) == [Commitment.REFUSED, *[Commitment.COMMITTED] * 2]
            (refused, *_) = await site.rows("a" * 20)
            assert refused.commitment_code == "0112"
            (counts,) = await count_sent(site.index, ["pacs"])
            assert counts_words(counts) == (
                "pacs: 3 sent, 0 to be sent, 0 given up. It promised to keep 2, 0 are asked for,"
                " 1 it does not keep, 0 have no answer."
            )
            await work(sender)
            assert len(its.came) == 3, "what is not kept is told, not sent again"
            # It was answered: whoever reports on it once more, or on anything else, is refused.
            assert await asyncio.to_thread(report_to, node.port, said_of(question)) == 0x0112
            question.TransactionUID = "1.2.3"
            assert await asyncio.to_thread(report_to, node.port, said_of(question)) == 0x0112
            assert not list((node.staging.root / "commitments").iterdir())


async def test_an_answer_that_never_comes_is_told_and_one_that_comes_late_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site_in(tmp_path) as site:
        with archive(commits=True) as its, listening(tmp_path, monkeypatch) as node:
            to = destination(its.port, commitment=True, commitment_seconds=0.2)
            sender = await site.sender(to)
            await site.publish("a" * 20, "seg sr")
            await work(sender)
            await asyncio.sleep(0.3)
            await work(sender)
            assert await states(site) == [Commitment.UNANSWERED] * 2
            await work(sender)
            assert (len(its.came), len(its.asked)) == (2, 1)
            (question,) = its.asked
            assert await asyncio.to_thread(report_to, node.port, said_of(question)) == 0
            await work(sender)
            assert await states(site) == [Commitment.COMMITTED] * 2


async def test_an_archive_that_cannot_be_asked_is_told_in_the_end(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port, commitment=True))
            await site.publish("a" * 20, "seg sr")
            await work(sender)
            assert await states(site) == [Commitment.NONE] * 2
            to = destination(its.port, commitment=True, commitment_seconds=0.001)
            await work(await site.sender(to))
            assert await states(site) == [Commitment.UNANSWERED] * 2
            assert len(its.came) == 2


async def test_what_is_sent_again_is_asked_for_again(tmp_path: Path, patient: None) -> None:
    async with site_in(tmp_path) as site:
        with archive(commits=True) as its:
            its.report = said_of
            sender = await site.sender(destination(its.port, commitment=True))
            await site.publish("a" * 20, "seg sr")
            await work(sender)
            await site.send_again("a" * 20, sender)
            await work(sender)
            assert await states(site) == [Commitment.COMMITTED] * 2
            assert (len(its.came), len(its.asked)) == (4, 2)


def test_reports_that_are_none_or_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, monkeypatch) as node:
        told = Dataset()
        told.ReferencedSOPSequence, told.FailedSOPSequence = [], []
        assert report_to(node.port, told) == 0x0115
        told.TransactionUID = "1.2.3"
        told.add_new(0x00091001, "OB", bytes(2 * LARGEST_MESSAGE))
        assert report_to(node.port, told) is None
        assert Ending.RELEASED in node.endings(2)
        assert not (node.staging.root / "commitments").exists()


def test_no_question_names_a_file_elsewhere(tmp_path: Path) -> None:
    reports = CommitmentReports(tmp_path / "receiving")
    report = CommitmentReport("../../x", ("1.2",), {"1.3": "0112"})
    assert not reports.keep(report)
    reports.expect(report.transaction)
    assert reports.keep(report)
    assert list(reports.waiting()) == [report]
    names = {path.name for path in (tmp_path / "receiving" / "commitments").iterdir()}
    assert {Path(name).suffix for name in names} == {".asked", ".json"}
    reports.forget(report.transaction)
    assert list(reports.waiting()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["receiving"]


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_real_archive_promises_to_keep_what_it_has(tmp_path: Path) -> None:
    """Orthanc reports on an association of its own, to `gliowatch receive`."""
    store, port = tmp_path / "orthanc", free_port()
    store.mkdir()
    (tmp_path / "settings.toml").write_text(
        f'{SETTINGS}[[dicom.send]]\nname = "pacs"\nhost = "127.0.0.1"\nport = {port}\n'
        'called_ae_title = "ORTHANC"\nrate = 100.0\ncommitment = true\n'
    )
    with real_node(tmp_path) as node, orthanc(store, node.port, DicomPort=port) as address:
        async with site_in(tmp_path) as site:
            settings = load_settings(tmp_path / "settings.toml")
            site.settings = settings
            sender = await site.sender(settings.dicom.send[0])
            uids = await site.publish("a" * 20, "seg sr sc pdf ko", moment=LATER)
            await work(sender)
            await until_said(site, sender, Commitment.COMMITTED)
            # The archive loses one, and is asked again: it says so, and nothing is sent for it.
            (found,) = find(address, uids[0])
            await asyncio.to_thread(lose, address, found)
            (first, *_) = await site.rows("a" * 20)
            async with site.index.transaction():
                await site.index.change(
                    "UPDATE sent_objects SET commitment = '' WHERE number = ?", (first.number,)
                )
            await until_said(site, sender, Commitment.REFUSED)
            assert find(address, uids[0]) == []
        assert node.end() == 0


async def until_said(site: Site, sender: Sender, said: Commitment) -> None:
    """Until the archive has said this of the first object, and kept the others."""
    ends = time.monotonic() + 60
    while await states(site) != [said, *[Commitment.COMMITTED] * 4]:
        assert time.monotonic() < ends, await states(site)
        await asyncio.sleep(0.2)
        await work(sender)


def lose(address: str, name: str) -> None:
    """An archive that has an object no more."""
    request = urllib.request.Request(f"{address}/instances/{name}", method="DELETE")
    urllib.request.urlopen(request, timeout=60).close()


def find(address: str, uid: str) -> list[str]:
    """What the archive holds of an object."""
    question = json.dumps({"Level": "Instance", "Query": {"SOPInstanceUID": uid}}).encode()
    request = urllib.request.Request(f"{address}/tools/find", question, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return list(json.loads(answer.read()))


async def test_without_the_setting_nobody_asks(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive(commits=True) as its:
            sender = await site.sender(destination(its.port))
            await site.publish("a" * 20, "seg sr")
            await work(sender)
            assert its.asked == []
            assert await states(site) == [Commitment.NONE] * 2
