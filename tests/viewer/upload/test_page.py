"""Upload: into the inbox and nowhere else, whole or not at all, only from our own form."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import ClientError, FormData

from tests.viewer.test_house import House, open_house

LARGE = b"0" * 1_200_000


def _outside(folder: Path) -> set[str]:
    """What lies in the house's folder beside the inbox and the databases."""
    return {p.name for p in folder.iterdir() if ".sqlite" not in p.name} - {"inbox"}


async def test_files_land_in_the_patients_folder(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        key = await house.add_patient("P1", name="Ada")
        assert f'value="{key}" selected' in await house.page(f"/upload?patient={key}")
        files = {"a.dcm": b"one", "b.dcm": LARGE[:700_000], "empty": b""}
        assert await house.upload(files, key) == (303, "/?received=3")
        found = house.in_inbox()
        assert {file.name: file.read_bytes() for file in found} == files
        assert len({file.parent for file in found}) == 1
        assert found[0].parent.parent == tmp_path / "inbox" / "P1"


@pytest.mark.parametrize(
    "name",
    [
        "../../../../evil.nii",
        "..\\..\\evil.nii",
        "/etc/evil.nii",
        ".hidden.nii",
        "x" * 300 + ".nii.gz",
        "\u00fc \u4e2d\u6587.nii",
        "..",
    ],
)
async def test_names_never_lead_out(tmp_path: Path, name: str) -> None:
    async with open_house(tmp_path) as house:
        await house.upload({name: b"content"})
        found = house.in_inbox()
        assert len(found) <= 1
        for file in found:
            assert file.parent.parent == tmp_path / "inbox" / "unassigned"
            assert file.read_bytes() == b"content"
            assert not file.name.startswith(".")
        assert _outside(tmp_path) == {"outbox"}
        assert not any((tmp_path / "outbox").iterdir())


async def test_a_name_with_a_nul_byte(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        parts = [
            f'Content-Disposition: form-data; name="csrf"\r\n\r\n{house.csrf}',
            'Content-Disposition: form-data; name="patient"\r\n\r\nunassigned',
            "Content-Disposition: form-data; name=\"files\"; filename*=utf-8''a%00b.nii\r\n\r\nx",
        ]
        body = "".join(f"--edge\r\n{part}\r\n" for part in parts) + "--edge--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=edge"}
        answer = await house.client.post("/upload", data=body.encode(), headers=kind)
        assert answer.status == 200
        assert [file.name for file in house.in_inbox()] == ["a_b.nii"]


async def test_the_same_name_twice_keeps_both(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert (await house.upload({"a/s.nii.gz": b"1", "b/s.nii.gz": b"2"}))[0] == 303
        assert [file.read_bytes() for file in house.in_inbox()] in ([b"1", b"2"], [b"2", b"1"])


async def test_no_file_chosen(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        status, page = await house.upload({})
        assert status == 400
        assert "No file was chosen." in page
        form = FormData(default_to_multipart=True)
        form.add_field("csrf", house.csrf)
        form.add_field("patient", "unassigned")
        form.add_field("files", b"", filename="")
        assert (await house.client.post("/upload", data=form)).status == 400
        assert house.in_inbox() == []


async def test_too_large_leaves_nothing_behind(tmp_path: Path) -> None:
    async with open_house(tmp_path, max_upload_mb=1) as house:
        status, page = await house.upload({"a.nii": LARGE})
        assert status == 413
        assert "larger than 1 megabytes" in page
        assert await house.upload({"a.nii": LARGE[:1_000_000]}) == (303, "/?received=1")
        assert len(house.in_inbox()) == 1


async def test_too_large_while_it_streams(tmp_path: Path) -> None:
    """Without a Content-Length the bytes are counted as they come, over all files."""

    async def slowly() -> AsyncIterator[bytes]:
        yield LARGE[:600_000]
        yield LARGE[:600_000]

    async with open_house(tmp_path, max_upload_mb=1) as house:
        form = _form(house)
        form.add_field("files", LARGE[:300_000], filename="first.nii")
        form.add_field("files", slowly(), filename="second.nii")
        answer = await house.client.post("/upload", data=form)
        assert answer.status == 413
        assert house.in_inbox() == []


async def test_a_lost_connection_leaves_nothing_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield LARGE[:600_000]
        await _until(lambda: len(house.in_inbox()) == 1)
        raise OSError("the cable is out")

    async with open_house(tmp_path) as house:
        form = _form(house)
        form.add_field("files", breaks_off(), filename="a.nii")
        with pytest.raises((ClientError, OSError)):
            await house.client.post("/upload", data=form)
        await _until(lambda: not house.in_inbox())
    assert "failed" not in caplog.text


async def test_the_csrf_field_must_come_first(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert (await house.upload({"a.nii": b"1"}, csrf="wrong"))[0] == 403
        form = FormData(default_to_multipart=True)
        form.add_field("files", b"1", filename="a.nii")
        form.add_field("csrf", house.csrf)
        assert (await house.client.post("/upload", data=form)).status == 403
        long = await house.upload({"a.nii": b"1"}, csrf="x" * 100_000)
        assert long[0] == 403
        assert house.in_inbox() == []


async def test_unknown_patients_and_broken_forms(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        status, page = await house.upload({"a.nii": b"1"}, patient="nobody")
        assert status == 400
        assert "There is no such patient." in page
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        for body in (b"", b"no boundary at all", b"--x\r\n\r\nno end"):
            answer = await house.client.post("/upload", data=body, headers=kind)
            assert answer.status in (400, 403), body
        no_boundary = {"Content-Type": "multipart/form-data"}
        answer = await house.client.post("/upload", data=b"x", headers=no_boundary)
        assert answer.status in (400, 403)
        assert house.in_inbox() == []


async def _until(happened: Callable[[], bool]) -> None:
    """Wait at most five seconds for something that the server does in its own time."""
    for _ in range(500):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def _form(house: House) -> FormData:
    """The upload form up to its files."""
    form = FormData(default_to_multipart=True)
    form.add_field("csrf", house.csrf)
    form.add_field("patient", "unassigned")
    return form
