"""Login by OpenID Connect: who comes in and as whom, and every lie that a provider or a person
between could tell."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from aiohttp.test_utils import TestClient
from joserfc.jwk import RSAKey

from daemon.index.people import accounts
from daemon.index.people.audit import page_of_audit
from daemon.permissions import Role
from daemon.records.hospital_accounts import plain_name
from daemon.settings.login import LoginSettings, OidcProvider
from tests.viewer.hospital_login.lying_provider import (
    CLIENT,
    SECRET,
    LyingProvider,
    lying_provider,
)
from tests.viewer.test_house import House, _Server, settings_in
from viewer.app import make_app
from viewer.login import COOKIE
from viewer.sessions import RECORDS

TRIP = "gliowatch_round_trip"


@asynccontextmanager
async def house_with(folder: Path, *providers: LyingProvider) -> AsyncIterator[House]:
    """A viewer that lets in whom these providers tell: "clinic", and "lab"."""
    (folder / "secret").write_text(SECRET + "\n")
    tables = tuple(
        OidcProvider(
            name=name,
            label=f"The {name}",
            issuer=each.issuer,
            client_id=CLIENT,
            secret_file=str(folder / "secret"),
            readers=("mri",),
            admins=("it",),
        )
        for name, each in zip(("clinic", "lab"), providers, strict=False)
    )
    settings = settings_in(folder).model_copy(update={"login": LoginSettings(oidc=tables)})
    app = make_app(settings)
    async with TestClient(_Server(app)) as client:
        yield House(client, app, settings)


@pytest.fixture
async def provider() -> AsyncIterator[LyingProvider]:
    async with lying_provider() as made:
        yield made


@pytest.fixture
async def house(tmp_path: Path, provider: LyingProvider) -> AsyncIterator[House]:
    async with house_with(tmp_path, provider) as made:
        yield made


async def begin(house: House, way: str = "clinic", wanted: str = "/") -> dict[str, str]:
    """What the browser is sent to the provider with."""
    path = f"/login/oidc/{way}?next={quote(wanted)}"
    answer = await house.client.get(path, allow_redirects=False)
    assert answer.status == 303, await answer.text()
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


async def come_back(house: House, way: str = "clinic", **query: str) -> tuple[int, str]:
    answer = await house.client.get(f"/login/oidc/{way}/back", params=query, allow_redirects=False)
    return answer.status, await answer.text()


async def log_in(house: House, provider: LyingProvider, way: str = "clinic") -> tuple[int, str]:
    """The whole way there and back."""
    asked = await begin(house, way)
    return await come_back(house, way, code=provider.code_for(asked), state=asked["state"])


def keys(house: House) -> list[str]:
    return [each.key for each in house.client.session.cookie_jar]


async def account(house: House, name: str) -> accounts.Account | None:
    return await accounts.find_account(house.app[RECORDS], name)


async def test_a_person_comes_in_with_the_role_of_the_group(
    house: House, provider: LyingProvider
) -> None:
    provider.claims |= {"preferred_username": "ada", "name": "Dr. Ada Lovelace"}
    assert "The clinic" in await house.page("/login")
    asked = await begin(house, wanted="/patients")
    assert asked["redirect_uri"] == str(house.client.make_url("/login/oidc/clinic/back"))
    status, page = await come_back(house, code=provider.code_for(asked), state=asked["state"])
    assert (status, 'content="0; url=/patients"' in page) == (200, True)
    assert "Dr. Ada Lovelace" in await house.page("/patients")
    known = await account(house, "ada (clinic)")
    assert known is not None
    assert (known.role, known.issuer) == (Role.READER, provider.issuer)
    said = await page_of_audit(house.app[RECORDS])
    assert ("ada (clinic)", "login", "clinic") in {(e.account, e.action, e.detail) for e in said}
    assert TRIP not in keys(house)


async def test_the_role_is_that_of_the_newest_login_and_who_has_none_is_out(
    house: House, provider: LyingProvider
) -> None:
    provider.claims["groups"] = ["mri", "it"]
    assert (await log_in(house, provider))[0] == 200
    assert (await house.client.get("/accounts")).status == 200
    provider.claims["groups"] = "mri"  # as some providers tell a single one
    assert (await log_in(house, provider))[0] == 200
    assert (await house.client.get("/accounts")).status == 403
    provider.claims["groups"] = ["cleaning"]
    status, page = await log_in(house, provider)
    assert (status, "have no role here" in page) == (403, True)
    assert (await house.client.get("/")).status == 401
    assert await house.app[RECORDS].rows("SELECT 1 FROM login_sessions") == []
    said = await page_of_audit(house.app[RECORDS])
    assert (said[0].account, said[0].detail) == ("248289 (clinic)", "clinic: no role")
    roles = [each.detail for each in said if (each.account, each.action) == ("clinic", "change")]
    assert roles == ["role reader", "added admin"]


async def test_one_name_at_two_issuers_and_here_are_three_people(
    tmp_path: Path, provider: LyingProvider
) -> None:
    async with lying_provider() as other, house_with(tmp_path, provider, other) as house:
        await house.come_in("ada", Role.READER)  # an account of gliowatch
        for each, way in ((provider, "clinic"), (other, "lab")):
            each.claims |= {"preferred_username": "ada", "email": "ada@hospital.example"}
            each.claims["groups"] = ["it"]
            assert (await log_in(house, each, way))[0] == 200
        provider.claims["sub"] = "another person, years later"
        assert (await log_in(house, provider))[0] == 200
        listed = await accounts.list_accounts(house.app[RECORDS])
        names = {(each.name, each.role) for each in listed}
        admins = {(name, Role.ADMIN) for name in ("ada (clinic)", "ada (lab)", "ada 2 (clinic)")}
        assert names == {("ada", Role.READER)} | admins


async def test_what_the_hospital_keeps_is_not_changed_here(
    house: House, provider: LyingProvider
) -> None:
    await log_in(house, provider)
    found = re.search(r'name="csrf" value="([^"]+)"', page := await house.page("/account"))
    assert found is not None
    house.csrf = found[1]
    assert "no API tokens" in page
    new = {"new": "a long new secret", "again": "a long new secret"}
    assert (await house.post("/account/password", new))[0] == 403
    token = {"label": "a", "role": "reader", "ends_on": "2099-01-01"}
    assert (await house.post("/account/tokens", token))[0] == 403
    known = await account(house, "248289 (clinic)")
    assert known is not None
    house.client.session.cookie_jar.clear()
    await house.come_in("an admin")
    for do in ({"do": "link"}, {"do": "role", "role": "admin"}):
        status, page = await house.post(f"/accounts/{known.account_id}", do)
        assert (status, "keeps the role and the password" in page) == (403, True)
    assert (await house.post(f"/accounts/{known.account_id}", {"do": "disable"}))[0] == 303
    assert await account(house, known.name) != known
    house.client.session.cookie_jar.clear()
    status, page = await log_in(house, provider)
    assert (status, "disabled here" in page) == (403, True)


async def test_an_admin_of_the_hospital_is_not_the_one_for_the_emergency(
    house: House, provider: LyingProvider
) -> None:
    await house.come_in("an admin")
    own = await account(house, "an admin")
    provider.claims["groups"] = ["it"]
    await log_in(house, provider)
    assert own is not None
    with pytest.raises(accounts.LastAdmin):
        await accounts.set_enabled(house.app[RECORDS], own.account_id, False)


LIES: tuple[dict[str, Any], ...] = (
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another program"},
    {"aud": [CLIENT, "another program"]},  # without azp
    {"aud": [CLIENT], "azp": "another program"},
    {"aud": None},
    {"iss": "https://login.evil.example"},
    {"exp": 1_000_000_000},
    {"exp": None},
    {"iat": 9_999_999_999},
    {"nbf": 9_999_999_999},
    {"sub": ""},
    {"sub": None},
    {"sub": ["248289"]},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
)


async def refused(house: House, provider: LyingProvider) -> bool:
    """Whether a whole trip ends at the login page, with nothing left of it."""
    status, page = await log_in(house, provider)
    await house.app[RECORDS].change("DELETE FROM login_failures")
    rows = await house.app[RECORDS].rows("SELECT 1 FROM accounts")
    return (status, "could not be checked" in page, rows, COOKIE in keys(house)) == (
        *(403, True),
        *([], False),
    )


async def test_a_token_that_lies_lets_nobody_in(house: House, provider: LyingProvider) -> None:
    for lie in LIES:
        provider.lie = lie
        assert await refused(house, provider), lie
    provider.lie = {}
    assert (await log_in(house, provider))[0] == 200


async def test_a_token_that_anybody_could_sign_lets_nobody_in(
    house: House, provider: LyingProvider
) -> None:
    told = ["none", "HS256", "ES256"]
    provider.metadata["id_token_signing_alg_values_supported"] = told
    for algorithm in ("none", "HS256"):
        provider.algorithm = algorithm
        assert await refused(house, provider), algorithm
    for token in ("?", "a.b.c", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "eyJhbGciOiJFUzI1NiJ9.e30."):
        provider.token = token
        assert await refused(house, provider), token


async def test_a_signature_by_a_key_of_somebody_else_lets_nobody_in(
    house: House, provider: LyingProvider
) -> None:
    await log_in(house, provider)
    told = provider.key
    provider.new_key("one")  # the same name, another key
    assert (await log_in(house, provider))[0] == 403
    provider.key = told
    assert (await log_in(house, provider))[0] == 200


async def test_a_new_key_is_fetched_once(house: House, provider: LyingProvider) -> None:
    assert (await log_in(house, provider))[0] == 200
    assert (await log_in(house, provider))[0] == 200
    assert provider.asked == ["configuration", "keys"]
    provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    provider.algorithm = "RS256"
    assert (await log_in(house, provider))[0] == 200
    assert (await log_in(house, provider))[0] == 200
    assert provider.asked == ["configuration", "keys", "keys"]


async def test_an_answer_without_the_state_of_this_browser_is_refused(
    house: House, provider: LyingProvider
) -> None:
    asked = await begin(house)
    for state in ("", "guess", None):
        code = provider.code_for(asked)
        query = {"code": code} if state is None else {"code": code, "state": state}
        assert (await come_back(house, **query))[0] == 403
        asked = await begin(house)
    stranger = await begin(house)
    house.client.session.cookie_jar.clear()  # the victim's browser, which began nothing
    code = provider.code_for(stranger)
    assert (await come_back(house, code=code, state=stranger["state"]))[0] == 403
    await begin(house)  # or began a trip of its own
    assert (await come_back(house, code=code, state=stranger["state"]))[0] == 403
    assert COOKIE not in keys(house)
    for table in ("login_failures", "audit"):  # any site can lead a browser here
        assert await house.app[RECORDS].rows(f"SELECT 1 FROM {table}") == []


async def test_a_code_and_a_trip_count_once(house: House, provider: LyingProvider) -> None:
    asked = await begin(house)
    [trip] = [each for each in house.client.session.cookie_jar if each.key == TRIP]
    code = provider.code_for(asked)
    assert (await come_back(house, code=code, state=asked["state"]))[0] == 200
    house.client.session.cookie_jar.clear()
    house.client.session.cookie_jar.update_cookies({TRIP: trip.value})
    fresh = provider.code_for(asked)
    assert (await come_back(house, code=fresh, state=asked["state"]))[0] == 403
    again = await begin(house)
    assert (await come_back(house, code=code, state=again["state"]))[0] == 403


async def test_a_stolen_code_is_worth_nothing_in_another_trip(
    house: House, provider: LyingProvider
) -> None:
    victims = await begin(house)
    code = provider.code_for(victims)
    house.client.session.cookie_jar.clear()
    own = await begin(house)
    status, _ = await come_back(house, code=code, state=own["state"])
    assert status == 403  # the verifier is another


async def test_an_answer_of_another_provider_is_refused(
    tmp_path: Path, provider: LyingProvider
) -> None:
    async with lying_provider() as other, house_with(tmp_path, provider, other) as house:
        asked = await begin(house, "clinic")
        code = provider.code_for(asked)
        assert (await come_back(house, "lab", code=code, state=asked["state"]))[0] == 403
        asked = await begin(house, "clinic")
        query = {"code": provider.code_for(asked), "state": asked["state"], "iss": other.issuer}
        assert (await come_back(house, "clinic", **query))[0] == 403
        assert (await house.client.get("/login/oidc/nobody")).status == 404


async def test_groups_are_taken_from_the_user_info_of_the_same_person_alone(
    house: House, provider: LyingProvider
) -> None:
    del provider.claims["groups"]
    provider.user_info = {"sub": "another", "groups": ["it"]}
    assert (await log_in(house, provider))[0] == 403
    provider.user_info = {"sub": "248289", "groups": ["it"], "preferred_username": "ada"}
    assert (await log_in(house, provider))[0] == 200
    known = await account(house, "ada (clinic)")
    assert known is not None
    assert known.role is Role.ADMIN


async def test_a_provider_that_is_away_is_told_and_accounts_of_ours_still_work(
    tmp_path: Path, provider: LyingProvider
) -> None:
    gone = LyingProvider(issuer="http://127.0.0.1:9")
    async with house_with(tmp_path, gone, provider) as house:
        answer = await house.client.get("/login/oidc/clinic")
        page = await answer.text()
        assert (answer.status, "There is no answer from" in page) == (503, True)
        assert 'name="password"' in page
        await house.come_in("an admin")
        assert await house.page("/")
        for wrong in ({"issuer": "https://evil.example"}, {"token_endpoint": "http://10.0.0.9/t"}):
            provider.metadata = wrong
            assert (await house.client.get("/login/oidc/lab")).status == 503


async def test_a_refusal_of_the_provider_is_told(house: House) -> None:
    asked = await begin(house)
    status, page = await come_back(house, error="access_denied", state=asked["state"])
    assert (status, "You were not let in by The clinic" in page) == (403, True)


async def test_next_leads_nowhere_else(house: House, provider: LyingProvider) -> None:
    for target in ("//evil.example", "https://evil.example", "/\\evil.example", "/" + "a" * 2000):
        asked = await begin(house, wanted=target)
        code = provider.code_for(asked)
        status, page = await come_back(house, code=code, state=asked["state"])
        assert (status, 'content="0; url=/"' in page) == (200, True), target


async def test_who_fails_again_and_again_waits(house: House, provider: LyingProvider) -> None:
    provider.lie = {"nonce": "another"}
    for _ in range(5):
        await log_in(house, provider)
    provider.lie = {}
    status, page = await log_in(house, provider)
    assert (status, "Too many failed logins" in page) == (403, True)
    said = await page_of_audit(house.app[RECORDS])
    assert [each.account for each in said if each.action == "login refused"] == ["-"] * 5


async def test_a_logout_leads_to_that_of_the_provider(
    house: House, provider: LyingProvider
) -> None:
    await log_in(house, provider)
    found = re.search(r'name="csrf" value="([^"]+)"', await house.page("/account"))
    assert found is not None
    house.csrf = found[1]
    status, page = await house.post("/logout", {})
    assert (status, 'action="/logout"' in page) == (200, False)
    there = re.search(r'content="0; url=([^"]+)"', page)
    assert there is not None
    address = urlsplit(there[1].replace("&amp;", "&"))
    query = dict(parse_qsl(address.query))
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.issuer}/end"
    assert query["post_logout_redirect_uri"] == str(house.client.make_url("/login"))
    assert query["id_token_hint"].count(".") == 2
    assert (await house.client.get("/")).status == 401


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("Ada\nLovelace\t ", "Ada Lovelace"),
        ("ad\u202ea", "ad a"),
        (None, ""),
        (["ada"], ""),
        ("x" * 99, "x" * 60),
    ],
)
def test_names_that_the_hospital_tells_are_plain(told: object, shown: str) -> None:
    assert plain_name(told) == shown
