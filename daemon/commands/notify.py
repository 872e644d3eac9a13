"""`gliowatch notify`: a trial of what is told, and where accounts are told it.

Each imports what it needs when it is called, so that `--help` loads nothing.
"""

from typing import Annotated

import typer

from daemon.commands.command_line import SettingsFile, ending, load

app = typer.Typer()
notify_app = typer.Typer(
    help="Mails, webhooks and chats that tell what happens.", epilog=ending("gliowatch notify test")
)
app.add_typer(notify_app, name="notify")


@notify_app.command(
    "test",
    epilog=ending("gliowatch notify test", "there is nobody to tell", "a trial was not taken"),
)
def send_trial(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="of one [[notify.to]] table, else all")
    ] = "",
    settings: SettingsFile = None,
) -> None:
    """Send a trial to each address now, and say what came of it."""
    from daemon.notifications.process import try_visibly
    from daemon.operations.machine import refuse_contradictions

    loaded = load(settings)
    refuse_contradictions(loaded, with_viewer=False)
    raise SystemExit(try_visibly(loaded, name, typer.echo))


@notify_app.command(
    "address",
    epilog=ending("gliowatch notify address ada ada@hospital.example", "nothing was changed"),
)
def set_address(
    account: Annotated[str, typer.Argument(help="else all accounts are listed")] = "",
    address: Annotated[str, typer.Argument(help="its mail address")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="it has none any more")] = False,
    settings: SettingsFile = None,
) -> None:
    """List or set the mail addresses of accounts, for receivers that are a role."""
    from daemon.records.mail_addresses import run_address_command

    typer.echo(run_address_command(load(settings), account, address, remove))
