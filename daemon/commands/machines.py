"""`gliowatch worker`: this machine analyzes for another one.

It imports what it needs when it is called, so that `--help` loads nothing.
"""

import socket
from pathlib import Path
from typing import Annotated

import typer

from daemon.commands.command_line import ending

app = typer.Typer()

Certificate = Annotated[
    Path | None, typer.Option("--tls-certificate", exists=True, dir_okay=False, help="PEM file")
]
Key = Annotated[Path | None, typer.Option("--tls-key", exists=True, dir_okay=False, help="of it")]
Authority = Annotated[
    Path | None,
    typer.Option("--tls-ca", exists=True, dir_okay=False, help="that signed both sides' ones"),
]


@app.command(
    epilog=ending(
        "gliowatch worker tls://reader.example:8786 --slots 4"
        " --tls-ca ca.pem --tls-certificate here.pem --tls-key here.key",
        "it may not analyze there",
    )
)
def worker(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="tls://HOST:PORT")],
    slots: Annotated[int, typer.Option(min=1, max=256, help="scans at the same time")] = 1,
    tls_ca: Authority = None,
    tls_certificate: Certificate = None,
    tls_key: Key = None,
    name: Annotated[str, typer.Option(help="on the pages there; else this host's name")] = "",
    listen: Annotated[
        str | None, typer.Option(metavar="HOST", help="by which it is reached from there")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="likewise; 0: any")] = 0,
) -> None:
    """Analyze for another machine until Ctrl-C; it needs no folder, database or settings file."""
    from daemon.machines.worker import run_worker
    from daemon.settings import SettingsError
    from daemon.settings.workers import WorkersSettings

    files = {"tls_ca": tls_ca, "tls_certificate": tls_certificate, "tls_key": tls_key}
    paths = {key: str(path) if path else "" for key, path in files.items()}
    workers = WorkersSettings(address=address, slots=slots, **paths)
    if why := workers.wrong():
        raise SettingsError(f"ADDRESS: {why}.")
    run_worker(workers, name or socket.gethostname(), (listen, port), typer.echo)
