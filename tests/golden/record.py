"""The record, and what differs from it; `python -m tests.golden.record` writes it anew.

With `--keep FOLDER` every item is also written there in full, so that the items of two checkouts
can be compared with `diff -r`.
"""

import json
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.golden.collect import SHARED, Items, collect_commands, collect_shared, collect_shipped
from tests.golden.steady import digest

RECORD = Path(__file__).parent / "record.json"
PACKAGES = (
    *("openvino", "numpy", "scipy", "nibabel", "pydicom", "highdicom", "pillow", "reportlab"),
    *("uharfbuzz", "isal", "aiohttp", "watchdog", "torch", "monai", "matplotlib", "typer"),
)
PROCESSOR_KINDS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
PARTS: dict[str, Callable[[Path], Items]] = {
    "shipped": collect_shipped,
    "shared": collect_shared,
    "commands": collect_commands,
}


def made_on() -> dict[str, str]:
    """What the bytes depend on beside our code: Python, packages and the processor's kind."""
    found = {name: version(name) for name in PACKAGES}
    information = Path("/proc/cpuinfo")
    flags = set(information.read_text().split()) if information.exists() else set()
    kinds = " ".join(kind for kind in PROCESSOR_KINDS if kind in flags)
    return {"python": platform.python_version(), "processor": kinds or platform.machine()} | found


def lasting(items: Items, part: str) -> dict[str, Any]:
    """What the record keeps: digests; of the shipped samples' reports, the lines."""
    whole = part == "shipped"
    return {
        name: item.splitlines()
        if whole and isinstance(item, str) and name.endswith("_report.json")
        else digest(item)
        for name, item in sorted(items.items())
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for each item that is new, gone or other, and the lines of a report that changed."""
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            found.append(
                f"{name}: {'new' if old is None else 'gone' if new is None else 'differs'}"
            )
            if isinstance(old, list) and isinstance(new, list):
                found += [f"  - {line}" for line in old if line not in new][:20]
                found += [f"  + {line}" for line in new if line not in old][:20]
    return found


def load_record() -> dict[str, Any]:
    """The record as it was written last."""
    content: dict[str, Any] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    return content


def keep(items: Items, folder: Path) -> None:
    """Write every item in full into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, item in items.items():
        content = item.encode() if isinstance(item, str) else item
        (folder / name.replace("/", "|")[:200]).write_bytes(content)


def main(words: list[str]) -> None:
    """Write the record anew and tell what changed."""
    before = load_record()
    record: dict[str, Any] = {"made_on": made_on()}
    for name, collect in PARTS.items():
        if name == "shared" and not SHARED.is_dir():
            record[name] = before.get(name, {})
            continue
        with TemporaryDirectory() as folder:
            items = collect(Path(folder).resolve() / "hospital")
        if words[:1] == ["--keep"]:
            keep(items, Path(words[1]) / name)
        record[name] = lasting(items, name)
    for name in record:
        for line in differences(before.get(name, {}), record[name]):
            sys.stdout.write(f"{name}: {line}\n")
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
