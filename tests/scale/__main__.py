"""The benchmark: `python -m tests.scale [--scans 1000000] [--folder F] [--markdown F] [--json F]`.

Makes the databases, unless the folder has them, starts the viewer, and prints what each page took.
"""

import argparse
import asyncio
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import ClientSession, TCPConnector

from daemon.settings import Settings
from tests.scale import questions
from tests.scale.filling import make
from tests.scale.live import OPEN_LISTS, live_share
from tests.scale.site import Visitor, free_port, memory_mb, running, site_in, viewer, visitors
from tests.scale.timing import CONNECTIONS, Timing, timed
from tests.scale.verifying import differences

LIVE_SECONDS = 20


def main() -> None:
    """Run what the options ask for."""
    options = _options()
    with _folder(options.folder) as folder:
        settings = site_in(folder)
        facts: dict[str, Any] = {"machine": f"{os.cpu_count()} cores, {platform.processor()}"}
        if not settings.daemon.index.exists():
            facts["seconds"] = asyncio.run(make(settings.daemon, options.scans, options.patients))
            facts["rows unlike the triggers'"] = asyncio.run(differences(settings.daemon, 500))
            print(facts, flush=True)
        who = visitors(settings, OPEN_LISTS // 4 + 1)
        timings = asyncio.run(_measure(settings, who, options.seconds, facts))
    print(json.dumps(facts, indent=1))
    if options.markdown:
        options.markdown.write_text(_table(timings))
    if options.json:
        every = {f"{group}: {name}": asdict(each) for (group, name), each in timings.items()}
        options.json.write_text(json.dumps(facts | {"timings": every}, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.scale", description="Benchmark.")
    parser.add_argument("--scans", type=int, default=1_000_000)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="keep the databases here, and use them again")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each kind of page")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument("--json", type=Path, help="write all figures here")
    return parser.parse_args()


@contextmanager
def _folder(asked: Path | None) -> Iterator[Path]:
    with TemporaryDirectory(prefix="scale-") as passing:
        folder = asked or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


Timings = dict[tuple[str, str], Timing]


async def _measure(
    settings: Settings, who: list[Visitor], seconds: float, facts: dict[str, Any]
) -> Timings:
    port = free_port()
    timings: Timings = {}
    async with ClientSession(connector=TCPConnector(limit=200)) as session:
        base = f"http://127.0.0.1:{settings.viewer.port}"
        with viewer(settings) as pid:
            facts["MB at the start"] = memory_mb(pid)
            for each in await _questions(session, settings, base, who[0]):
                headers = who[0].bearer if each.is_api else who[0].headers
                addresses = [base + path for path in each.paths]
                took = await timed(addresses, headers, seconds)
                timings[each.group, each.name] = took
                print(f"{each.group:22} {each.name:22} {took}", flush=True)
            facts["MB after it"] = memory_mb(pid)
            share = live_share(session, settings, base, who, pid, LIVE_SECONDS)
            facts["% of a core for live lists"] = await share
            facts["MB at most"] = memory_mb(pid, "VmHWM")
        with running("tests.scale.plain_flask", "serve_flask", port, settings, port):
            took = await timed([f"http://127.0.0.1:{port}/"], {}, seconds)
            timings["waitress + Flask", "as it opens"] = took
            print("waitress + Flask", took, flush=True)
    return timings


async def _questions(
    session: ClientSession, settings: Settings, base: str, who: Visitor
) -> list[questions.Question]:
    return [
        *questions.worklist(settings),
        *await questions.searches(session, base, who),
        *questions.patients(settings),
        *questions.scans(settings),
    ]


def _table(timings: Timings) -> str:
    """One line a group: its slowest page."""
    lines = [
        f"| {CONNECTIONS} connections | slowest of | p50 ms | p95 ms | a second | kB |",
        "|---|---|---|---|---|---|",
    ]
    for group in dict.fromkeys(group for group, _ in timings):
        alike = {name: took for (its, name), took in timings.items() if its == group}
        name, took = max(alike.items(), key=lambda item: item[1].p95_ms)
        figures = (took.p50_ms, took.p95_ms, took.per_second, took.kb)
        what = f"{name} (of {len(alike)})"
        lines.append(f"| {group} | {what} | {' | '.join(str(each) for each in figures)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
