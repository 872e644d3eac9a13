"""Who gets in: the token, the session, local redirects, other origins, and every page's headers."""

from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from tests.test_viewer_setup import TOKEN, House, open_house, settings_in
from viewer.access import COOKIE, is_local
from viewer.server import make_app
from viewer.sessions import MOST_SESSIONS, Sessions


def _addresses(app: web.Application) -> set[tuple[str, str]]:
    """Method and an example address of every route, static files included."""
    found = set()
    for route in app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        if path == "/static":
            path = "/static/gliowatch.css"
        example = {"patient_key": "k", "scan_id": "s", "role": "overlay.png", "upload": "u"}
        found.add((route.method, path.format(**example)))
    return found


async def _statuses(house: House, headers: dict[str, str]) -> dict[tuple[str, str], int]:
    """The status of every address but the open ones, and /metrics, which has its own token."""
    answers = {}
    for method, path in _addresses(house.app):
        if path not in ("/healthz", "/enter", "/metrics"):
            answer = await house.client.request(method, path, headers=headers)
            answers[method, path] = answer.status
    return answers


async def test_nothing_without_the_token(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False) as house:
        statuses = await _statuses(house, {})
        assert len(statuses) > 15
        assert set(statuses.values()) == {401}
        assert (await house.client.get("/no-such-page")).status == 401
        assert "gliowatch run" in await house.page("/", 401)
        forged = await house.client.get("/", headers={"Cookie": f"{COOKIE}=guess"})
        assert forged.status == 401


async def test_wrong_token(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False) as house:
        for token in ("", "wrong", TOKEN + "x", "\u00e4\u20ac"):
            answer = await house.client.get("/enter", params={"token": token})
            assert answer.status == 403
            assert "Set-Cookie" not in answer.headers


def test_an_empty_token_is_no_token(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token"):
        Sessions("")


def test_the_oldest_session_goes_when_there_are_many() -> None:
    sessions = Sessions(TOKEN)
    first = sessions.enter(TOKEN)
    assert first is not None
    for _ in range(MOST_SESSIONS):
        sessions.enter(TOKEN)
    assert sessions.find(first.key) is None


async def test_the_token_leaves_the_address(tmp_path: Path) -> None:
    async with open_house(tmp_path, enter=False) as house:
        answer = await house.client.get(
            "/enter", params={"token": TOKEN, "next": "/scans/abc"}, allow_redirects=False
        )
        assert answer.status == 303
        assert answer.headers["Location"] == "/scans/abc"
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/" in cookie
        assert TOKEN not in cookie


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
        address = URL("/enter").with_query(token=TOKEN, next=target)
        answer = await house.client.get(address, allow_redirects=False)
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
        posts = [path for method, path in _addresses(house.app) if method == "POST"]
        assert len(posts) == 12
        for path in posts:
            for data in ({}, {"csrf": ""}, {"csrf": "wrong"}):
                assert (await house.client.post(path, data=data)).status == 403, path


async def test_an_unexpected_error_is_logged_without_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(tmp_path) as house:
        await house.break_index()
        page = await house.page("/scans/secret-scan", 500)
        assert "Something went wrong here" in page
        assert "/scans/{scan_id} failed" in caplog.text
        assert "secret-scan" not in caplog.text


def test_making_the_app_opens_nothing(tmp_path: Path) -> None:
    make_app(settings_in(tmp_path), TOKEN)
    assert not (tmp_path / "index.sqlite").exists()
