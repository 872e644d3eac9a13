"""`gliowatch init` and `gliowatch config check`: a new site, and what is wrong with its settings.

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
    from daemon.settings_faults import Fault

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
    from daemon.settings_faults import variable_of

    name = variable_of(setting)
    return f"  # from the variable {name}" if name else ""
