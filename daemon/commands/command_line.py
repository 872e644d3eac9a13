"""Subcommands about what is there: the queue, accounts, the ledger, exports, copies, settings.

Each imports what it needs when it is called, so that `--help` loads nothing.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.permissions import Role

if TYPE_CHECKING:
    from daemon.settings import Settings


def ending(example: str, two: str = "", one: str = "") -> str:
    """The end of a command's help: an example, and what its exit codes mean."""
    codes = [
        "0 done",
        *([f"1 {one}"] if one else []),
        f"2 {two or 'not possible'}; a sentence says why",
    ]
    return f"\b\nExample: {example}\nExit codes: {', '.join(codes)}."


app = typer.Typer()
records_app = typer.Typer(
    help="Copies of what people entered.", epilog=ending("gliowatch records copy")
)
app.add_typer(records_app, name="records")

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", exists=True, dir_okay=False, help="settings.toml")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def load(settings: Path | None) -> "Settings":
    """The settings of a command. Raises SettingsError."""
    from daemon.settings import load_settings

    return load_settings(settings)


class QueueAction(StrEnum):
    """What may be done with the queue."""

    LIST = "list"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    REPROCESS = "reprocess"
    URGENT = "urgent"
    NOW = "now"


@app.command("queue", epilog=ending("gliowatch queue urgent 17", "there is no such scan"))
def change_queue(
    action: Annotated[QueueAction, typer.Argument(help="what to do")],
    scans: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCAN_ID...]", help="scan ids, or numbers that list shows"),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="list rejected files and duplicates, with the reason")
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """List, pause, resume, cancel, retry, reprocess, hurry or begin now, beside the daemon."""
    from daemon.operations.queue_control import run_queue_command

    typer.echo(run_queue_command(load(settings), action.value, scans or [], failed))


class UserAction(StrEnum):
    """What may be done with accounts."""

    LIST = "list"
    ADD = "add"
    DISABLE = "disable"
    ENABLE = "enable"
    RESET = "reset"
    ROLE = "role"
    NO_CODE = "no-code"


@app.command("users", epilog=ending("gliowatch users add ada --role admin", "nothing was changed"))
def change_users(
    action: Annotated[
        UserAction,
        typer.Argument(help="reset gives a new password, no-code asks for no second factor"),
    ],
    name: Annotated[str, typer.Argument(help="what is typed at the login")] = "",
    full_name: Annotated[str, typer.Option("--name", help="what reviews are signed with")] = "",
    role: Annotated[
        Role | None, typer.Option(help="of a new account, else reader; or the next one")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Accounts of the viewer: list, add, disable, enable, new password, role, second factor."""
    from daemon.records.accounts import Wish, run_users_command

    wish = Wish(action.value, name, full_name, role)
    typer.echo(run_users_command(load(settings), wish, _ask_password))


def _ask_password() -> str:
    """From a terminal, twice and unseen; else the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@app.command(
    "verify", epilog=ending("gliowatch verify --json", one="a file is not where it should be")
)
def verify_all(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="make the index again from outbox and inbox")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="read every file of every result; goes on where it ended")
    ] = False,
    settings: SettingsFile = None,
    json: AsJson = False,
) -> None:
    """Compare every file ever dropped with inbox, index and outbox; 1 on any difference."""
    from daemon.operations.rebuild import rebuild_visibly
    from daemon.operations.verify import verify_visibly

    loaded = load(settings)
    if rebuild:
        rebuild_visibly(loaded, lambda line: typer.echo(line, err=json))
    raise SystemExit(verify_visibly(loaded, json, typer.echo, full))


@app.command(epilog=ending("gliowatch export --deidentify -o findings.csv"))
def export(
    scans: Annotated[
        list[str] | None, typer.Argument(metavar="[SCAN_ID...]", help="these alone, else all")
    ] = None,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="opaque numbers for patients, shifted dates")
    ] = False,
    masks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, help="write reviewed masks as a training set"),
    ] = None,
    deface: Annotated[
        bool, typer.Option("--deface", help="with --masks and --deidentify: heads without faces")
    ] = False,
    sources: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="with --deidentify: DICOM files without names"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", dir_okay=False, help="else standard output"),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Write all findings as CSV, one row a lesion; or masks and DICOM files into folders."""
    from daemon.operations.export import Wishes
    from daemon.operations.export import export as export_all

    wishes = Wishes(
        deidentify=deidentify,
        masks=masks,
        deface=deface,
        sources=sources,
        out=out,
        scans=tuple(scans or ()),
    )
    export_all(load(settings), wishes, typer.echo)


@app.command(
    "compare-weights",
    epilog=ending(
        "gliowatch compare-weights other.safetensors --last 50 -o compared",
        one="a scan could not be analyzed again",
    ),
)
def compare_weights(
    weights: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="other weights")
    ],
    last: Annotated[int, typer.Option(metavar="N", min=1, help="of the scans published last")] = 50,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", file_okay=False, help="pictures where masks differ most"
        ),
    ] = None,
    settings: SettingsFile = None,
    json: AsJson = False,
) -> None:
    """Show what other weights would change on this site's scans; nothing is published."""
    from daemon.commands.compare_weights import compare_visibly

    raise SystemExit(compare_visibly(load(settings), weights, last, out, json, typer.echo))


@app.command(epilog=ending("gliowatch info --json"))
def info(settings: SettingsFile = None, json: AsJson = False) -> None:
    """Show versions, device, weights and the settings in force."""
    from daemon.commands.segment import print_table
    from daemon.operations.status import about

    print_table(about(load(settings)), json, typer.echo)


@records_app.command("copy", epilog=ending("gliowatch records copy"))
def copy_records(settings: SettingsFile = None) -> None:
    """Copy the records now; gliowatch may run meanwhile."""
    from daemon.operations.backup import make_copy

    daemon = load(settings).daemon
    copy = make_copy(daemon.records, daemon.copies, daemon.records_copies)
    typer.echo(f"The records were copied to {copy.path}.")


@records_app.command("restore", epilog=ending("gliowatch records restore", "there is no good copy"))
def restore_records(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="else the newest good copy")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Go back to a copy of the records; the damaged file is kept beside it."""
    from daemon.operations.backup import restore

    restore(load(settings).daemon, file, typer.echo)
