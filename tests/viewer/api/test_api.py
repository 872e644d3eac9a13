"""The API: what programs read and change with a token, as on the pages, and how it says no."""

import json
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from aiohttp import FormData

from daemon.index.people.accounts import add_token, find_account
from daemon.index.people.patients import ENTERED
from daemon.index.people.reviews import reviews_of
from daemon.permissions import Role
from tests.viewer.test_house import House, open_house
from viewer.api.endpoints import OPERATIONS
from viewer.api.openapi import PROBLEM, ROOTS
from viewer.api.request_fields import Entered
from viewer.app import LARGEST_FORM
from viewer.sessions import RECORDS
from viewer.worklist.page import PAGE

ROOT = "/api/v1"


async def token_of(house: House, role: Role = Role.ADMIN, days: int = 1) -> dict[str, str]:
    """The header with a token of the account that is logged in."""
    found = await find_account(house.app[RECORDS], "N. Urse")
    assert found is not None
    ends = date.today() + timedelta(days=days)
    secret = await add_token(
        house.app[RECORDS], found.account_id, "script", role, ends, found.password_hash
    )
    return {"Authorization": f"Bearer {secret}"}


async def ask(
    house: House, method: str, path: str, token: dict[str, str], body: Any = None
) -> tuple[int, Any]:
    """Status and JSON of an answer; errors must be problems with one sentence."""
    url = path if path.startswith("/") else f"{ROOT}/{path}"
    answer = await house.client.request(
        method, url, headers=token, json=body, cookies={}, allow_redirects=False
    )
    text = await answer.text()
    if answer.status >= 400:
        assert answer.content_type == PROBLEM, text
        said = json.loads(text)
        assert said["status"] == answer.status
        assert said["detail"].endswith(".")
        return answer.status, said["detail"]
    return answer.status, json.loads(text) if text else None


async def test_lists_are_read_a_page_at_a_time(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        token = await token_of(house, Role.READER)
        for number in range(PAGE + 1):
            await house.add_waiting(f"P{number:02}", "a.nii")
            await house.add_patient(f"P{number:02}", name=f"Name {number:02}")
        for path, what in (("worklist?arrived=all", "rows"), ("patients", "patients")):
            _, first = await ask(house, "GET", path, token)
            _, second = await ask(house, "GET", first["next"], token)
            assert (len(first[what]), len(second[what]), second["next"]) == (PAGE, 1, None)
            ids = {row["patient_id"] for row in first[what] + second[what]}
            assert len(ids) == PAGE + 1
        _, first = await ask(house, "GET", "queue", token)
        assert (await ask(house, "GET", first["next"], token))[1]["drops"][0]["patient_id"]
        _, found = await ask(house, "POST", "searches", token, {"text": "name 07"})
        _, listed = await ask(house, "GET", f"worklist?q={found['q']}", token)
        assert [row["patient_name"] for row in listed["rows"]] == ["Name 07"]
        assert (await ask(house, "GET", "worklist?q=gone", token))[0] == 404
        assert (await ask(house, "GET", "worklist?state=gone", token))[0] == 404


async def test_a_scan_is_read_reviewed_and_dated(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        token = await token_of(house)
        row = await house.add_scan("P1", "scan1")
        undated = row.report.input.as_json() | {"kind": "image", "acquired_at": None}
        await house.add_scan("P1", "scan2", input=undated)
        _, scan = await ask(house, "GET", "scans/scan1", token)
        assert scan["report"]["volume_ml"] == 41.237
        assert {"overlay.png", "report.json"} <= {each["role"] for each in scan["files"]}
        answer = await house.client.get(scan["files"][0]["url"], headers=token)
        assert answer.status == 200
        said = {"decision": "accepted", "revision": 1, "seen": scan["seen"]}
        assert (await ask(house, "POST", "scans/scan1/reviews", token, said))[0] == 201
        assert (await ask(house, "POST", "scans/scan1/reviews", token, said))[0] == 409
        (kept,) = await reviews_of(house.app[RECORDS], "scan1")
        assert (kept.reviewer, kept.decision) == ("N. Urse", "accepted")
        dated = {"acquired_on": "2024-02-03"}
        assert (await ask(house, "PUT", "scans/scan1/date", token, dated))[0] == 400
        assert (await ask(house, "PUT", "scans/scan2/date", token, dated))[0] == 200
        sized = {"across": 0.5, "down": 0.5}
        assert (await ask(house, "PUT", "scans/scan2/spacing", token, sized))[0] == 200
        assert (await ask(house, "GET", "scans/gone", token))[0] == 404
        assert (await ask(house, "GET", "agreement", token))[1]["overall"]["accepted"] == 1
        system = (await ask(house, "GET", "system", token))[1]
        assert system["counts"]["waiting"] == 2


async def test_patients_are_entered_changed_by_version_deleted_and_back(tmp_path: Path) -> None:
    assert set(Entered.model_fields) == set(ENTERED)
    async with open_house(tmp_path) as house:
        token = await token_of(house)
        new = {"patient_id": "P 7", "entered": {"name": "Ada", "gender": "Female"}}
        status, made = await ask(house, "POST", "patients", token, new)
        assert (status, made["patient"]["patient_id"]) == (201, "P 7")
        assert (await ask(house, "POST", "patients", token, new))[0] == 400
        path = f"patients/{made['patient']['patient_key']}"
        change = {"version": made["patient"]["version"], "entered": {"name": "Bea"}}
        status, changed = await ask(house, "PATCH", path, token, change)
        assert (status, changed["patient"]["name"]) == (200, "Bea")
        assert changed["patient"]["gender"] == "Female"
        assert (await ask(house, "PATCH", path, token, change))[0] == 409
        assert (await ask(house, "POST", f"{path}/delete", token, {"patient_id": "P"}))[0] == 400
        assert (await ask(house, "POST", f"{path}/delete", token, {"patient_id": "P 7"}))[0] == 204
        assert (await ask(house, "GET", path, token))[0] == 410
        assert (await ask(house, "POST", f"{path}/undelete", token))[0] == 200
        assert (await ask(house, "GET", path, token))[1]["patient"]["name"] == "Bea"


async def test_an_upload_waits_and_the_queue_is_worked(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        token = await token_of(house)
        form = FormData(default_to_multipart=True)
        form.add_field("patient", "unassigned")
        form.add_field("files", b"content", filename="a.nii")
        answer = await house.client.post(f"{ROOT}/uploads", data=form, headers=token)
        assert (answer.status, await answer.json()) == (201, {"files": 1})
        assert [path.name for path in house.in_inbox()] == ["a.nii"]
        assert (await ask(house, "POST", "uploads", token, {}))[0] == 415
        number = await house.add_waiting("P1", "b.nii")
        acts = [("pause", ""), ("urgent", str(number)), ("cancel", str(number)), ("resume", "")]
        for action, scan in acts:
            asked = {"action": action, "scan": scan}
            status, done = await ask(house, "POST", "queue", token, asked)
            assert (status, done["count"]) == (200, int(bool(scan)))
        for action, scan in (("cancel", "9" * 18), ("cancel", "9" * 19), ("retry", "nobody")):
            asked = {"action": action, "scan": scan}
            assert (await ask(house, "POST", "queue", token, asked))[0] in (200, 404)
        assert (await ask(house, "POST", "queue", token, {"action": "explode"}))[0] == 400


async def test_the_document_lists_just_what_the_router_has(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        _, said = await ask(house, "GET", "openapi.json", {})
        told = {(m.upper(), path) for path, each in said["paths"].items() for m in each}
        routed = {
            (route.method, route.resource.canonical)
            for route in house.app.router.routes()
            if route.resource and route.resource.canonical.startswith(ROOTS)
        }
        assert told == {(method, path) for method, path in routed if method != "HEAD"}
        assert len(told) == len(OPERATIONS)
        names = said["components"]["schemas"].keys()
        assert [name for name in names if "__" in name] == []  # two forms of one name


async def test_a_body_that_is_none_is_refused_without_an_echo(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        token = await token_of(house)
        bodies: list[Any] = [None, [], {"patient_id": 7}, {"Zora Quill": ""}]
        for body in [*bodies, {"entered": {"Zora": 1}}]:
            status, said = await ask(house, "POST", "patients", token, body)
            assert status in (400, 415)
            assert "Zora" not in said
        kind = {"Content-Type": "application/json"}
        big = BytesIO(b"x" * (LARGEST_FORM + 1))
        answer = await house.client.post(f"{ROOT}/patients", data=big, headers=token | kind)
        assert (answer.status, answer.content_type) == (413, PROBLEM)
        await house.break_index()
        assert (await ask(house, "GET", "scans/scan1", token))[0] == 500
