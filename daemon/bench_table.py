"""What `gliowatch bench` found, as lines for a terminal."""

from collections.abc import Callable
from typing import Any

from daemon.bench_targets import COMMON, COMMON_MISSING

Say = Callable[[str], object]
BUSY = 0.5  # load of a machine, in threads of it, from which on its figures are worth little
BUSY_WORDS = (
    "Other programs were running: ratios to the common way are too high then, for torch's threads"
    " wait for each other. Repeat it on a quiet machine."
)


def print_bench(content: dict[str, Any], say: Say) -> None:
    """Machine, then for each scan its stages in milliseconds and the ratios with their targets."""
    say(", ".join(f"{name} {value}" for name, value in content["machine"].items()))
    if content["machine"].get("load", 0.0) > BUSY * content["machine"].get("threads", 1):
        say(BUSY_WORDS)
    for scan in content["scans"]:
        say("")
        say(
            f"{scan['scan']}: {scan['slices']} slices, {scan['judged_slices']} of them judged;"
            f" GEMM {scan['gemm_gflop_per_s']} GFLOP/s"
        )
        _print_part(scan, say)
    if COMMON not in {row["name"] for scan in content["scans"] for row in scan["rows"]}:
        say(COMMON_MISSING)
    if "batch" in content:
        _print_batch(content["batch"], say)
    if "training" in content:
        say("")
        say("training")
        _print_part(content["training"], say)


def _print_batch(batch: dict[str, Any], say: Say) -> None:
    say("")
    say(
        f"{batch['scans']} copies of {batch['scan']} through the daemon: {batch['seconds']} s,"
        f" {batch['scans_per_hour']} an hour; the model alone takes {batch['model_seconds']} s"
    )
    spent = ", ".join(f"{name} {value}" for name, value in batch["processor_seconds"].items())
    say(
        f"  processor seconds a scan: {spent}; of them {batch['apart_processor_seconds']} with"
        f" targets of their own; processors busy {batch['processors_busy']}"
    )
    _print_part(batch, say)


def _print_part(part: dict[str, Any], say: Say) -> None:
    say(f"  {'ms':>46}  {'middle half':>20}  rounds")
    for row in part["rows"]:
        spread = f"{1000 * row['low']:.1f} to {1000 * row['high']:.1f}"
        say(f"  {row['name']:36}{1000 * row['median']:10.1f}  {spread:>20}  {row['rounds']}")
    for ratio in part["ratios"]:
        if "met" not in ratio:
            say(f"  {ratio['what']}: {ratio['value']}")
            continue
        bound, target = ("at least", "at_least") if "at_least" in ratio else ("at most", "at_most")
        word = "met" if ratio["met"] else "MISSED"
        say(f"  {ratio['what']}: {ratio['value']}, {bound} {ratio[target]} wanted: {word}")
