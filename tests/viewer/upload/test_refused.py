"""What an upload that waits refuses, and that it leaves nothing of what broke off or grew old."""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.intake.inbox_scan import scan_inbox
from daemon.intake.uploads import HOLDING, clear_staged
from daemon.operations.verify import verify
from tests.viewer.api.test_api import token_of
from tests.viewer.test_house import House, open_house
from tests.viewer.upload.test_fuzz import part
from tests.viewer.upload.test_staging import RULES, begin, put
from viewer.upload.staging import DESK, MOST_HELD


@pytest.mark.parametrize("name", ["../../evil.nii", "/etc/evil.nii", "a/" * 50 + "x" * 300, ".."])
async def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    async with open_house(tmp_path) as house:
        upload = await begin(house)
        assert (await put(house, upload, name, b"content"))[0] == 204
        (found,) = house.in_inbox()
        held = tmp_path / "inbox" / HOLDING / upload / "patient"
        assert found.is_relative_to(held)
        assert len(found.relative_to(held).parts) <= 10
        assert not found.name.startswith(".")


async def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, max_upload_mb=1) as house:
        assert (await house.client.post("/upload/held")).status == 403
        upload = await begin(house)
        assert (await put(house, upload, "", b"1"))[0] == 400
        assert (await put(house, "0" * 32, "a.nii", b"1"))[0] == 404
        twins = await begin(house)
        assert (await put(house, twins, "a", b"1"))[0] == 204
        assert (await put(house, twins, "a/b", b"1"))[0] == 409
        assert (await put(house, twins, "a/b/c", b"1"))[0] == 409
        assert (await house.post(f"/upload/held/{twins}/cancel", {}))[0] == 303
        assert (await put(house, upload, "a.nii", bytes(700_000)))[0] == 204
        status, text = await put(house, upload, "b.nii", bytes(700_000))
        assert status == 413
        assert "larger than 1 megabytes" in text
        assert [path.name for path in house.in_inbox()] == ["a.nii"]
        status, text = await house.post(f"/upload/held/{upload}/send", {"patient": "unassigned"})
        assert status == 400
        assert "Please choose at least one scan." in text
        uploads = [await begin(house) for _ in range(3)]  # the oldest went for the last
        place = house.settings.daemon.inbox / HOLDING
        assert sorted(uploads) == sorted(os.listdir(place))
        for number in range(MOST_HELD - 3):
            await house.app[DESK].begin(f"session {number}", -number)
        await house.come_in("N. Other")
        headers = {"X-CSRF-Token": house.csrf}
        answer = await house.client.post("/upload/held", headers=headers)
        assert answer.status == 429
        assert "Too many uploads" in await answer.text()
        async with open_house(tmp_path, max_upload_mb=1) as other:  # another start takes all away
            assert (await put(other, uploads[0], "c.nii", b"1"))[0] == 404
            assert house.in_inbox() == []


async def test_an_upload_has_a_number_of_files_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("viewer.upload.page.MOST_FILES", 2)
    async with open_house(tmp_path, max_upload_mb=1) as house:
        upload = await begin(house)
        assert (await put(house, upload, "a.nii", bytes(900_000)))[0] == 204
        assert (await put(house, upload, "b.nii", bytes(900_000)))[0] == 413  # is not counted
        assert (await put(house, upload, "b.nii", bytes(90_000)))[0] == 204
        status, text = await put(house, upload, "c.nii", b"1")
        assert status == 409
        assert "2 files at most" in text
        assert [path.name for path in house.in_inbox()] == ["a.nii", "b.nii"]


async def test_a_connection_that_breaks_leaves_no_half_file(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        upload = await begin(house)
        host, port = house.client.host, house.client.port
        _, writer = await asyncio.open_connection(host, port)
        cookie = "; ".join(f"{c.key}={c.value}" for c in house.client.session.cookie_jar)
        head = [
            f"PUT /upload/held/{upload}/files HTTP/1.1",
            *(f"Host: {host}", f"Cookie: {cookie}", f"X-CSRF-Token: {house.csrf}"),
            *("X-File-Path: a.nii", "Content-Length: 900000", "", ""),
        ]
        writer.write("\r\n".join(head).encode() + bytes(300_000))
        await writer.drain()
        await _until(house, 1)
        assert [path.name for path in house.in_inbox()] == ["a.nii.part"]
        writer.close()
        await _until(house, 0)


@pytest.mark.parametrize("api", [False, True])
async def test_what_a_killed_viewer_leaves_holds_nothing_up_and_goes(
    tmp_path: Path, api: bool
) -> None:
    """It lies beside the inbox, is told by verify, and the next start takes it away."""
    async with open_house(tmp_path) as house:
        token = await token_of(house) if api else {}
        head = b"" if api else part("csrf", "", house.csrf.encode())
        head += part("patient", "", b"unassigned") + part("files", "a.dcm", b"whole")

        async def half() -> AsyncIterator[bytes]:
            yield head + part("files", "b.dcm", bytes(600_000))[:-2]
            await asyncio.sleep(20)

        kind = {"Content-Type": "multipart/form-data; boundary=edge"} | token
        path = "/api/v1/uploads" if api else "/upload"
        sending = asyncio.create_task(house.client.post(path, data=half(), headers=kind))
        await _until(house, 2)
        left = tmp_path / "left"
        shutil.copytree(house.settings.daemon.inbox, left)
        sending.cancel()
        await _until(house, 0)
        shutil.copytree(left, house.settings.daemon.inbox, dirs_exist_ok=True)
        assert [each.name for each in house.in_inbox()] == ["a.dcm", "b.dcm.part"]
        listing = scan_inbox(house.settings.daemon.inbox, RULES)
        assert (listing.drops, listing.unfinished) == ({}, {})
        assert (await verify(house.settings)).files["not_sent_yet"] == 2
    async with open_house(tmp_path) as house:
        assert house.in_inbox() == []


async def test_a_form_that_fails_at_its_end_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("daemon.intake.uploads.sync_tree", full)
    async with open_house(tmp_path) as house:
        assert (await house.upload({"a.dcm": b"1", "b.dcm": b"2"}))[0] == 500
        assert house.in_inbox() == []
        assert not any((tmp_path / "inbox" / HOLDING).iterdir())


async def test_old_ones_go_and_fresh_ones_stay(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        old, fresh = await begin(house), await begin(house)
        place = tmp_path / "inbox" / HOLDING
        os.utime(place / old, (1, 1))
        clear_staged(tmp_path / "inbox")
        assert [folder.name for folder in place.iterdir()] == [fresh]
        status, text = await put(house, old, "a.nii", b"1")
        assert status == 409
        assert "choose the files again" in text


async def _until(house: House, files: int) -> None:
    async with asyncio.timeout(5):
        while len(house.in_inbox()) != files:  # noqa: ASYNC110 - the server does it in its time
            await asyncio.sleep(0.01)
