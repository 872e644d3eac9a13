"""`gliowatch init`, `config check`, `backup`, `restore`: a site made, checked, and moved.

Each imports what it needs when it is called, so that `--help` loads nothing.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.commands.command_line import AsJson, SettingsFile, ending

if TYPE_CHECKING:
    from daemon.settings import Settings
    from daemon.settings.errors import Fault

Say = Callable[[str], object]

app = typer.Typer()
config_app = typer.Typer(
    help="What the settings are.", epilog=ending("gliowatch config check", "settings are wrong")
)
app.add_typer(config_app, name="config")


@app.command(epilog=ending("gliowatch init /srv/gliowatch", "something is there already"))
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", file_okay=False, help="else this folder")
    ] = Path(),
) -> None:
    """Make a commented settings.toml and its folders; nothing is overwritten."""
    from daemon.operations.new_site import make_site

    make_site(folder, typer.echo)


@app.command(epilog=ending("gliowatch backup /mnt/usb/gliowatch-monday", "nothing was backed up"))
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder that is not there yet")],
    settings: SettingsFile = None,
) -> None:
    """Back up settings, records, index and drawn masks, with a list of the outbox."""
    from daemon.commands.command_line import load
    from daemon.operations.site_backup import back_up
    from daemon.settings import site_file

    back_up(load(settings), site_file(settings), folder, typer.echo)


@app.command(epilog=ending("gliowatch restore /mnt/usb/gliowatch-monday", "something is missing"))
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", exists=True, file_okay=False)],
    settings: Annotated[
        Path | None, typer.Option(dir_okay=False, help="settings.toml, made if it is not there")
    ] = None,
) -> None:
    """Go on from a backup, on another machine or after a loss; nothing is overwritten."""
    from daemon.operations.site_backup import restore_site
    from daemon.settings import FILE_NAME

    target = (settings or Path(FILE_NAME)).absolute()
    raise SystemExit(0 if restore_site(folder, target, typer.echo) else 1)


@config_app.command(
    epilog=ending(
        "gliowatch config check --settings /srv/gliowatch/settings.toml", "something is wrong"
    )
)
def check(settings: SettingsFile = None, json: AsJson = False) -> None:
    """Show every setting in force, and what contradicts another one or this machine."""
    from daemon.operations.machine import all_faults
    from daemon.settings import read_settings, site_file

    file = site_file(settings).absolute()
    reading = read_settings(file)
    found = [*reading.faults, *(all_faults(reading.settings) if reading.settings else ())]
    (_print_json if json else _print)(file, reading.settings, found, typer.echo)
    raise SystemExit(2 if found else 0)


def _print_json(file: Path, settings: "Settings | None", faults: "list[Fault]", say: Say) -> None:
    content = {
        "settings_file": str(file),
        "settings": settings.model_dump(mode="json") if settings else None,
        "faults": [asdict(fault) for fault in faults],
    }
    say(json.dumps(content, indent=1, ensure_ascii=False))


def _print(file: Path, settings: "Settings | None", faults: "list[Fault]", say: Say) -> None:
    tables = settings.model_dump(mode="json") if settings else {}
    for table, values in tables.items():
        say(f"[{table}]")
        for key, value in values.items():
            say(f"{key} = {json.dumps(value, ensure_ascii=False)}{_origin(f'{table}.{key}')}")
        say("")
    if not faults:
        say(f"{file}: nothing contradicts another setting or this machine.")
        return
    say(f"{file}: {_count(len(faults))}")
    for fault in faults:
        say(f"- {fault.sentence}")


def _count(number: int) -> str:
    return "one thing is wrong." if number == 1 else f"{number} things are wrong."


def _origin(setting: str) -> str:
    from daemon.settings.errors import variable_of

    name = variable_of(setting)
    return f"  # from the variable {name}" if name else ""
