"""The front door: one command, whose subcommands import what they need when they are called."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from daemon.settings import Settings

app = typer.Typer(
    help="Watches MRI drop folders and reports tumor size and side. Research use only.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

records_app = typer.Typer(help="Copies of what people entered.")
app.add_typer(records_app, name="records")

EXTRA = {"torch", "monai", "matplotlib"}  # packages that only training needs, and --explain

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", exists=True, dir_okay=False, help="settings.toml")
]
OutFolder = Annotated[
    Path, typer.Option("-o", "--out", metavar="DIR", file_okay=False, help="where to write")
]
DataFolder = Annotated[
    Path, typer.Option(metavar="DIR", exists=True, help="<id>/<id>_flair.nii.gz and _seg")
]
SplitFile = Annotated[Path | None, typer.Option(exists=True, help="JSON with lists of patients")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


class Quality(StrEnum):
    """How thoroughly to judge."""

    FAST = "fast"
    BEST = "best"


class Recipe(StrEnum):
    """How to train."""

    STANDARD = "standard"
    SEED = "seed"
    GATE = "gate"


def main() -> None:
    """Run the command; an error that a person can read ends it with that one sentence."""
    from model.errors import GliowatchError

    try:
        raise SystemExit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except GliowatchError as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"The system refused: {error.strerror or type(error).__name__}."
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        sentence = "This needs packages of training: pip install 'gliowatch[train]'."
    except typer.TyperException as error:
        sentence = getattr(error, "format_message", error.__str__)()
    typer.echo(f"gliowatch: {sentence}", err=True)
    raise SystemExit(2)


@app.command()
def run(
    settings: SettingsFile = None,
    once: Annotated[bool, typer.Option("--once", help="drain the inbox and exit")] = False,
) -> None:
    """Run daemon, workers and viewer until Ctrl-C."""
    from daemon.running import run_all
    from viewer.server import serve

    raise SystemExit(run_all(_load(settings), once, serve, typer.echo))


@app.command()
def segment(
    scans: Annotated[
        list[Path], typer.Argument(metavar="SCAN...", exists=True, help="files, DICOM folders")
    ],
    out: OutFolder,
    patient: Annotated[str, typer.Option(help="patient id for the report")] = "unassigned",
    quality: Annotated[Quality, typer.Option(help="best takes more time")] = Quality.FAST,
    explain: Annotated[
        bool, typer.Option("--explain", help="draw where the network looked, in DIR/.extra")
    ] = False,
    json: AsJson = False,
) -> None:
    """Judge scans at once, without inbox, index or settings."""
    from daemon.oneoff import segment_once
    from daemon.outputs.text import print_judged
    from daemon.settings import ModelSettings
    from daemon.work import judging_rules

    folder = out / ".extra" if explain else None
    rules = judging_rules(ModelSettings(quality=quality.value), folder)
    raise SystemExit(print_judged(segment_once(scans, out, patient, rules), json, typer.echo))


@app.command()
def measure(
    mask: Annotated[Path, typer.Argument(metavar="MASK.nii.gz", exists=True, dir_okay=False)],
    scan: Annotated[Path | None, typer.Option(exists=True, help="the mask's scan")] = None,
    json: AsJson = False,
) -> None:
    """Measure a binary mask: volume, diameters, side."""
    from daemon.outputs.text import print_measured
    from model.masks import measure_mask
    from model.reading.scan import read, scan_at

    print_measured(measure_mask(mask, read(scan_at(scan)) if scan else None), json, typer.echo)


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


@app.command("queue")
def change_queue(
    action: Annotated[QueueAction, typer.Argument(help="what to do")],
    scans: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCAN_ID...]", help="scan ids, or numbers that list shows"),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """List, pause, resume, cancel, retry, reprocess, hurry or begin now, beside the daemon."""
    from daemon.queue_commands import run_queue_command

    typer.echo(run_queue_command(_load(settings), action.value, scans or []))


class UserAction(StrEnum):
    """What may be done with accounts."""

    LIST = "list"
    ADD = "add"
    DISABLE = "disable"
    ENABLE = "enable"
    RESET = "reset"
    ROLE = "role"


class UserRole(StrEnum):
    """What an account is for."""

    READER = "reader"
    UPLOADER = "uploader"
    REVIEWER = "reviewer"
    ADMIN = "admin"


@app.command("users")
def change_users(
    action: Annotated[UserAction, typer.Argument(help="reset gives a new password")],
    name: Annotated[str, typer.Argument(help="what is typed at the login")] = "",
    full_name: Annotated[str, typer.Option("--name", help="what reviews are signed with")] = "",
    role: Annotated[UserRole, typer.Option(help="of a new account; next one of role")] = (
        UserRole.READER
    ),
    settings: SettingsFile = None,
) -> None:
    """Accounts of the viewer: list, add, disable, enable, new password, other role."""
    from daemon.roles import Role
    from daemon.users_command import Wish, run_users_command

    wish = Wish(action.value, name, full_name, Role(role.value))
    typer.echo(run_users_command(_load(settings), wish, _ask_password))


def _ask_password() -> str:
    """From a terminal, twice and unseen; else the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@app.command("verify")
def verify_all(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="make the index again from outbox and inbox")
    ] = False,
    settings: SettingsFile = None,
    json: AsJson = False,
) -> None:
    """Compare every file ever dropped with inbox, index and outbox; 1 on any difference."""
    from daemon.rebuilding import rebuild_visibly
    from daemon.verifying import verify_visibly

    loaded = _load(settings)
    if rebuild:
        rebuild_visibly(loaded, lambda line: typer.echo(line, err=json))
    raise SystemExit(verify_visibly(loaded, json, typer.echo))


@app.command()
def export(
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="opaque numbers for patients, shifted dates")
    ] = False,
    masks: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write reviewed masks as a training set")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", dir_okay=False, help="else standard output"),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Write all findings as CSV, one row a lesion."""
    from daemon.exporting import export as export_all

    export_all(_load(settings), deidentify, masks, out, typer.echo)


@app.command()
def info(settings: SettingsFile = None, json: AsJson = False) -> None:
    """Show versions, device, weights and the settings in force."""
    from daemon.about import about
    from daemon.outputs.text import print_table

    print_table(about(_load(settings)), json, typer.echo)


@records_app.command("copy")
def copy_records(settings: SettingsFile = None) -> None:
    """Copy the records now; gliowatch may run meanwhile."""
    from daemon.copying import make_copy

    daemon = _load(settings).daemon
    copy = make_copy(daemon.records, daemon.copies, daemon.records_copies)
    typer.echo(f"The records were copied to {copy.path}.")


@records_app.command("restore")
def restore_records(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="else the newest good copy")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Go back to a copy of the records; the damaged file is kept beside it."""
    from daemon.restoring import restore

    restore(_load(settings).daemon, file, typer.echo)


@app.command()
def train(
    data: DataFolder,
    out: OutFolder,
    recipe: Annotated[Recipe, typer.Option(help="ours, the demo's, the gate's")] = Recipe.STANDARD,
    split: SplitFile = None,
    fold: Annotated[
        int | None, typer.Option(min=0, max=5, help="leave out that fifth of the patients; 0: none")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", exists=True, help="fine-tune these weights")
    ] = None,
    again: Annotated[
        Path | None, typer.Option(metavar="RUN", exists=True, help="a round after that ended run")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint")] = False,
    max_minutes: Annotated[float | None, typer.Option(help="end the run after so long")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    settings: SettingsFile = None,
) -> None:
    """Train the network on scans with drawn masks."""
    from training.loop import Limits
    from training.recipe import Request
    from training.standard import StandardPlan
    from training.terminal import train_visibly

    table = _load(settings).training.model_dump()
    share = table.pop("validation_share")
    request = Request(data, out, split, share, resume, recipe.value, fold, start, again)
    plan = StandardPlan(**table)
    train_visibly(request, plan, Limits(max_minutes, device, plan.seed), typer.echo)


@app.command()
def evaluate(
    data: DataFolder,
    split: SplitFile = None,
    subset: Annotated[str | None, typer.Option(help="which list of the split file")] = None,
    weights: Annotated[
        Path | None, typer.Option(exists=True, help="safetensors; else those shipped")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write all figures")] = None,
    page: Annotated[Path | None, typer.Option(help="draw one page as PNG")] = None,
    quality: Annotated[Quality, typer.Option(help="best takes more time")] = Quality.FAST,
    out_of_fold: Annotated[
        bool, typer.Option("--out-of-fold", help="each patient by the network that never saw it")
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """Measure the network against drawn masks, per patient."""
    from model.segmentation import Rules
    from training.figures import evaluate_visibly

    loaded = _load(settings)
    model, seed = loaded.model, loaded.training.seed if out_of_fold else None
    rules = Rules(model.threshold, model.smallest_lesion_mm3, quality is Quality.BEST)
    evaluate_visibly(data, split, subset, weights, rules, (json_file, page), seed, typer.echo)


@app.command()
def bench(
    scan: Annotated[Path | None, typer.Option(exists=True, help="else made-up scans")] = None,
    training: Annotated[bool, typer.Option("--training", help="the training step as well")] = False,
    json: AsJson = False,
) -> None:
    """Measure the speed on this machine, as ratios of one run."""
    from daemon.bench import bench_visibly
    from training.bench import common_rows, training_rows

    bench_visibly(scan, common_rows, training_rows if training else None, json, typer.echo)


def _load(settings: Path | None) -> "Settings":
    from daemon.settings import load_settings

    return load_settings(settings)


if __name__ == "__main__":
    main()
