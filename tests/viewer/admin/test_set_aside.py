"""A failed file leads from the worklist to its reason, its place and Retry; lists of the rest."""

import os
import re
from pathlib import Path

from daemon.index import ledger, queue, set_aside
from daemon.index.queue import failed
from daemon.permissions import Role
from tests.viewer.test_house import House, open_house
from viewer.sessions import INDEX


async def rejected(house: House, name: str) -> int:
    """A file that was set aside, with its drop."""
    claim = await house.add_running("P", name)
    await ledger.reject(house.app[INDEX], claim, "No <b>.")
    place = house.settings.daemon.inbox / ".rejected" / "P" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"x")
    aside = os.fsencode(f".rejected/P/{name}")
    await ledger.mark_left(house.app[INDEX], claim.drop_id, {os.fsencode(f"P/{name}"): aside})
    return claim.drop_id


async def test_failed_leads_to_the_reason_the_file_and_retry(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        number = await rejected(house, "<i>.nii")
        page = await house.page("/")
        assert f'<a class="state failed" href="/failed/{number}">Failed</a>' in page
        for path in (f"/failed/{number}", "/system"):
            page = await house.page(path)
            assert "No &lt;b&gt;." in page
            assert ".rejected/P/&lt;i&gt;.nii" in page
        page = await house.page(f"/failed/{number}")
        assert re.search(r'<button type="submit" name="action" value="retry"', page)
        done = await house.post("/system", {"action": "retry", "scan": str(number)})
        assert done == (303, "/system?done=retry&count=1")
        assert (house.settings.daemon.inbox / "P" / "<i>.nii").exists()
        assert await failed(house.app[INDEX], 0) == []
        assert (await house.client.get(f"/failed/{number}")).status == 404


async def test_what_was_deleted_by_age_cannot_be_retried(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        number = await rejected(house, "a.nii")
        gone = [(number, b".rejected/P/a.nii")]
        await set_aside.note_removed(house.app[INDEX], gone, "2026-01-02T03:04:05.000+00:00")
        page = await house.page(f"/failed/{number}")
        assert "P/a.nii, deleted 2026-01-0" in page
        assert "Its files were deleted" in page
        assert 'value="retry"' not in page
        done = await house.post("/system", {"action": "retry", "scan": str(number)})
        assert done == (303, "/system?done=retry&count=0")
        assert await queue.rejected(house.app[INDEX], number) is not None


async def test_who_may_not_retry_sees_no_button(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.READER) as house:
        number = await rejected(house, "a.nii")
        page = await house.page(f"/failed/{number}")
        assert "No &lt;b&gt;." in page
        assert 'value="retry"' not in page


async def test_no_such_file(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        waiting = await house.add_waiting("Q", "a.nii")
        for number in ("0", "x", "9" * 30, "²", str(waiting)):
            answer = await house.client.get(f"/failed/{number}")
            assert answer.status == 404
            assert "There is no such file: it was retried, perhaps." in await answer.text()


async def test_duplicates_and_stalled_transfers_are_listed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        index = house.app[INDEX]
        assert "Duplicates" not in await house.page("/system")
        await house.add_scan("P", "s1")
        claim = await house.add_running("P", "again.nii")
        await ledger.finish_duplicate(index, claim, "s1", {})
        places = {b"P/again.nii": b".duplicates/P/again.nii"}
        await ledger.mark_left(index, claim.drop_id, places)
        await set_aside.set_stalled(index, {b"P/<u>.part": 10**18, b"P/b.part": 2**62})
        page = await house.page("/system")
        assert ".duplicates/P/again.nii" in page
        assert 'href="/scans/s1"' in page
        assert "P/&lt;u&gt;.part</span> <small>Last changed 2001-09-09" in page
        assert "P/b.part" in page
