"""`init`, `config check`, `--version`, help and the start of `run`, as a person types them."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import gliowatch as front_door
from daemon.operations.machine import all_faults
from daemon.settings import load_settings
from tests.conftest import ROOT
from tests.daemon.commands.test_command_line import gliowatch

NAMES = ["copies", "inbox", "outbox", "settings.toml"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_init_makes_a_site_and_says_what_next(tmp_path: Path) -> None:
    done = gliowatch("init", "a site/new", folder=tmp_path)
    site = tmp_path / "a site" / "new"
    assert (done.returncode, done.stderr) == (0, "")
    assert names(site) == NAMES
    assert (site / "settings.toml").read_text() == (ROOT / "settings.toml").read_text()
    lines = done.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines[:-1]] == [
        f"Made {site / name}" for name in ("settings.toml", "inbox", "outbox", "copies")
    ]
    assert lines[-1].endswith(f"gliowatch config check --settings '{site / 'settings.toml'}'")


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "inbox" / "P").mkdir(parents=True)
    done = gliowatch("init", folder=tmp_path)
    assert done.returncode == 0
    assert f"Kept {tmp_path / 'inbox'}: " in done.stdout
    assert names(tmp_path / "inbox") == ["P"]
    (tmp_path / "settings.toml").write_text("mine")
    done = gliowatch("init", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    file = tmp_path / "settings.toml"
    assert done.stderr == f"gliowatch: {file} is there already; nothing was made or changed.\n"
    assert file.read_text() == "mine"


@pytest.mark.parametrize("there", ["settings.toml", "outbox"])
def test_init_makes_nothing_where_something_is_in_the_way(tmp_path: Path, there: str) -> None:
    (tmp_path / there).symlink_to("nowhere")
    done = gliowatch("init", folder=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path / there) in done.stderr
    assert names(tmp_path) == [there]


def test_config_check_shows_every_setting_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gliowatch("init", folder=tmp_path)
    monkeypatch.setenv("GLIOWATCH_VIEWER__PORT", "0")
    monkeypatch.setenv("GLIOWATCH_DAEMON__WORKER_MEMORY_GB", "0.5")
    done = gliowatch("config", "check", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "port = 0  # from the variable GLIOWATCH_VIEWER__PORT\n" in done.stdout
    assert f'inbox = "{tmp_path / "inbox"}"\n' in done.stdout
    file = tmp_path / "settings.toml"
    assert done.stdout.endswith(f"{file}: nothing contradicts another setting or this machine.\n")
    content = json.loads(gliowatch("config", "check", "--json", folder=tmp_path).stdout)
    assert (content["settings_file"], content["faults"]) == (str(file), [])
    shipped = tomllib.loads(file.read_text())
    shipped["dicom"]["send"], shipped["login"]["oidc"], shipped["notify"]["to"] = [], [], []
    assert {table: {*keys} for table, keys in content["settings"].items()} == {
        table: {*keys} for table, keys in shipped.items()
    }


def test_config_check_tells_all_that_is_wrong(tmp_path: Path) -> None:
    text = '[daemon]\nrest_second = 1\noutbox = "inbox/out"\n[viewer]\nport = 0\nmetrics_token='
    file = tmp_path / "site.toml"
    file.write_text(f'{text}"unsaid"\n')
    done = gliowatch("config", "check", "--settings", file, folder=tmp_path)
    assert done.returncode == 2
    end = done.stdout.partition(f"{file}: ")[2].splitlines()
    assert end[0] == "5 things are wrong."
    assert end[1].endswith("did you mean daemon.rest_seconds?")
    assert "is inside daemon.inbox" in end[2]
    assert "unsaid" not in done.stdout
    asked = gliowatch("config", "check", "--json", "--settings", file, folder=tmp_path)
    assert asked.returncode == 2
    faults = json.loads(asked.stdout)["faults"]
    assert [each["settings"][0] for each in faults] == [
        *("daemon.rest_second", "daemon.inbox", "viewer.metrics_token"),
        *("daemon.inbox", "daemon.outbox"),
    ]
    assert [f"- {each['sentence']}" for each in faults] == end[1:]


def test_config_check_of_no_toml_at_all(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("daemon]")
    done = gliowatch("config", "check", "--json", folder=tmp_path)
    content = json.loads(done.stdout)
    assert (done.returncode, content["settings"]) == (2, None)
    assert "is not valid TOML" in content["faults"][0]["sentence"]


@pytest.mark.parametrize("words", [["run"], ["run", "--once"], ["config", "check"]])
def test_without_settings_nothing_is_made(tmp_path: Path, words: list[str]) -> None:
    done = gliowatch(*words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"There is no settings.toml in {tmp_path}, and nothing was made." in done.stderr
    assert "gliowatch init" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        ('[daemon]\noutbox = "inbox"', ["run"], "are the same folder"),
        ('[daemon]\noutbox = "inbox/out"', ["run", "--once"], "is inside daemon.inbox"),
        ('[daemon]\ninbox = "outbox/in"', ["run", "--once"], "is inside daemon.outbox"),
        ('[daemon]\ncopies = "inbox/c"', ["run", "--once"], "is inside daemon.inbox"),
        ('[viewer]\nhost = "0.0.0.0"', ["run"], "does not listen on 0.0.0.0 without encryption"),
        ('[viewer]\ntls_certificate = "gone.pem"', ["run"], "viewer.tls_certificate, "),
        ('[viewer]\nmetrics_token = "x"', ["run"], "viewer.metrics_token must have 16"),
    ],
)
def test_run_refuses_with_the_sentence_of_config_check(
    tmp_path: Path, text: str, words: list[str], sentence: str
) -> None:
    (tmp_path / "settings.toml").write_text(text)
    done = gliowatch(*words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert sentence in line
    assert names(tmp_path) == ["settings.toml"]
    told = all_faults(load_settings(tmp_path / "settings.toml"))
    assert line.removeprefix("gliowatch: ") in [fault.sentence for fault in told]


def test_version(tmp_path: Path) -> None:
    done = gliowatch("--version", folder=tmp_path)
    assert done.returncode == 0
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert done.stdout == f"gliowatch {version}\n"


def all_commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from all_commands(each, (*path, name))


@pytest.mark.parametrize(
    "path", [*all_commands(typer.main.get_command(front_door.app))], ids=" ".join
)
def test_every_help_has_an_example_and_the_exit_codes(path: tuple[str, ...]) -> None:
    root = typer.main.get_command(front_door.app)
    command, context = root, root.make_context("gliowatch", [], resilient_parsing=True)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    said = command.get_help(context)
    [example] = [line for line in said.splitlines() if line.startswith("  Example: gliowatch ")]
    assert " ".join(path) in example
    [codes] = [line for line in said.splitlines() if line.startswith("  Exit codes: 0 done")]
    assert " 2 " in codes


def test_a_shell_completes_subcommands(tmp_path: Path) -> None:
    code = "import sys, gliowatch; sys.argv = ['gliowatch']; gliowatch.main()"
    asked = {"_GLIOWATCH_COMPLETE": "complete_bash", "COMP_WORDS": "gliowatch con"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | asked | {"COMP_CWORD": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["config"]
