"""Uploads of any names, parts and bytes: none leaves the inbox, and none is a fault."""

import asyncio
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from daemon.intake.uploads import HOLDING
from tests.viewer.api.test_api import token_of
from tests.viewer.test_house import House, open_house
from tests.viewer.upload.test_staging import begin

pytestmark = pytest.mark.long

EDGE = b"edge"
PIECES = ["..", ".", "/", "\\", "\x00", "\r\n", '"', "%2e%2e%2f", "a", ".nii.gz", ".part", "~", "ü"]
NAMES = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.sampled_from(["../" * depth + "evil.nii" for depth in range(1, 9)]),
    st.sampled_from(["x" * 5000, "d/" * 300 + "a.nii", "/etc/evil.nii", "C:\\evil.nii", ".hidden"]),
)
FIELDS = st.sampled_from(["csrf", "patient", "files", "other", ""])
PARTS = st.lists(st.tuples(FIELDS, NAMES, st.booleans(), st.binary(max_size=60)), max_size=4)
ENDS = st.one_of(st.just(b""), st.binary(max_size=80))
WAYS = st.sampled_from(["form", "api", "held"])


@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader")
@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionParam")
async def test_whatever_is_uploaded_stays_in_the_inbox_and_is_no_fault(tmp_path: Path) -> None:
    folder = tmp_path / "far" / "down"
    folder.mkdir(parents=True)
    async with open_house(folder) as house:
        key, token = await house.add_patient("P1"), await token_of(house)
        upload, loop = await begin(house), asyncio.get_running_loop()
        before, answers = outside(tmp_path, house), Counter[int]()

        async def send(way: str, start: bool, patient: str, parts: list[bytes], name: str) -> None:
            if way == "held":
                headers = {"X-CSRF-Token": house.csrf, "X-File-Path": quote(name)}
                path = f"/upload/held/{upload}/files"
                sent = house.client.put(path, data=b"".join(parts), headers=headers)
            else:
                head = [part("csrf", "", house.csrf.encode())] if way == "form" else []
                head += [part("patient", "", patient.encode())]
                body = b"".join([*(head if start else []), *parts, b"--" + EDGE + b"--\r\n"])
                kind = {"Content-Type": "multipart/form-data; boundary=edge"}
                kind |= token if way == "api" else {}
                path = "/upload" if way == "form" else "/api/v1/uploads"
                sent = house.client.post(path, data=body, headers=kind, allow_redirects=False)
            answer = await sent
            answers[answer.status] += 1
            assert answer.status < 500, await answer.text()

        patients = st.sampled_from([key, "unassigned", "P1", "..", "../..", "\x00"])

        @seed(11)
        @settings(
            max_examples=800,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(WAYS, st.booleans(), patients, PARTS, ENDS, NAMES)
        def try_one(
            way: str,
            start: bool,
            patient: str,
            parts: list[tuple[str, str, bool, bytes]],
            end: bytes,
            name: str,
        ) -> None:
            made = [part(field, each if is_file else "", b) for field, each, is_file, b in parts]
            coming = send(way, start, patient, [*made, end], name)
            asyncio.run_coroutine_threadsafe(coming, loop).result()
            assert outside(tmp_path, house) == before

        await asyncio.to_thread(try_one)
        assert {201, 204, 303, 400, 403} <= answers.keys()
        inbox = house.settings.daemon.inbox
        assert {each.name for each in inbox.iterdir()} <= {"P1", "unassigned", HOLDING}
        assert len(house.in_inbox()) > 30


def part(field: str, file: str, content: bytes) -> bytes:
    """One part of a form as its bytes; file: its name, or '' for a plain field."""
    named = f'; filename="{file}"'.encode("utf-8", "replace") if file else b""
    head = b'Content-Disposition: form-data; name="' + field.encode() + b'"' + named
    return b"--" + EDGE + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def outside(top: Path, house: House) -> dict[Path, int]:
    """Every file beside the inbox with its size, the databases left out."""
    inbox = house.settings.daemon.inbox
    found = (path for path in top.rglob("*") if not path.is_relative_to(inbox))
    return {path: path.stat().st_size for path in found if ".sqlite" not in path.name}
