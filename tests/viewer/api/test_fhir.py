"""A scan as FHIR by the API and by the command: the same message, made in a worker's process."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.index.people.reviews import Decision, add_review
from daemon.index.scans import add_scan
from daemon.permissions import Role
from tests.viewer.api.test_api import token_of
from tests.viewer.test_house import House, open_house, scan_row
from viewer.sessions import INDEX, RECORDS

SCAN, GONE, UNKNOWN = "a" * 20, "b" * 20, "c" * 20


async def enter(house: House) -> None:
    """Two scans; the files of the second are gone."""
    for scan_id in (SCAN, GONE):
        async with house.app[INDEX].transaction():
            await add_scan(house.app[INDEX], scan_row("P1", scan_id))
    (house.settings.daemon.outbox / "P1" / SCAN).mkdir(parents=True)
    await add_review(house.app[RECORDS], SCAN, 1, Decision.ACCEPTED, "", "R. Viewer")


async def test_a_scan_is_given_as_it_stands_now(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await enter(house)
        token = await token_of(house, Role.READER)
        answer = await house.client.get(f"/api/v1/scans/{SCAN}/fhir", headers=token)
        assert (answer.status, answer.content_type) == (200, "application/fhir+json")
        report = (await answer.json(content_type=None))["entry"][1]["resource"]
        assert (report["resourceType"], report["status"]) == ("DiagnosticReport", "final")
        for missing in (GONE, UNKNOWN):
            path = f"/api/v1/scans/{missing}/fhir"
            assert (await house.client.get(path, headers=token)).status == 404


def command(folder: Path, scan_id: str) -> tuple[int, str]:
    """Exit code of `gliowatch fhir`, and what it prints."""
    words = [sys.executable, "-m", "gliowatch", "fhir", scan_id, "--settings", "settings.toml"]
    done = subprocess.run(words, cwd=folder, text=True, capture_output=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.long
async def test_the_command_prints_the_same(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("")
    async with open_house(tmp_path) as house:
        await enter(house)
        token = await token_of(house, Role.READER)
        answer = await house.client.get(f"/api/v1/scans/{SCAN}/fhir", headers=token)
        code, printed = await asyncio.to_thread(command, tmp_path, SCAN)
        assert (code, json.loads(printed)) == (0, await answer.json(content_type=None))
        for missing in (GONE, UNKNOWN):
            assert await asyncio.to_thread(command, tmp_path, missing) == (2, "")
