"""Tokens of the API: who has none that counts is told so, and one is worth what its account is."""

from pathlib import Path

import pytest

from daemon.index.people import accounts
from daemon.index.people.accounts import find_account, revoke_token, tokens_of
from daemon.index.people.audit import page_of_audit
from daemon.index.people.logins import FREE_FAILURES
from daemon.permissions import Role
from tests.viewer.api.test_api import ask, token_of
from tests.viewer.test_house import open_house
from viewer.sessions import RECORDS


async def test_who_has_no_right_token_is_told_so_in_one_form(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        records, none = house.app[RECORDS], dict[str, str]()
        assert (await ask(house, "GET", "worklist", none))[0] == 200  # by the session
        status, said = await ask(house, "POST", "searches", none, {"text": "a"})
        assert (status, "token" in said) == (403, True)
        reader = await token_of(house, Role.READER)
        status, said = await ask(house, "POST", "queue", reader, {"action": "pause"})
        assert (status, "right to queue" in said) == (403, True)
        assert (await ask(house, "GET", "nothing", reader))[0] == 404
        assert (await ask(house, "DELETE", "patients", reader))[0] == 405
        late = await token_of(house, days=-1)
        assert (await ask(house, "GET", "worklist", late))[0] == 401
        (await house.client.get("/", headers=reader)).raise_for_status()  # the session's page
        house.client.session.cookie_jar.clear()
        assert (await house.client.get("/", headers=reader)).status == 401
        assert (await ask(house, "GET", "worklist", none))[0] == 401
        assert (await ask(house, "GET", "worklist", reader))[0] == 200
        wrong = {"Authorization": "Bearer glw_\u00e4"}
        tried = [(await ask(house, "GET", "system", wrong))[0] for _ in range(FREE_FAILURES + 4)]
        assert tried[0] == 401
        assert 429 in tried
        assert (await ask(house, "GET", "worklist", reader))[0] == 200  # nobody else is locked out
        audit = [(e.account, e.action, e.detail) for e in await page_of_audit(records)]
        assert ("-", "login refused", "token") in audit
        assert any(who == "N. Urse" and "by token" in detail for who, _, detail in audit)


@pytest.mark.parametrize("how", ["revoked", "disabled", "lower role"])
async def test_a_token_is_worth_what_its_account_is_now(tmp_path: Path, how: str) -> None:
    async with open_house(tmp_path) as house:
        records, token = house.app[RECORDS], await token_of(house)
        found = await find_account(records, "N. Urse")
        assert found is not None
        await accounts.add_account(records, "second", "Second", Role.ADMIN, "")
        if how == "revoked":
            await revoke_token(records, (await tokens_of(records, found.account_id))[0].token_id)
        elif how == "disabled":
            await accounts.set_enabled(records, found.account_id, False)
        else:
            await accounts.set_role(records, found.account_id, Role.READER)
        read = (await ask(house, "GET", "worklist", token))[0]
        written = (await ask(house, "POST", "queue", token, {"action": "pause"}))[0]
        assert (read, written) == ((200, 403) if how == "lower role" else (401, 401))
