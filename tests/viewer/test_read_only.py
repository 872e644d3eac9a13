"""A demonstration: `viewer.read_only` refuses all that is sent, and the profile of deploy/demo."""

import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from daemon.outputs.catalogue import text
from daemon.permissions import Role
from daemon.settings import load_settings
from tests.conftest import ROOT
from tests.viewer.test_access import _addresses
from tests.viewer.test_house import open_house

PROFILE = ROOT / "deploy" / "demo" / "settings.toml"
REFUSAL = text("fault.read_only")
OF_A_VISIT = ("/login", "/login/code", "/enter", "/logout", "/activity", "/searches")


@pytest.mark.parametrize("role", [Role.READER, Role.ADMIN])
async def test_all_that_is_sent_is_refused(tmp_path: Path, role: Role) -> None:
    async with open_house(tmp_path, role=role, read_only=True) as house:
        before = everything(tmp_path)
        sent = 0
        for (method, pattern), (_, path) in _addresses(house.app).items():
            if method in ("GET", "HEAD") or pattern in OF_A_VISIT:
                continue
            answer = await house.client.request(method, path, data={"csrf": house.csrf})
            said = await answer.text()
            assert answer.status == 403, (method, path)
            assert (
                REFUSAL in said or role is Role.READER or pattern.startswith(("/api", "/dicom-web"))
            ), path
            sent += 1
        assert sent > 30
        assert (await house.upload({"a.nii": b"anything"}))[0] == 403
        assert everything(tmp_path) == before
        assert "Worklist" in await house.page("/")


def everything(folder: Path) -> dict[str, bytes]:
    """What lies below inbox and outbox."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for place in ("inbox", "outbox")
        for path in (folder / place).rglob("*")
    }


async def test_a_visitor_comes_in_searches_and_goes(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.READER, read_only=True) as house:
        status, _ = await house.post("/activity", {})
        assert status < 400
        status, place = await house.post("/logout", {})
        assert (status, urlsplit(place).path) == (303, "/login")


async def test_without_the_setting_the_same_is_taken(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        status, _ = await house.post("/patients", {"patient_id": "P9"})
        assert status == 303


def test_the_profile_is_a_demonstration() -> None:
    settings = load_settings(PROFILE)
    assert settings.viewer.read_only
    assert (settings.dicom.on, settings.dicom.stow, settings.dicom.send) == (False, False, ())
    told = tomllib.loads(PROFILE.read_text())
    assert set(told) == {"daemon", "viewer", "dicom"}
