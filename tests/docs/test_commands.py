"""Every command of the documents is one that the command line takes, and the quick ones are run."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest
import typer

import gliowatch as front_door

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = ("sh", "console", "")
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SITE = "/srv/gliowatch"  # where the documents put a site

# Why a command is only parsed. The first pattern that is found in the command counts.
NOT_RUN = {
    r"^train|^evaluate": "takes minutes, and a data set that is not in the repository",
    r"^bench": "takes minutes on an idle machine",
    r"\.\./shared/": "its data are not in the repository",
    r"--explain": "loads PyTorch; tests of the explanation run it",
    r"^run(?!.*--once)": "runs until it is ended; tests of the daemon run it",
    r"^send": "needs an archive; tests of the sender run it",
    r"^fhir": "needs a published scan; tests/viewer/api/test_fhir.py runs it",
    r"^worker|--workers": "needs another side; tests/daemon/machines runs them",
    r"^priors": "needs a PACS; tests of the priors run it",
    r"^notify test": "needs receivers; tests of notifications run it",
    r"^receive": "runs until it is ended; tests of the DICOM node run it",
    r"^backup|^restore": "on another disk; tests/daemon/operations/test_site_backup.py runs them",
    r"^compare-weights": "needs other weights; tests/daemon/commands has a test that runs it",
    r"^queue (cancel|retry|now|urgent)": "needs a scan that waits; tests of the queue run it",
    r"^records restore": "needs damaged records, or a copy by name; tests of the copies run it",
}
ANYWHERE = {  # so that no other program's port and no small machine makes `config check` fail
    "GLIOWATCH_VIEWER__PORT": "0",
    "GLIOWATCH_DAEMON__WORKER_MEMORY_GB": "0.5",
    "GLIOWATCH_DAEMON__RESERVE_GB": "0",
}
MINIMUM_RUN = 20  # commands; fewer mean that the reading of the documents broke


@dataclass(frozen=True)
class Written:
    """One command as a document has it; words: without `gliowatch` and its environment."""

    words: tuple[str, ...]
    document: str = field(compare=False)

    def __str__(self) -> str:
        return " ".join(self.words)


def commands_in(document: Path) -> Iterator[Written]:
    """The commands of gliowatch in blocks of code; a pipe, a list or a loop ends one."""
    for language, block in BLOCK.findall(document.read_text()):
        joined = re.sub(r"\\\n", " ", block) if language in SHELL else ""
        for text in joined.splitlines():
            if "gliowatch " not in text:
                continue
            plain = re.sub(r"\$\w+", "1", text.strip().removeprefix("$ "))
            words: list[str] = []
            for word in [*shlex.split(plain, comments=True), ";"]:
                if word in ("|", "||", "&&", ">", ";"):
                    yield from found(document, words)
                    words = []
                else:
                    words.append(word)


def found(document: Path, words: list[str]) -> Iterator[Written]:
    """The command without what stands before it, if it is one of gliowatch."""
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[1:3] == ["-m", "gliowatch"]:
        words = words[2:]
    if len(words) > 1 and Path(words[0]).name == "gliowatch":
        yield Written(tuple(words[1:]), str(document.relative_to(ROOT)))


WRITTEN = sorted({each for path in DOCUMENTS for each in commands_in(path)}, key=str)
QUICK = [each for each in WRITTEN if not any(re.search(why, str(each)) for why in NOT_RUN)]


def line() -> typing.Any:
    """The real command line."""
    return typer.main.get_command(front_door.app)


def subcommands(command: typing.Any) -> dict[str, typing.Any]:
    """By name; none of a command that has none."""
    return getattr(command, "commands", {})


def callbacks(app: typer.Typer) -> Iterator[Callable[..., object]]:
    """The functions behind all subcommands."""
    for command in app.registered_commands:
        if command.callback:
            yield command.callback
    for group in app.registered_groups:
        if group.typer_instance:
            yield from callbacks(group.typer_instance)


@pytest.fixture
def any_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that the documents name need not exist while their command is parsed."""
    for callback in callbacks(front_door.app):
        for hint in typing.get_type_hints(callback, include_extras=True).values():
            for extra in getattr(hint, "__metadata__", ()):
                if getattr(extra, "exists", False):
                    monkeypatch.setattr(extra, "exists", False)


def parse(words: tuple[str, ...]) -> str:
    """The last subcommand's name, with nothing run. Raises what a usage error raises."""
    command, name, rest, context = line(), "gliowatch", list(words), None
    while True:
        given = list(rest)
        context = command.make_context(name, rest, parent=context)
        if not subcommands(command):
            return name
        name, command, rest = command.resolve_command(context, given)


@pytest.mark.parametrize("written", WRITTEN, ids=str)
@pytest.mark.usefixtures("any_file")
def test_the_command_line_takes_it(written: Written) -> None:
    assert parse(written.words) in ("gliowatch", *written.words)


@pytest.mark.parametrize("wrong", ["queue hurry", "run --twice", "nonsense", "segment x"])
@pytest.mark.usefixtures("any_file")
def test_what_it_does_not_take_is_found(wrong: str) -> None:
    with pytest.raises(typer.TyperException):
        parse(tuple(wrong.split()))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_sentences_name_what_exists(document: Path) -> None:
    """In a sentence a command may lack its arguments, but not have options that do not exist."""
    for code in CODE.findall(document.read_text()):
        words = code.split()
        if len(words) < 2 or words[0] != "gliowatch" or document.name == "CHANGELOG.md":
            continue
        command = line()
        for word in words[1:]:
            option = word.partition("=")[0]
            if word.startswith("-"):
                assert option in {each for p in command.params for each in p.opts}, code
            elif subcommands(command):
                assert word in command.commands, code
                command = command.commands[word]


def test_each_reason_is_needed() -> None:
    for why in NOT_RUN:
        assert any(re.search(why, str(each)) for each in WRITTEN), why
    assert len(QUICK) >= MINIMUM_RUN


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings and samples, where one scan was analyzed."""
    folder = tmp_path_factory.mktemp("hospital")
    (folder / "samples").symlink_to(ROOT / "samples")
    (folder / "inbox").mkdir()
    shutil.copytree(folder / "samples" / "inbox" / "TCGA-FG-6692", folder / "inbox" / "one")
    text = (ROOT / "settings.toml").read_text()
    assert "rest_seconds = 10.0" in text
    quick = text.replace("rest_seconds = 10.0", "rest_seconds = 0.2")
    (folder / "settings.toml").write_text(quick)
    command = [sys.executable, "-m", "gliowatch", "run", "--once"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return folder


def in_order(written: Written) -> int:
    """A site and accounts before what needs them; the index is made anew at the end."""
    first = ("init", "users add", "users list", "users disable", "users")
    places = [n for n, words in enumerate(first) if str(written).startswith(words)]
    return places[0] if places else 9 if "--rebuild" in written.words else 5


def test_quick_commands_run(hospital: Path) -> None:
    scan = next(hospital.glob("outbox/one/*")).name
    for written in sorted(QUICK, key=in_order):
        if "run" in written.words:  # the folder was made by `run --once`
            continue
        words = [
            each.replace("SCAN_ID", scan).replace(SITE, str(hospital / "new"))
            for each in written.words
        ]
        code, said = run(words, hospital)
        assert code == 0, f"{written.document}: {written}: {said}"


def run(words: list[str], folder: Path) -> tuple[int, str]:
    """Run it in this process, in the folder; a password is typed where one is asked for."""
    said = io.StringIO()
    with (
        chdir(folder),
        patch.object(sys, "argv", ["gliowatch", *words]),
        patch.dict(os.environ, ANYWHERE),
        patch.object(sys, "stdin", io.StringIO("a long enough password\n")),
        redirect_stdout(said),
        redirect_stderr(said),
    ):
        try:
            front_door.main()
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
    return 0, said.getvalue()
