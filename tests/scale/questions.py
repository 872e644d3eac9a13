"""What the benchmark asks: every filter, order, search and kind of page, near and far down."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from daemon.index.worklist_pages import ORDERS
from daemon.settings import Settings
from tests.scale.site import Visitor
from viewer.templating import FINDINGS
from viewer.worklist.rows import SIDES, STATES

ALL = "arrived=all"
DEEP = 40  # places far down, so that not the same page is asked for again and again
WORDS = {"common name": "Müller", "name": "nuroska lee", "syllables": "romonu", "ID": "P000123"}
SHORT = {"accession": "ACC00000123", "two letters": "李", "an ID's beginning": "P0000"}


@dataclass(frozen=True)
class Question:
    """Addresses that are asked for in turn. group: what its slowest page is told for."""

    group: str
    name: str
    paths: tuple[str, ...]
    is_api: bool = False


def worklist(settings: Settings) -> Iterator[Question]:
    """The worklist: as it opens, narrowed, sorted, and far down in each order."""
    yield Question("worklist, first page", "as it opens", ("/",))
    yield Question("worklist, first page", "all times", (f"/?{ALL}",))
    for name, values in (("state", [*STATES, "open"]), ("finding", FINDINGS), ("side", SIDES)):
        for value in values:
            yield Question("filter", f"{name}={value}", (f"/?{name}={value}&{ALL}",))
    for query in ("flag=low_confidence", "flag=date_unknown", "unreviewed=1"):
        yield Question("filter", query, (f"/?{query}&{ALL}",))
    several = f"/?finding=tumor&side=left&flag=several_places&unreviewed=1&{ALL}"
    yield Question("filter", "four at once", (several,))
    yield Question("filter", "a year", ("/?first=2023-01-01&last=2023-12-31&finding=tumor",))
    places = _row_ids(settings)
    for order in ORDERS:
        for way in ("asc", "desc"):
            sort = f"/?sort={order}&dir={way}&{ALL}"
            yield Question("order", f"{order} {way}", (sort,))
        deep = tuple(f"/?sort={order}&dir=asc&{ALL}&after={place}" for place in places)
        yield Question("deep page", order, deep)


async def searches(session: ClientSession, base: str, who: Visitor) -> list[Question]:
    """By name, ID and accession number, in both lists; the viewer is asked for the keys."""
    found = []
    for name, text in (WORDS | SHORT).items():
        form = {"csrf": who.csrf, "text": text, "back": "/"}
        async with session.post(
            f"{base}/searches", data=form, headers=who.headers, allow_redirects=False
        ) as answer:
            key = answer.headers["Location"].split("q=")[1]
        found.append(Question("search, worklist", name, (f"/?q={key}",)))
        found.append(Question("search, patients", name, (f"/patients?q={key}",)))
    return found


def patients(settings: Settings) -> Iterator[Question]:
    """The list of patients in each order, near and far down."""
    keys = _patient_keys(settings)
    for order in ("name", "id", "last"):
        yield Question("patients, first page", order, (f"/patients?order={order}",))
        deep = tuple(f"/patients?order={order}&after={key}" for key in keys)
        yield Question("patients, deep page", order, deep)
    yield Question("one of them", "patient", tuple(f"/patients/{key}" for key in keys))


def scans(settings: Settings) -> Iterator[Question]:
    """Pages of scans, and what the API says."""
    ids = _scan_ids(settings)
    yield Question("one of them", "scan", tuple(f"/scans/{each}" for each in ids))
    api = "/api/v1"
    yield Question("API", "worklist", (f"{api}/worklist?{ALL}",), True)
    yield Question("API", "patients", (f"{api}/patients",), True)
    yield Question("API", "scan", tuple(f"{api}/scans/{each}" for each in ids), True)


def _row_ids(settings: Settings) -> list[int]:
    """Rows anywhere in the list: in any order most of them stand far down."""
    most = _ask(settings, "SELECT max(row_id) FROM worklist")
    chance = random.Random(5)
    return [chance.randrange(most // 10, most) for _ in range(DEEP)]


def _scan_ids(settings: Settings) -> list[str]:
    chance = random.Random(6)
    sql = "SELECT scan_id FROM worklist WHERE row_id >= ? AND scan_id IS NOT NULL LIMIT 1"
    most = _ask(settings, "SELECT max(row_id) FROM worklist WHERE scan_id IS NOT NULL")
    return [_ask(settings, sql, chance.randrange(1, most)) for _ in range(DEEP)]


def _patient_keys(settings: Settings) -> list[str]:
    chance = random.Random(7)
    with closing(sqlite3.connect(settings.daemon.records)) as records:
        rows = records.execute(
            "SELECT patient_key FROM patients WHERE patient_id NOT IN ('P000003', 'P000004')"
        ).fetchall()
    return [key for (key,) in chance.sample(rows, DEEP)]


def _ask(settings: Settings, sql: str, *values: object) -> Any:
    with closing(sqlite3.connect(settings.daemon.index)) as index:
        found = index.execute(sql, values).fetchone()
    return found[0]
