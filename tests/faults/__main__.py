"""The long form: `python -m tests.faults [--rows 1,2] [--scale 1.0] [--markdown F] [--json F]`.

Runs the rows one after the other and prints a table; exits 1 if any row failed.
"""

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import save_small_weights
from tests.faults.account import Outcome
from tests.faults.rows import ROWS, Row

HEADINGS = ("row", "what", "scans", "faults", "lost", "twice", "stuck", "recovered s", "outcome")


def main() -> int:
    """Run what the options ask for; the exit code."""
    options = _options()
    numbers = options.rows.split(",") if options.rows else list(ROWS)
    outcomes: dict[str, Outcome] = {}
    with TemporaryDirectory(prefix="faults-") as folder:
        weights = Path(folder) / "small.safetensors"
        save_small_weights(weights)
        for number in numbers:
            outcomes[number] = _run(ROWS[number], Path(folder) / f"row{number}", weights, options)
            print(_line(number, outcomes[number]), flush=True)
    table = _table(outcomes)
    print(f"\n{table}")
    if options.markdown:
        options.markdown.write_text(f"{table}\n")
    if options.json:
        content = {number: asdict(outcome) for number, outcome in outcomes.items()}
        options.json.write_text(json.dumps(content, indent=1))
    return 0 if all(outcome.is_good for outcome in outcomes.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Fault suite.")
    parser.add_argument("--rows", default="", help="numbers with commas; all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="1.0: the full counts")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument("--json", type=Path, help="write all outcomes here")
    parser.add_argument("--keep", type=Path, help="move the folder of a failed row here")
    return parser.parse_args()


def _run(row: Row, folder: Path, weights: Path, options: argparse.Namespace) -> Outcome:
    """One row; an error of the row itself is an outcome too, and the next row goes on."""
    began = time.monotonic()
    try:
        outcome = row(folder, weights, options.scale)
    except Exception as error:
        outcome = Outcome(row.__name__, problems=[f"{type(error).__name__}: {error}"])
    outcome.notes.append(f"took {time.monotonic() - began:.0f} s")
    if options.keep and not outcome.is_good and folder.exists():
        shutil.copytree(folder, options.keep / folder.name, symlinks=True, dirs_exist_ok=True)
    return outcome


def _table(outcomes: dict[str, Outcome]) -> str:
    lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    return "\n".join([*lines, *(_line(number, each) for number, each in outcomes.items())])


def _line(number: str, outcome: Outcome) -> str:
    verdict = (
        "passed"
        if outcome.is_good
        else "FAILED: " + ("; ".join(outcome.problems) or "see the counts")
    )
    verdict = f"skipped: {outcome.skipped}" if outcome.skipped else verdict
    facts = (number, outcome.title, outcome.dropped, outcome.faults, outcome.lost, outcome.twice)
    more = (outcome.stuck, outcome.seconds, f"{verdict} ({'; '.join(outcome.notes)})")
    return f"| {' | '.join(str(each).replace('|', '/') for each in (*facts, *more))} |"


if __name__ == "__main__":
    sys.exit(main())
