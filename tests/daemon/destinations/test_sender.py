"""To an archive in this process: what goes, in which order, how often, and what becomes of it."""

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from daemon.destinations.journal import Journal, journals_in
from daemon.destinations.sender import Sender
from daemon.index.database import open_index
from daemon.index.people.reviews import Decision
from daemon.index.sent_objects import SendState, count_sent, grant, wish, wishes
from daemon.outputs.catalogue import text
from tests.daemon.destinations.archive import (
    SILENCE,
    archive,
    destination,
    send_all,
    site_in,
    write_object,
)
from tests.daemon.dicom_node.senders import close_for_sure

LATER = "2099-01-01T00:00:00.000+00:00"  # than any journal was begun


async def until_sent(sender: Sender, seconds: float = 120) -> None:
    """Look and send again and again for so long, or until nothing is left."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        await send_all(sender)
        (counts,) = await count_sent(sender._index, ["pacs"])
        if not counts.waiting:
            return
        await asyncio.sleep(0.05)


async def test_all_kinds_go_once_in_one_association_oldest_first(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port))
            first = await site.publish("a" * 20, "seg sr sc sc pdf")
            second = await site.publish("b" * 20, "seg sr sc ko")
            await send_all(sender)
            assert its.came == first + second
            assert its.associations == 1
            await send_all(sender)
            assert its.came == first + second
        rows = await site.rows("a" * 20)
        assert [row.kind for row in rows] == ["seg", "sr", "sc", "sc", "pdf"]
        assert {(row.state, row.code, row.reason) for row in rows} == {
            (SendState.SENT, "0000", "stored")
        }


async def test_results_from_before_go_by_a_wish_alone(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        old = await site.publish("a" * 20, "sr", moment="2024-05-06T09:00:00.000+00:00")
        with archive() as its:
            sender = await site.sender(destination(its.port))
            await send_all(sender)
            assert its.came == []
            for _ in range(2):
                await wish(site.index, "a" * 20)
                ((number, scan_id),) = await wishes(site.index)
                await sender.want(scan_id)
                await grant(site.index, number, scan_id)
                await send_all(sender)
            assert its.came == old * 2
            assert await wishes(site.index) == []


async def test_the_same_bytes_never_go_twice_even_with_a_new_index(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            uids = await site.publish("a" * 20, "seg sr", moment=LATER)
            await send_all(await site.sender(destination(its.port)))
            place = site.settings.daemon.outbox / "P"
            uids += await site.publish("a" * 20, "sc pdf", revision=2, moment=LATER)
            for path in (place / ("a" * 20) / "dicom").iterdir():
                shutil.copy(path, place / f"{'a' * 20}-r2" / "dicom" / f"as_before_{path.name}")
            await send_all(await site.sender(destination(its.port)))
            assert its.came == uids
            async with open_index(tmp_path / "other.sqlite") as site.index:
                await site.enter("a" * 20, moment=LATER)
                await site.enter("a" * 20, 2, LATER)
                new = await site.publish("b" * 20, "sr", moment=LATER)
                await send_all(await site.sender(destination(its.port)))
                assert len(await site.rows("a" * 20)) == 4
            assert its.came == [*uids, *new]


async def test_a_crash_between_answer_and_note_sends_the_same_uid_again(tmp_path: Path) -> None:
    """A note that was cut in its middle is none; one that is whole counts without the index."""
    async with site_in(tmp_path) as site:
        with archive() as its:
            uids = await site.publish("a" * 20, "seg sr", moment=LATER)
            await send_all(await site.sender(destination(its.port)))
            (journal,) = journals_in(site.settings.daemon.outbox)
            whole = journal.read_bytes()
            journal.write_bytes(whole[: whole.rindex(b'"reason"')])
            its.answer = lambda uid: 0x0111
            async with open_index(tmp_path / "other.sqlite") as site.index:
                await site.enter("a" * 20, moment=LATER)
                await send_all(await site.sender(destination(its.port)))
                rows = await site.rows("a" * 20)
            assert its.came == [*uids, uids[1]]
            assert [row.reason for row in rows] == ["stored", "duplicate"]
            assert {row.state for row in rows} == {SendState.SENT}
            assert len(Journal(site.settings.daemon.outbox, "pacs").read_from(0)[0]) == 2


async def test_warnings_are_stored_and_refusals_given_up_in_time(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port, tries=2))
            seg, sr, sc = await site.publish("a" * 20, "seg sr sc")
            its.answer = lambda uid: {seg: 0xB000, sr: 0xC000}.get(uid, 0)
            await until_sent(sender)
            assert its.counts == {seg: 1, sr: 2, sc: 1}
        states = {row.kind: (row.state, row.code, row.reason) for row in await site.rows("a" * 20)}
        assert states == {
            "seg": (SendState.SENT, "B000", "warning"),
            "sr": (SendState.GIVEN_UP, "C000", "not_understood"),
            "sc": (SendState.SENT, "0000", "stored"),
        }


async def test_a_class_that_is_not_accepted_is_given_up_and_holds_up_nothing(
    tmp_path: Path,
) -> None:
    async with site_in(tmp_path) as site:
        with archive(kinds=("sr", "sc")) as its:
            sender = await site.sender(destination(its.port, tries=1))
            _, sr, sc = await site.publish("a" * 20, "seg sr sc")
            await send_all(sender)
            assert its.came == [sr, sc]
        (seg, *_) = await site.rows("a" * 20)
        assert (seg.state, seg.reason) == (SendState.GIVEN_UP, "context")


async def test_an_archive_that_is_away_is_caught_up_and_counts_no_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_for_sure(monkeypatch)
    async with site_in(tmp_path) as site:
        with archive() as its:
            port = its.port
        sender = await site.sender(destination(port, tries=1))
        uids = [uid for name in "abc" for uid in await site.publish(name * 20, "seg sr")]
        for _ in range(3):
            await send_all(sender)
            await asyncio.sleep(0.12)
        (counts,) = await count_sent(site.index, ["pacs"])
        assert (counts.waiting, counts.reason) == (6, "no_connection")
        with archive(port) as its:
            await until_sent(sender)
            assert its.came == uids
        (counts,) = await count_sent(site.index, ["pacs"])
        assert (counts.states[SendState.SENT], counts.reason) == (6, "")


async def test_a_wrong_ae_title_is_said_and_nothing_given_up(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive(called="OTHER") as its:
            await site.publish("a" * 20, "sr")
            sender = await site.sender(destination(its.port, tries=1))
            await site.publish("b" * 20, "sr")
            await send_all(sender)
        (counts,) = await count_sent(site.index, ["pacs"])
        assert counts.waiting >= 1
        assert counts.reason == "called"
        assert text(f"sending_reason.{counts.reason}").endswith("called_ae_title.")


async def test_an_object_at_which_the_connection_breaks_lets_the_others_pass(
    tmp_path: Path,
) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port, tries=2))
            seg, *others = await site.publish("a" * 20, "seg sr sc")
            its.answer = lambda uid: "break" if uid == seg else 0
            await until_sent(sender, 4)
            assert sorted(its.came) == sorted(others)
            later = await site.publish("b" * 20, "sr")
            await until_sent(sender, 10)
            assert set(its.came) == {*others, *later}
        (row, *_) = await site.rows("a" * 20)
        assert (row.state, row.reason) == (SendState.GIVEN_UP, "no_answer")


async def test_a_silent_archive_gives_up_nothing(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port, tries=2, answer_seconds=0.3))
            uids = await site.publish("a" * 20, "sr sc")
            its.answer = lambda uid: "silence"
            try:
                await until_sent(sender, 3)
            finally:
                SILENCE.set()
            assert {row.state for row in await site.rows("a" * 20)} <= {
                SendState.WAITING,
                SendState.FAILED,
            }
            its.answer = lambda uid: 0
            await until_sent(sender)
            assert set(its.came) == set(uids)
        SILENCE.clear()


async def test_what_is_not_accepted_does_not_go_and_rejection_notes_follow(
    tmp_path: Path,
) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port, when="accepted"))
            first = await site.publish("a" * 20, "sr")
            await site.publish("b" * 20, "sr")
            await send_all(sender)
            assert its.came == []
            await site.say("a" * 20, Decision.ACCEPTED)
            await site.say("b" * 20, Decision.REJECTED)
            await send_all(sender)
            assert its.came == first
            beside = site.settings.daemon.outbox / ".extra"
            note = write_object(beside / ("a" * 20) / "dicom" / "rejection.dcm", "ko")
            write_object(beside / ("b" * 20) / "dicom" / "rejection.dcm", "ko")
            await send_all(sender)
            assert its.came == [*first, note]


async def test_only_the_objects_that_are_asked_for_go(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port, objects=("pdf",)))
            _, _, pdf = await site.publish("a" * 20, "seg sr pdf")
            await send_all(sender)
            assert its.came == [pdf]


async def test_a_changed_file_never_goes_and_an_outbox_that_is_away_gives_up_nothing(
    tmp_path: Path,
) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port))
            await site.publish("a" * 20, "seg sr")
            await sender.look()
            outbox = site.settings.daemon.outbox
            outbox.rename(tmp_path / "elsewhere")
            try:
                await sender.send_due()
                held = False
            except OSError:
                held = True
            assert held
            (tmp_path / "elsewhere").rename(outbox)
            next(outbox.glob("P/*/dicom/seg0.dcm")).write_bytes(b"other")
            await sender.send_due()
            assert len(its.came) == 1
        states = [(row.state, row.reason) for row in await site.rows("a" * 20)]
        assert states == [(SendState.GIVEN_UP, "file"), (SendState.SENT, "stored")]


async def test_the_rate_is_kept(tmp_path: Path) -> None:
    async with site_in(tmp_path) as site:
        with archive() as its:
            sender = await site.sender(destination(its.port, rate=10.0))
            await site.publish("a" * 20, "sc sc sc sc sc sc")
            began = time.monotonic()
            await send_all(sender)
            assert time.monotonic() - began >= 0.5
            assert len(its.came) == 6
