"""The notifier as a process: beside the daemon, over its death, and the command that tries it."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.index.database import open_records
from daemon.permissions import Role
from daemon.records.accounts import link_for
from daemon.settings import Settings, load_settings
from tests.conftest import gliowatch, until
from tests.daemon.notifications.receivers import Hook, hook, mail_server, make_certificate
from tests.daemon.notifications.site import QUICK

SECRET = "a secret of a hook, long enough"


def with_tables(hospital: Settings, tables: str, **keys: object) -> Path:
    """Its settings file with receivers."""
    folder = hospital.daemon.inbox.parent
    told = {**QUICK, **keys}
    lines = [f"{key} = {json.dumps(value)}" for key, value in told.items()]
    (folder / "secret").write_text(SECRET)
    file = folder / "settings.toml"
    file.write_text(file.read_text() + "\n[notify]\n" + "\n".join(lines) + "\n" + tables)
    return file


def webhook(url: str, events: str) -> str:
    return (
        f'[[notify.to]]\nname = "desk"\nby = "webhook"\nurl = "{url}"\nsecret_file = "secret"\n'
        f"events = {events}\n"
    )


def run(folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"]
    with log.open("ab") as stream:
        return subprocess.Popen(command, cwd=folder, stdout=stream, stderr=stream)


def events(its: Hook) -> list[str]:
    """Of each event whether it begins or is over, without those that came twice."""
    bodies = {headers["Gliowatch-Id"]: json.loads(body) for headers, body in its.came}
    return [
        each["event"] + ("_over" if each.get("over") else "")
        for body in bodies.values()
        for each in body["events"]
    ]


@pytest.mark.long
async def test_the_death_of_the_daemon_is_told_once_and_its_end_is_not(
    hospital: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    async with hook() as its:
        file = with_tables(hospital, webhook(its.url, '["daemon_silent"]'))
        process = run(file.parent, log)
        await until(lambda: b"notifier_started" in log.read_bytes() and _beats(hospital))
        process.send_signal(signal.SIGKILL)
        process.wait()
        await until(lambda: events(its) == ["daemon_silent"])
        await until(lambda: b"notifier_stopped" in log.read_bytes())
        process = run(file.parent, log)
        await until(lambda: events(its) == ["daemon_silent", "daemon_silent_over"])
        process.terminate()
        assert await asyncio.to_thread(process.wait, 120) == 0
        process = run(file.parent, log)
        await until(lambda: log.read_bytes().count(b"notifier_started") == 3)
        process.terminate()
        assert await asyncio.to_thread(process.wait, 120) == 0
    assert events(its) == ["daemon_silent", "daemon_silent_over"]
    assert b"Traceback" not in log.read_bytes()


def _beats(hospital: Settings) -> bool:
    """Whether the daemon has shown itself."""
    with sqlite3.connect(hospital.daemon.index) as index:
        return bool(index.execute("SELECT count(*) FROM heartbeats").fetchone()[0])


@pytest.mark.long
async def test_a_trial_says_for_each_address_what_came_of_it(hospital: Settings) -> None:
    folder = hospital.daemon.inbox.parent
    certificate, key = make_certificate(folder)
    async with hook() as its, mail_server(certificate, key) as box:
        mail = (
            '[[notify.to]]\nname = "people"\naddresses = ["it@hospital.example"]\n'
            'role = "reviewer"\n'
        )
        with_tables(
            hospital,
            webhook(its.url, '["summary"]') + mail,
            mail_host="localhost",
            mail_port=box.port,
            mail_ca=str(certificate),
            mail_from="gliowatch@hospital.example",
        )
        settings = load_settings(folder / "settings.toml")
        async with open_records(settings.daemon.records) as records:
            for name, role in (("ada", Role.REVIEWER), ("bob", Role.READER)):
                await link_for(records, name, role, 60)
        for name in ("ada", "bob"):
            words = ("notify", "address", name, f"{name}@hospital.example")
            said = await asyncio.to_thread(gliowatch, settings, *words)
            assert said.stdout == f"{name} is told at {name}@hospital.example.\n"
        said = await asyncio.to_thread(gliowatch, settings, "notify", "test")
        assert said.stdout.splitlines() == [
            f"desk, {its.url}: the trial was taken.",
            "people, ada@hospital.example: the trial was taken.",
            "people, it@hospital.example: the trial was taken.",
        ]
        assert said.returncode == 0
        assert sorted(to for to, _ in box.came) == ["ada@hospital.example", "it@hospital.example"]
        its.status = 500
        said = await asyncio.to_thread(gliowatch, settings, "notify", "test", "desk")
        assert said.stdout == f"desk, {its.url}: the server asks for a later try (500).\n"
        assert said.returncode == 1
        said = await asyncio.to_thread(gliowatch, settings, "notify", "test", "nobody")
        assert (said.returncode, said.stderr) == (
            2,
            "gliowatch: There is no [[notify.to]] with the name nobody.\n",
        )


def test_addresses_of_accounts_are_listed_set_and_taken_away(hospital: Settings) -> None:
    async def account() -> None:
        async with open_records(hospital.daemon.records) as records:
            await link_for(records, "ada", Role.READER, 60)

    asyncio.run(account())
    assert "No account has an address" in gliowatch(hospital, "notify", "address").stdout
    gliowatch(hospital, "notify", "address", "ada", "ada@hospital.example")
    assert gliowatch(hospital, "notify", "address").stdout == "ada: ada@hospital.example\n"
    for words in (("bob", "bob@hospital.example"), ("ada", "ada@x\nBcc: y@z"), ("ada", "ada")):
        assert gliowatch(hospital, "notify", "address", *words).returncode == 2
    gliowatch(hospital, "notify", "address", "ada", "--remove")
    assert "No account has an address" in gliowatch(hospital, "notify", "address").stdout


def test_without_receivers_there_is_nobody_to_try(hospital: Settings) -> None:
    said = gliowatch(hospital, "notify", "test")
    assert said.returncode == 2
    assert "The settings name nobody to tell" in said.stderr
