"""The front door: one command, whose subcommands import what they need when they are called."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from daemon.settings import Settings

app = typer.Typer(
    help="Watches MRI drop folders and reports tumor size, side and change. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

SettingsFile = Annotated[Path | None, typer.Option("--settings", help="settings.toml to use")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


class Quality(StrEnum):
    """How thoroughly to judge."""

    FAST = "fast"
    BEST = "best"


class Recipe(StrEnum):
    """How to train."""

    STANDARD = "standard"


def main() -> None:
    """Run the command; an error that a person can read ends it with that one sentence."""
    from model.errors import GliowatchError

    try:
        app()
    except GliowatchError as error:
        print(f"gliowatch: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None


@app.command()
def run(
    settings: SettingsFile = None,
    once: Annotated[bool, typer.Option("--once", help="drain the inbox and exit")] = False,
) -> None:
    """Run daemon, workers and viewer until Ctrl-C."""
    from viewer.server import serve

    from daemon.running import run_all

    raise SystemExit(run_all(_load(settings), once, serve, typer.echo))


@app.command()
def segment(
    scans: Annotated[list[Path], typer.Argument(metavar="SCAN...", help="files or DICOM folders")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="where to write")],
    patient: Annotated[str, typer.Option(help="patient id for the report")] = "unassigned",
    quality: Annotated[Quality, typer.Option(help="best takes twice the time")] = Quality.FAST,
    json: AsJson = False,
) -> None:
    """Judge scans at once, without inbox, index or settings."""
    from daemon.oneoff import segment_once
    from daemon.outputs.text import print_judged
    from daemon.settings import ModelSettings
    from daemon.work import judging_rules

    rules = judging_rules(ModelSettings(quality=quality.value))
    raise SystemExit(print_judged(segment_once(scans, out, patient, rules), json, typer.echo))


@app.command()
def measure(
    mask: Annotated[Path, typer.Argument(metavar="MASK.nii.gz")],
    scan: Annotated[Path | None, typer.Option(help="the scan that the mask belongs to")] = None,
    json: AsJson = False,
) -> None:
    """Measure a binary mask: volume, diameters, side."""
    from daemon.outputs.text import print_measured
    from model.masks import measure_mask
    from model.reading.nifti import read_nifti

    print_measured(measure_mask(mask, read_nifti(scan) if scan else None), json, typer.echo)


@app.command()
def info(settings: SettingsFile = None, json: AsJson = False) -> None:
    """Show versions, device, weights and the settings in force."""
    from daemon.about import about
    from daemon.outputs.text import print_table

    print_table(about(_load(settings)), json, typer.echo)


def _load(settings: Path | None) -> "Settings":
    from daemon.settings import load_settings

    return load_settings(settings)


if __name__ == "__main__":
    main()
