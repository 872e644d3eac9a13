"""Attacks on logins that ask at once, and credentials that outlive what should end them."""

import asyncio
import re
import time
from datetime import date
from pathlib import Path

import pytest

from daemon.index.people import accounts, logins
from daemon.index.people.accounts import Account, find_account, find_bearer
from daemon.index.people.audit import page_of_audit
from daemon.permissions import Role
from daemon.records.accounts import MOST_IN_LINE, Passwords, link_for
from tests.viewer.test_house import House, open_house
from viewer.sessions import PASSWORDS, RECORDS

RIGHT = "a long and right secret"


async def with_password(house: House, name: str = "N. Urse") -> Account:
    """The account, which has the right password from now on; the browser comes in anew."""
    found = await find_account(house.app[RECORDS], name)
    assert found is not None
    kept = await Passwords().hash(RIGHT, name)
    await accounts.set_password(house.app[RECORDS], found.account_id, kept)
    await house.come_in(name)
    changed = await find_account(house.app[RECORDS], name)
    assert changed is not None
    return changed


async def test_who_asks_at_once_gets_no_more_guesses(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await with_password(house)
        house.client.session.cookie_jar.clear()

        async def log_in(password: str) -> tuple[int, str]:
            fields = {"name": "N. Urse", "password": password}
            answer = await house.client.post("/login", data=fields, allow_redirects=False)
            return answer.status, await answer.text()

        guesses = [log_in(f"guess {number} of many") for number in range(60)]
        answers = await asyncio.gather(*guesses, log_in(RIGHT))
        looked_at = [each for each in answers if "Incorrect user name" in each[1]]
        assert len(looked_at) <= logins.FREE_FAILURES
        assert 303 not in {status for status, _ in answers}
        said = await page_of_audit(house.app[RECORDS])
        assert len([e for e in said if e.action == "login refused"]) == len(looked_at)


async def test_a_session_is_no_way_to_guess_its_password(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        account = await with_password(house)
        new = {"new": "another long secret", "again": "another long secret"}
        paths = ["/account/password", "/account/tokens"] * 10
        ends = date.today().isoformat()
        more = {"label": "a", "role": "reader", "ends_on": ends, **new}
        tried = [house.post(path, {"old": f"guess {n}", **more}) for n, path in enumerate(paths)]
        right = house.post("/account/password", {"old": RIGHT, **new})
        answers = await asyncio.gather(*tried, right)
        assert {status for status, _ in answers} == {403}
        wrong = [text for _, text in answers if "current password is incorrect" in text]
        assert 0 < len(wrong) <= logins.FREE_FAILURES
        now = await find_account(house.app[RECORDS], "N. Urse")
        assert now == account
        assert await accounts.tokens_of(house.app[RECORDS], account.account_id) == []


async def test_the_line_of_those_who_log_in_is_short(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        account = await with_password(house)
        passwords, records = house.app[PASSWORDS], house.app[RECORDS]
        fields = {"name": "N. Urse", "password": RIGHT}
        line = [
            asyncio.create_task(passwords.is_right("guess", account.password_hash))
            for _ in range(MOST_IN_LINE)
        ]
        await asyncio.sleep(0)
        answer = await house.client.post("/login", data=fields, allow_redirects=False)
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"
        assert "Too many people log in just now" in await answer.text()
        assert await asyncio.gather(*line) == [False] * MOST_IN_LINE
        assert await records.rows("SELECT 1 FROM login_failures") == []  # nobody failed
        answer = await house.client.post("/login", data=fields, allow_redirects=False)
        assert answer.status == 303


async def test_wrong_links_are_slow_and_fill_no_audit(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False) as house:
        secret = await link_for(house.app[RECORDS], "ada", Role.READER, 60)

        async def enter(token: str) -> tuple[int, str]:
            data = {"token": token}
            answer = await house.client.post("/enter", data=data, allow_redirects=False)
            return answer.status, await answer.text()

        answers = await asyncio.gather(*(enter(f"guess{number}") for number in range(40)))
        assert {status for status, _ in answers} == {403}
        assert len(await page_of_audit(house.app[RECORDS])) <= logins.FREE_FAILURES
        assert (await enter(secret))[0] == 403  # also who is right waits, as for a password
        await house.app[RECORDS].change("UPDATE login_failures SET at = at - 120")
        assert (await enter(secret))[0] == 303


@pytest.mark.parametrize(
    "how", ["own password", "reset", "log out everywhere", "an admin's", "disabled"]
)
async def test_nothing_of_before_lets_in_after(tmp_path: Path, how: str) -> None:
    async with open_house(tmp_path) as house:
        account, records = await with_password(house), house.app[RECORDS]
        number, kept = account.account_id, account.password_hash
        stolen = await logins.begin_session(records, number, kept)
        token = await accounts.add_token(records, number, "a", Role.READER, date.today(), kept)
        link = await logins.add_link(records, number, 60)
        if how == "own password":
            new = "another long secret"
            fields = {"old": RIGHT, "new": new, "again": new}
            assert (await house.post("/account/password", fields))[0] == 303
        elif how == "log out everywhere":
            assert (await house.post("/logout", {"everywhere": "1"}))[0] == 303
        else:
            await house.come_in("Other")
            do = {"reset": "link", "an admin's": "end", "disabled": "disable"}[how]
            assert (await house.post(f"/accounts/{number}", {"do": do}))[0] in (200, 303)
        limits = logins.Limits(900, 3600)
        assert await logins.find_session(records, stolen, limits) is None
        assert await find_bearer(records, token, date.today()) is None
        assert await logins.use_link(records, link) is None
        [listed] = await accounts.tokens_of(records, number)
        assert listed.revoked


async def test_the_second_link_ends_the_first(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        other = await accounts.add_account(house.app[RECORDS], "ada", "Ada", Role.READER, "")
        assert other is not None
        made = []
        for _ in range(2):
            _, page = await house.post(f"/accounts/{other.account_id}", {"do": "link"})
            found = re.search(r"token=([-\w]+)", page)
            assert found is not None
            made.append(found[1])
        assert await logins.use_link(house.app[RECORDS], made[0]) is None
        assert await logins.use_link(house.app[RECORDS], made[1])


async def test_a_password_that_changes_while_it_is_looked_at_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path) as house:
        account, records = await with_password(house), house.app[RECORDS]
        real = house.app[PASSWORDS].is_right

        async def slow(password: str, kept: str) -> bool:
            right = await real(password, kept)
            await accounts.set_password(records, account.account_id, "$argon2id$another")
            return right

        monkeypatch.setattr(house.app[PASSWORDS], "is_right", slow)
        fields = {"name": "N. Urse", "password": RIGHT}
        answer = await house.client.post("/login", data=fields, allow_redirects=False)
        assert answer.status == 403
        assert await records.rows("SELECT 1 FROM login_sessions") == []


async def test_a_token_is_made_for_who_knows_the_password(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        fields = {"label": "a", "role": "reader", "ends_on": date.today().isoformat()}
        status, page = await house.post("/account/tokens", fields)
        assert (status, "choose a password first" in page) == (403, True)
        account = await with_password(house)
        assert (await house.post("/account/tokens", fields))[0] == 403
        assert (await house.post("/account/tokens", {**fields, "old": "wrong guess"}))[0] == 403
        assert await accounts.tokens_of(house.app[RECORDS], account.account_id) == []
        status, page = await house.post("/account/tokens", {**fields, "old": RIGHT})
        assert (status, "glw_" in page) == (200, True)


async def test_what_was_noted_while_the_clock_was_ahead_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path, enter=False) as house:
        records = house.app[RECORDS]
        made = await accounts.add_account(records, "ada", "Ada", Role.READER, "")
        assert made is not None
        real = time.time
        with monkeypatch.context() as ahead:
            ahead.setattr("time.time", lambda: real() + 86_400)
            for _ in range(logins.FREE_FAILURES + 1):
                await logins.count_attempt(records, ("account ada",))
            session = await logins.begin_session(records, made.account_id, "")
            link = await logins.add_link(records, made.account_id, logins.LONGEST_LINK)
        assert (await logins.count_attempt(records, ("account ada",))).wait == 0
        limits = logins.Limits(900, 43_200)
        assert await logins.find_session(records, session, limits) is None
        assert await logins.use_link(records, link) is None
        await logins.sweep_sessions(records, limits)
        assert await records.rows("SELECT 1 FROM login_sessions") == []
