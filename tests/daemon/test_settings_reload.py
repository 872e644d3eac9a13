"""SIGHUP: what can change does, in daemon and viewer; the rest is told; a fault changes nothing."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.settings import DEFAULTS, Settings, load_settings
from daemon.settings.reload import RELOADED, difference, is_reloaded, with_keys, without_path
from tests.conftest import ROOT, until

TOKEN = "a-token-for-prometheus"
BASE = "[daemon]\nreconcile_seconds = 1.0\n[viewer]\nport = 0\n"


def written(folder: Path, text: str) -> Settings:
    (folder / "settings.toml").write_text(text)
    return load_settings(folder / "settings.toml")


def test_the_keys_are_those_that_the_page_lists() -> None:
    page = (ROOT / "docs" / "run.md").read_text()
    table = page.partition("| takes effect at SIGHUP |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`(\w+\.\w+)`", table))
    exceptions = {"model.weights", "model.threads"}
    assert exceptions < told
    others = {f"model.{key}" for key in DEFAULTS["model"]} - exceptions
    assert (told - exceptions) | others == {
        f"{table}.{key}" for table, keys in RELOADED.items() for key in keys
    }
    assert all(RELOADED[table] <= DEFAULTS[table].keys() for table in RELOADED)
    assert not is_reloaded("viewer.port")


def test_a_difference_is_parted_into_what_can_change_and_what_cannot(tmp_path: Path) -> None:
    before = written(tmp_path, BASE)
    after = written(tmp_path, f'{BASE}metrics_token = "{TOKEN}"\nhost = "::1"\n[model]\nthreads=1')
    found = difference(before, after)
    assert found.changed == ("viewer.metrics_token",)
    assert found.kept == ("model.threads", "viewer.host")
    new = with_keys(before, after, found.changed)
    assert new.viewer.metrics_token.get_secret_value() == TOKEN
    assert (new.viewer.host, new.model.threads) == ("127.0.0.1", 0)
    assert difference(new, new).changed == ()


def test_a_sentence_of_the_log_names_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    assert without_path(f"The file {file} is wrong.", file) == "The file settings.toml is wrong."


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "gliowatch", "run", "--settings", "settings.toml"]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.DEVNULL
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(120)


def events(folder: Path, name: str) -> list[dict[str, Any]]:
    """What the log's file says of this so far."""
    file = folder / "logs" / "gliowatch.log"
    lines = file.read_text().splitlines() if file.exists() else []
    return [event for event in map(json.loads, lines) if event["event"] == name]


def metrics_status(folder: Path) -> int:
    """What the viewer answers to Prometheus; 0: it is not there yet."""
    said = (folder / "said").read_text()
    address = re.search(r"http://\S+/", said)
    if address is None:
        return 0
    request = urllib.request.Request(
        f"{address[0]}metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError:
        return 0


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_run_takes_what_can_change_and_tells_the_rest(hospital: Settings) -> None:
    folder = hospital.daemon.inbox.parent
    file = folder / "settings.toml"
    begun = file.read_text() + '[log]\nfolder = "logs"\n'
    file.write_text(begun)

    def has(name: str, count: int = 1) -> Callable[[], bool]:
        return lambda: len(events(folder, name)) == count

    with running(folder) as process:
        await until(lambda: metrics_status(folder) == 404 and has("started")(), 300)

        file.write_text(begun.replace("[viewer]", f'[viewer]\nmetrics_token = "{TOKEN}"'))
        process.send_signal(signal.SIGHUP)
        await until(has("settings_reloaded"), 30)
        await until(lambda: metrics_status(folder) == 200, 30)
        assert events(folder, "settings_reloaded")[0]["settings"] == ["viewer.metrics_token"]

        file.write_text(begun.replace("rest_seconds", "quiet_hours = 7\nrest_seconds"))
        process.send_signal(signal.SIGHUP)
        await until(has("settings_not_reloaded"), 30)
        sentence = events(folder, "settings_not_reloaded")[0]["sentence"]
        assert sentence.startswith("The settings stay as they were: The setting daemon.quiet_hours")
        assert str(folder) not in sentence
        assert metrics_status(folder) == 200

        file.write_text(begun.replace("rest_seconds = 0.3", "slots = 1"))
        process.send_signal(signal.SIGHUP)
        await until(has("settings_reloaded", 2), 30)
        await until(lambda: metrics_status(folder) == 404, 30)
        await until(has("setting_needs_start", 2), 30)
        kept = events(folder, "setting_needs_start")
        assert {event["settings"][0] for event in kept} == {"daemon.rest_seconds", "daemon.slots"}
        assert kept[0]["sentence"].endswith("takes effect at the next start.")
        assert process.poll() is None
    assert process.returncode == 0
    assert has("stopped")()
