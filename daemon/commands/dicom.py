"""`gliowatch receive`: the DICOM node by itself, as `run` starts it where `[dicom]` is on.

It imports what it needs when it is called, so that `--help` loads nothing.
"""

import typer

from daemon.commands.command_line import SettingsFile, ending, load

app = typer.Typer()


@app.command(epilog=ending("gliowatch receive", "it cannot listen"))
def receive(settings: SettingsFile = None) -> None:
    """Take studies from a PACS by C-STORE into the inbox until Ctrl-C; run does it by itself."""
    from daemon.operations.machine import refuse_open_node

    loaded = load(settings)
    refuse_open_node(loaded)

    from daemon.dicom_node.node import run_node

    run_node(loaded, typer.echo)
