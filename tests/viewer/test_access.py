"""Who gets in: nobody without a session, each role by its rights, and every page's headers."""

import re
from pathlib import Path

import pytest
from aiohttp import web

from daemon.index.people.audit import Action, page_of_audit
from daemon.permissions import RIGHTS, Role
from daemon.records.accounts import link_for
from tests.viewer.test_house import open_house, settings_in
from viewer.access import ROUTE_RULES
from viewer.app import make_app
from viewer.login import COOKIE, is_local
from viewer.sessions import RECORDS

IDS = {
    "patient_key": "k",
    "scan_id": "s",
    "role": "overlay.png",
    "account_id": "9",
    "token_id": "9",
}
NAMED = re.compile(r"{(\w+)}")


def _addresses(app: web.Application) -> dict[tuple[str, str], tuple[str, str]]:
    """An example address of every route, by method and pattern; from the router itself."""
    found = {}
    for route in app.router.routes():
        assert route.resource is not None
        pattern = route.resource.canonical
        path = NAMED.sub(lambda name: IDS.get(name[1], "1"), pattern)
        path = "/static/gliowatch.css" if path == "/static" else path
        found[route.method, pattern] = (route.method, path)
    return found


def _is_open(app: web.Application, method: str, pattern: str) -> bool:
    door = app[ROUTE_RULES].get(("GET" if method == "HEAD" else method, pattern))
    return door is not None and door.needs is None


async def test_nothing_without_a_session(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False) as house:
        asked = 0
        for (method, pattern), (_, path) in _addresses(house.app).items():
            if not _is_open(house.app, method, pattern):
                for cookie in ("", f"{COOKIE}=guess", f"{COOKIE}=" + "x" * 3000):
                    headers = {"Cookie": cookie} if cookie else {}
                    answer = await house.client.request(method, path, headers=headers)
                    assert answer.status == 401, path
                    asked += 1
        assert asked > 60
        assert (await house.client.get("/no-such-page")).status == 401
        assert "Password" in await house.page("/", 401)


async def test_what_is_open_is_open_on_purpose(tmp_path: Path) -> None:
    app = make_app(settings_in(tmp_path))
    opened = {path for method, path in _addresses(app) if _is_open(app, method, path)}
    static = {"/static", "/static/canvas/window_shares.js"}
    logins = {"/enter", "/login", "/login/code", "/login/oidc/{way}", "/login/oidc/{way}/back"}
    assert opened == {"/healthz", "/metrics", *logins, *static}


async def test_every_route_has_a_door(tmp_path: Path) -> None:
    app = make_app(settings_in(tmp_path))
    for method, pattern in _addresses(app):
        assert ("GET" if method == "HEAD" else method, pattern) in app[ROUTE_RULES]


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_what_its_rights_allow_and_a_sentence_else(
    tmp_path: Path, role: Role
) -> None:
    async with open_house(tmp_path, role=role) as house:
        for (method, pattern), (_, path) in _addresses(house.app).items():
            needs = house.app[ROUTE_RULES]["GET" if method == "HEAD" else method, pattern].needs
            if needs is None or pattern in ("/live", "/logout"):
                continue
            answer = await house.client.request(method, path)
            may_not = f"Your role ({role})" in await answer.text() or method == "HEAD"
            if needs in RIGHTS[role]:
                assert not may_not or method == "HEAD", path
                assert answer.status != 401, path
            else:
                assert (answer.status, may_not) == (403, True), path
        refused = [e for e in await page_of_audit(house.app[RECORDS]) if e.action == Action.REFUSED]
        assert bool(refused) == (role is not Role.ADMIN)


async def test_a_route_that_was_forgotten_in_the_table_is_refused(tmp_path: Path) -> None:
    async def secret(_: web.Request) -> web.Response:
        return web.Response(text="a secret")

    async with open_house(tmp_path, enter=False) as house:
        house.app.router._frozen = False
        house.app.router.add_get("/forgotten", secret)
        answer = await house.client.get("/forgotten")
        assert answer.status == 403
        assert "a secret" not in await answer.text()


async def test_links_let_in_once_and_leave_the_address(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False) as house:
        for token in ("", "wrong", "\u00e4\u20ac"):
            answer = await house.client.post("/enter", data={"token": token})
            assert answer.status == 403
            assert "Set-Cookie" not in answer.headers
        secret = await link_for(house.app[RECORDS], "ada", Role.READER, 60)
        data = {"token": secret, "next": "/scans/abc"}
        answer = await house.client.post("/enter", data=data, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, "/scans/abc")
        cookie = answer.headers["Set-Cookie"]
        for word in ("HttpOnly", "SameSite=Strict", "Path=/"):
            assert word in cookie
        assert secret not in cookie
        assert (await house.client.post("/enter", data=data)).status == 403


async def test_a_link_lets_nobody_in_who_only_looks_or_comes_from_elsewhere(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, enter=False) as house:
        secret = await link_for(house.app[RECORDS], "ada", Role.READER, 60)
        for method in ("HEAD", "GET"):
            answer = await house.client.request(method, f"/enter?token={secret}&next=/account")
            assert (answer.status, "Set-Cookie" in answer.headers) == (200, False)
        assert f'value="{secret}"' in await answer.text()
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            answer = await house.client.post("/enter", data={"token": secret}, headers=headers)
            assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)
        answer = await house.client.post(
            "/enter", data={"token": secret, "next": "/account"}, allow_redirects=False
        )
        assert (answer.status, answer.headers["Location"]) == (303, "/account")


@pytest.mark.parametrize(
    "target",
    [
        "",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        "javascript:alert(1)",
        "scans/1",
    ],
)
async def test_next_is_only_local(tmp_path: Path, target: str) -> None:
    assert not is_local(target)
    async with open_house(tmp_path, enter=False) as house:
        secret = await link_for(house.app[RECORDS], "ada", Role.READER, 60)
        data = {"token": secret, "next": target}
        answer = await house.client.post("/enter", data=data, allow_redirects=False)
        assert answer.headers["Location"] == "/"


async def test_every_answer_has_the_headers(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        paths = ["/", "/patients", "/patients/new", "/upload", "/scans/scan1", "/healthz"]
        paths += ["/scans/scan1/files/overlay.png", "/static/gliowatch.css", "/gone", "/enter"]
        for path in paths:
            headers = (await house.client.get(path)).headers
            assert "default-src 'none'" in headers["Content-Security-Policy"], path
            assert "unsafe-inline" not in headers["Content-Security-Policy"]
            assert "'unsafe-eval'" not in headers["Content-Security-Policy"]
            is_ours = path.startswith("/static/")  # nobody's data, the same for all
            assert headers["Cache-Control"] == ("no-cache" if is_ours else "no-store")
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "same-origin"


async def test_pages_have_no_inline_script_and_say_research(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", "scan1")
        for path in ("/", "/patients", "/patients/new", "/upload", "/scans/scan1"):
            page = await house.page(path)
            assert page.count("<script") == page.count('<script src="/static/') + page.count(
                '<script type="module" src="/static/'
            )
            assert "style=" not in page
            assert "onclick" not in page
            assert "Research use only. Not a diagnosis." in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_origins_change_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async with open_house(tmp_path) as house:
        data = {"csrf": house.csrf, "patient_id": "P1"}
        refused = await house.client.post("/patients", data=data, headers=headers)
        assert refused.status == 403
        assert "There are no patients yet" in await house.page("/patients")


async def test_our_own_origin_is_taken(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        ours = {"Origin": str(house.client.make_url("/").origin()), "Sec-Fetch-Site": "same-origin"}
        data = {"csrf": house.csrf, "patient_id": "P1"}
        assert (await house.client.post("/patients", data=data, headers=ours)).status == 200


async def test_every_form_needs_its_csrf(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add_scan("P1", IDS["scan_id"])
        posts = [path for method, path in _addresses(house.app).values() if method == "POST"]
        for path in ("/login", "/enter"):  # there is no session yet; the guard asks for our origin
            posts.remove(path)
        assert len(posts) >= 6
        for path in posts:
            for data in ({}, {"csrf": ""}, {"csrf": "wrong"}):
                assert (await house.client.post(path, data=data)).status == 403, path


async def test_an_unexpected_error_is_logged_without_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(tmp_path) as house:
        await house.break_index()
        page = await house.page("/scans/secret-scan", 500)
        assert "Something went wrong." in page
        assert "/scans/{scan_id} failed" in caplog.text
        assert "secret-scan" not in caplog.text


def test_making_the_app_opens_nothing(tmp_path: Path) -> None:
    make_app(settings_in(tmp_path))
    assert not (tmp_path / "index.sqlite").exists()


async def test_a_login_takes_sessions_away_that_ended_by_themselves(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.app[RECORDS].change("UPDATE login_sessions SET seen = 0")
        await house.come_in("Ada")
        assert len(await house.app[RECORDS].rows("SELECT 1 FROM login_sessions")) == 1
