"""`gliowatch receive`, `send`, `priors` and `fhir`: from a PACS and back, as `run` does by itself.

They import what they need when they are called, so that `--help` loads nothing.
"""

from typing import Annotated

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


@app.command(epilog=ending("gliowatch send", "there is no such scan or archive", "not all is sent"))
def send(
    scans: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCAN_ID...]", help="send these again; else all that waits"),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Send results to the archives of the settings now; run does it by itself."""
    from daemon.destinations.process import send_visibly
    from daemon.operations.machine import refuse_contradictions

    loaded = load(settings)
    refuse_contradictions(loaded, with_viewer=False)
    raise SystemExit(send_visibly(loaded, scans or [], typer.echo))


@app.command(epilog=ending("gliowatch priors 12345", "the PACS is away", "not all came"))
def priors(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="the PatientID")],
    settings: SettingsFile = None,
) -> None:
    """Fetch a patient's newest MR studies from the PACS now; run does it for new scans."""
    from daemon.operations.machine import refuse_contradictions
    from daemon.priors.process import fetch_visibly

    loaded = load(settings)
    refuse_contradictions(loaded, with_viewer=False)
    raise SystemExit(fetch_visibly(loaded, patient, typer.echo))


@app.command(epilog=ending("gliowatch fhir 0123456789abcdef0123", "there is no such scan"))
def fhir(
    scan: Annotated[str, typer.Argument(metavar="SCAN_ID", help="of a published scan")],
    settings: SettingsFile = None,
) -> None:
    """Print a scan as FHIR R4, as it stands now; run sends it where [fhir] names a server."""
    from daemon.destinations.process import print_message

    print_message(load(settings), scan, typer.echo)
