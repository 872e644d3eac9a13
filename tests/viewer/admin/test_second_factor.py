"""The pages of the second factor: set up, asked for at the login, turned off, taken away."""

import re
import time
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from daemon.index.people.second_factors import accounts_with_factor
from daemon.permissions import Role
from daemon.records.second_factor import STEP, code_at
from tests.viewer.test_house import House, open_house
from tests.viewer.test_logins import RIGHT, with_password
from viewer.admin.second_factor import qr_code
from viewer.sessions import RECORDS

CODES = re.compile(r"<code>([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})</code>")


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many logins are tried."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("daemon.records.accounts.HASHER", quick)


async def set_up(house: House) -> tuple[str, list[str]]:
    """The secret of the phone, and the recovery codes."""
    status, page = await house.post("/account/factor", {"old": RIGHT})
    found = re.search(r"<dd><code>([A-Z2-7 ]+)</code>", page)
    assert status == 200
    assert found is not None
    secret = found[1].replace(" ", "")
    wrong = await house.post("/account/factor/on", {"secret": found[1], "code": "000000x"})
    assert (wrong[0], "not valid" in wrong[1]) == (403, True)
    assert found[1] in wrong[1]
    for other in ("", "A" * 32):  # who has the session alone learns no secret
        refused = await house.post("/account/factor/on", {"secret": other, "code": "000000"})
        assert (refused[0], found[1] in refused[1]) == (403, False)
    code = code_at(secret, int(time.time()) // STEP - 1)  # leaves those of now and of later
    status, page = await house.post("/account/factor/on", {"secret": secret, "code": code})
    assert status == 200
    return secret, CODES.findall(page)


async def log_in(house: House, code: str) -> tuple[int, str]:
    house.client.session.cookie_jar.clear()
    fields = {"name": "N. Urse", "password": RIGHT, "next": "/patients"}
    answer = await house.client.post("/login", data=fields, allow_redirects=False)
    page = await answer.text()
    half = re.search(r'name="half" value="([^"]+)"', page)
    assert half is not None
    assert "Set-Cookie" not in answer.headers
    assert (await house.client.get("/")).status == 401
    data = {"half": half[1], "code": code, "next": "/patients"}
    answer = await house.client.post("/login/code", data=data, allow_redirects=False)
    return answer.status, answer.headers.get("Location", await answer.text())


async def test_a_second_factor_from_its_picture_to_its_end(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        account = await with_password(house)
        assert (await house.post("/account/factor", {"old": "wrong guess"}))[0] == 403
        secret, codes = await set_up(house)
        assert len(codes) == 10
        assert not CODES.search(await house.page("/account"))
        assert (await house.post("/account/factor", {"old": RIGHT}))[0] == 409
        status, page = await log_in(house, "123")
        assert (status, 'name="half"' in page) == (403, True)
        code = code_at(secret, int(time.time()) // STEP)
        assert await log_in(house, code) == (303, "/patients")
        assert (await log_in(house, code))[0] == 403
        assert await log_in(house, codes[0]) == (303, "/patients")
        found = re.search(r'name="csrf" value="([^"]+)"', page := await house.page("/account"))
        assert found is not None
        assert "9 recovery codes are left" in page
        house.csrf = found[1]
        for fields in ({"old": RIGHT, "code": code}, {"old": "wrong", "code": codes[1]}):
            assert (await house.post("/account/factor/off", fields))[0] == 403
        fields = {"old": RIGHT, "code": codes[2]}
        assert (await house.post("/account/factor/off", fields))[0] == 303
        assert account.account_id not in await accounts_with_factor(house.app[RECORDS])


async def test_an_admin_takes_it_away_and_nobody_else_does(tmp_path: Path) -> None:
    async with open_house(tmp_path, role=Role.READER) as house:
        account = await with_password(house)
        await set_up(house)
        place = f"/accounts/{account.account_id}"
        assert (await house.post(place, {"do": "factor"}))[0] == 403
        await house.come_in("Other")
        assert "with second factor" in await house.page("/accounts")
        assert (await house.post(place, {"do": "factor"}))[0] == 303
        assert await accounts_with_factor(house.app[RECORDS]) == frozenset()


async def test_who_has_no_password_has_no_second_factor(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert (await house.post("/account/factor", {"old": ""}))[0] == 403


def test_the_picture_is_a_qr_code_with_its_three_corners() -> None:
    picture = qr_code("otpauth://totp/gliowatch:ada?secret=ABC")
    drawn = re.findall(r"M(\d+) (\d+)h1", picture.dark)
    dark = {(int(column), int(row)) for column, row in drawn}
    side = picture.side - 8
    corner = {(c, r) for c in range(7) for r in range(7) if 0 in (c, r) or 6 in (c, r)}
    for left, top in ((4, 4), (side - 3, 4), (4, side - 3)):
        assert {(c + left, r + top) for c, r in corner} <= dark
    assert min(min(place) for place in dark) == 4
