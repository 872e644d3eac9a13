"""`gliowatch init`: the shipped settings and their folders, where nothing is yet."""

import os
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

from daemon.settings import FILE_NAME, SettingsError

PACKAGE = Path(__file__).parents[1]
FOLDERS = {
    "inbox": "drop scans here, one folder a patient",
    "outbox": "results appear here, one folder a patient",
    "copies": "a copy of the records every night; best moved to another disk",
}


def shipped_settings() -> str:
    """The text of settings.toml: in the wheel beside this package, in a clone at the top."""
    places = (PACKAGE / FILE_NAME, PACKAGE.parent / FILE_NAME)
    return next(place for place in places if place.exists()).read_text("utf-8")


def make_site(folder: Path, say: Callable[[str], object]) -> None:
    """Write settings.toml and make its folders. Raises SettingsError; nothing is overwritten."""
    folder, text = folder.absolute(), shipped_settings()
    file = folder / FILE_NAME
    daemon = tomllib.loads(text)["daemon"]
    folders = {folder / daemon[name]: meaning for name, meaning in FOLDERS.items()}
    _refuse_what_is_there(file, folders)
    kept = {path for path in folders if path.exists()}
    _make(folder, file, folders, text)
    say(f"Made {file}: every setting with its default, unit and meaning")
    for path, meaning in folders.items():
        say(f"{'Kept' if path in kept else 'Made'} {path}: {meaning}")
    option = "" if folder == Path.cwd() else f" --settings {shlex.quote(str(file))}"
    say(f"Next: change what is other at your site, then gliowatch config check{option}")


def _refuse_what_is_there(file: Path, folders: dict[Path, str]) -> None:
    if os.path.lexists(file):
        raise SettingsError(f"{file} is there already; nothing was made or changed.")
    for path in folders:
        if os.path.lexists(path) and not path.is_dir():
            raise SettingsError(f"{path} is there already and is not a folder; nothing was made.")


def _make(folder: Path, file: Path, folders: dict[Path, str], text: str) -> None:
    try:
        for path in (folder, *folders):
            path.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise SettingsError(f"{error.filename or folder}: {error.strerror}.") from None
