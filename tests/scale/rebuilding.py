"""How fast an index is made again: `python -m tests.scale.rebuilding [--results N]`.

An outbox of so many invented results of 3 kB, each with its report and one dropped file.
"""

import argparse
import asyncio
import json
import random
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from daemon.operations.rebuild import rebuild
from daemon.settings import Settings
from tests.scale.people import patient_id_of
from tests.scale.reports import report_of
from tests.viewer.test_house import settings_in


def main() -> None:
    """Fill an outbox, make the index, print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale.rebuilding")
    parser.add_argument("--results", type=int, default=50_000)
    count = parser.parse_args().results
    with TemporaryDirectory(prefix="rebuilding-") as place:
        settings = settings_in(Path(place))
        fill(settings.daemon.outbox, count)
        settings.daemon.inbox.mkdir(exist_ok=True)
        settings.daemon.index.unlink(missing_ok=True)
        print(json.dumps(measure(settings)), flush=True)


def fill(outbox: Path, count: int) -> None:
    """Results of half as many patients."""
    chance = random.Random(1)
    for number in range(count):
        patient, scan_id = patient_id_of(number // 2), f"{number:020x}"
        report = report_of(scan_id, patient, 1, chance)
        content = b"%d" % number
        report["input"] = report["input"] | {"kind": "nifti", "sha256": sha256(content).hexdigest()}
        folder = outbox / patient / scan_id
        (folder / "source").mkdir(parents=True)
        (folder / "source" / "scan.nii").write_bytes(content)
        (folder / f"{scan_id}_report.json").write_text(json.dumps(report, indent=1) + "\n")


def measure(settings: Settings) -> dict[str, float]:
    """Seconds and results a second."""
    began = time.monotonic()
    found = asyncio.run(rebuild(settings.daemon))
    seconds = time.monotonic() - began
    return {
        "results": found.results,
        "unreadable": found.unreadable,
        "seconds": round(seconds, 1),
        "results a second": round(found.results / seconds),
    }


if __name__ == "__main__":
    main()
