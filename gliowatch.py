"""The front door: one command, whose subcommands import what they need when they are called."""

import os
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from daemon.commands.command_line import AsJson, SettingsFile, ending, load
from daemon.commands.command_line import app as about_what_is_there
from daemon.commands.dicom import app as about_dicom
from daemon.commands.machines import app as about_machines
from daemon.commands.notify import app as about_notifications
from daemon.commands.site import app as about_the_site

app = typer.Typer(
    help="Watches MRI drop folders and reports tumor size and side. Research use only.",
    epilog=ending("gliowatch init && gliowatch run", one="some of it failed"),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(about_the_site)
app.add_typer(about_what_is_there)
app.add_typer(about_dicom)
app.add_typer(about_notifications)
app.add_typer(about_machines)

UMASK = 0o027  # whatever is written holds patients: files are 0640, folders 0750
# Packages of an extra, and what they are for; those of training also for --explain.
EXTRA = dict.fromkeys(("torch", "monai", "matplotlib"), ("training", "train"))
EXTRA["pynetdicom"] = ("the DICOM node", "dicom")
EXTRA["apprise"] = ("chats", "chat")
EXTRA |= dict.fromkeys(("distributed", "dask"), ("workers on other machines", "workers"))


class Recipe(StrEnum):
    """How to train."""

    STANDARD = "standard"
    MIXED = "mixed"
    SEED = "seed"
    GATE = "gate"


OutFolder = Annotated[
    Path, typer.Option("-o", "--out", metavar="DIR", file_okay=False, help="where to write")
]
DataFolder = Annotated[
    Path,
    typer.Option(
        metavar="DIR", exists=True, file_okay=False, help="<id>/<id>_flair.nii.gz and _seg"
    ),
]
SplitFile = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="JSON with lists of patients"),
]
RecipeChoice = Annotated[
    Recipe, typer.Option(help="ours, ours on several sets, the demo's, the gate's")
]
FoldNumber = Annotated[
    int | None, typer.Option(min=0, max=5, help="leave out that fifth of the patients; 0: none")
]
StartWeights = Annotated[
    Path | None,
    typer.Option("--from", exists=True, dir_okay=False, help="fine-tune these weights"),
]
EndedRun = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        exists=True,
        file_okay=False,
        help="continue training from a finished run",
    ),
]
PreparedScans = Annotated[
    Path | None, typer.Option(help="prepared scans, made if not there; else in DIR")
]


class Quality(StrEnum):
    """How thoroughly to analyze."""

    FAST = "fast"
    BEST = "best"


def main() -> None:
    """Run the command; an error that a person can read ends it with that one sentence."""
    # Before anything imports numpy: its BLAS would start threads that spin beside the network's.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from model.errors import GliowatchError

    os.umask(UMASK)
    try:
        words = sys.argv[1:] or ["--help"]
        raise SystemExit(app(words, prog_name="gliowatch", standalone_mode=False))
    except GliowatchError as error:
        sentence = str(error)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        sentence = f"The system refused: {error.strerror or type(error).__name__}{place}."
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA:
            raise
        what, extra = EXTRA[package]
        sentence = f"This needs packages of {what}: pip install 'gliowatch[{extra}]'."
    except typer.TyperException as error:
        from daemon.commands.usage import usage_sentence

        sentence = usage_sentence(error)
    typer.echo(f"gliowatch: {sentence}", err=True)
    raise SystemExit(2)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"gliowatch {version('gliowatch')}")
        raise SystemExit(0)


@app.callback()
def about_gliowatch(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="show the version and exit"
        ),
    ] = False,
) -> None:
    """Watches MRI drop folders and reports tumor size and side. Research use only."""


@app.command(
    epilog=ending("gliowatch run --once", "it cannot start", "with --once, a scan was rejected")
)
def run(
    settings: SettingsFile = None,
    once: Annotated[bool, typer.Option("--once", help="drain the inbox and exit")] = False,
) -> None:
    """Run daemon, workers, viewer, and the DICOM node where it is on, until Ctrl-C."""
    from daemon.operations.machine import refuse_contradictions
    from daemon.settings import load_settings, site_file

    file = site_file(settings)
    loaded = load_settings(file)
    refuse_contradictions(loaded, with_viewer=not once)

    from daemon.supervisor import run_all
    from viewer.app import serve

    raise SystemExit(run_all(loaded, once, serve, typer.echo, file))


@app.command(epilog=ending("gliowatch segment scan.nii.gz -o results", one="a scan cannot be read"))
def segment(
    scans: Annotated[
        list[Path], typer.Argument(metavar="SCAN...", help="files, folders of one scan")
    ],
    out: OutFolder,
    patient: Annotated[str, typer.Option(help="patient id for the report")] = "unassigned",
    quality: Annotated[
        Quality | None, typer.Option(help="best takes more time; else as the settings say")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="draw where the network looked, in DIR/.extra")
    ] = False,
    settings: SettingsFile = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="analyze what does not look like an axial FLAIR too")
    ] = False,
    workers: Annotated[
        str, typer.Option(metavar="ADDRESS", help="by gliowatch worker, on other machines")
    ] = "",
    json: AsJson = False,
) -> None:
    """Analyze scans at once, without inbox or index; no settings file is needed."""
    from daemon.commands.segment import print_analyzed, segment_once
    from daemon.pipeline.worker_tasks import analysis_rules

    loaded = load(settings)
    model = loaded.model
    if quality:
        model = model.model_copy(update={"quality": quality.value})
    rules = analysis_rules(model, out / ".extra" if explain else None)
    rules = replace(rules, anyway=anyway)
    if not workers:
        raise SystemExit(print_analyzed(segment_once(scans, out, patient, rules), json, typer.echo))
    if explain:
        raise typer.BadParameter("--explain is drawn without --workers.")
    from daemon.commands.segment_far import ManyScans, far_workers, segment_far

    many = ManyScans(tuple(scans), out, patient, rules, loaded.daemon.allowance)
    done = segment_far(many, far_workers(loaded.workers, workers), typer.echo, json)
    failed = [each for each in done if each.report is None]
    raise SystemExit(print_analyzed(done if json else failed, json, typer.echo))


@app.command(epilog=ending("gliowatch measure mask.nii.gz --scan scan.nii.gz"))
def measure(
    mask: Annotated[Path, typer.Argument(metavar="MASK.nii.gz", exists=True, dir_okay=False)],
    scan: Annotated[Path | None, typer.Option(exists=True, help="the mask's scan")] = None,
    json: AsJson = False,
) -> None:
    """Measure a binary mask: volume, diameters, side."""
    from daemon.commands.segment import measure_file, print_measured

    print_measured(measure_file(mask, scan), json, typer.echo)


@app.command(epilog=ending("gliowatch train --data cases -o trained"))
def train(
    data: DataFolder,
    out: OutFolder,
    recipe: RecipeChoice = Recipe.STANDARD,
    split: SplitFile = None,
    fold: FoldNumber = None,
    start: StartWeights = None,
    again: EndedRun = None,
    cache: PreparedScans = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint")] = False,
    max_minutes: Annotated[float | None, typer.Option(help="end the run after so long")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    settings: SettingsFile = None,
) -> None:
    """Train the network on scans with drawn masks."""
    from training.loop import Limits
    from training.recipes.standard import StandardPlan
    from training.train import Request, train_visibly

    table = load(settings).training.model_dump()
    share = table.pop("validation_share")
    request = Request(
        data=data,
        target=out,
        split_file=split,
        validation_share=share,
        resume=resume,
        recipe=recipe.value,
        fold=fold,
        start=start,
        again=again,
        cache=cache,
    )
    plan = StandardPlan(**table)
    train_visibly(request, plan, Limits(max_minutes, device, plan.seed), typer.echo)


@app.command(epilog=ending("gliowatch evaluate --data cases --json figures.json"))
def evaluate(
    data: DataFolder,
    split: SplitFile = None,
    subset: Annotated[str | None, typer.Option(help="which list of the split file")] = None,
    weights: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="safetensors; else those shipped"),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="write all figures")
    ] = None,
    page: Annotated[Path | None, typer.Option(dir_okay=False, help="draw one page as PNG")] = None,
    quality: Annotated[Quality, typer.Option(help="best takes more time")] = Quality.FAST,
    out_of_fold: Annotated[
        bool, typer.Option("--out-of-fold", help="each patient by the network that never saw it")
    ] = False,
    settings: SettingsFile = None,
) -> None:
    """Measure the network against drawn masks, per patient."""
    from model.inference.segmentation import Rules
    from training.evaluate import evaluate_visibly

    loaded = load(settings)
    model, seed = loaded.model, loaded.training.seed if out_of_fold else None
    rules = Rules(model.threshold, model.smallest_lesion_mm3, quality is Quality.BEST)
    evaluate_visibly(
        data,
        split,
        subset=subset,
        weights=weights,
        rules=rules,
        files=(json_file, page),
        out_of_fold_seed=seed,
        say=typer.echo,
    )


@app.command(epilog=ending("gliowatch bench --json"))
def bench(
    scan: Annotated[Path | None, typer.Option(exists=True, help="else made-up scans")] = None,
    training: Annotated[bool, typer.Option("--training", help="the training step as well")] = False,
    batch: Annotated[int, typer.Option(metavar="N", min=0, help="so many through the daemon")] = 0,
    json: AsJson = False,
) -> None:
    """Measure the speed on this machine, as ratios of one run."""
    from tools.bench.bench import bench_visibly, common_rows, training_rows

    steps = training_rows if training else None
    bench_visibly(scan, common_rows, training=steps, batch=batch, as_json=json, say=typer.echo)


if __name__ == "__main__":
    main()
