"""The worklist's address: filters, order and place, read from it and written into links.

Names of patients never stand in it: a search is an opaque key, a place the number of a row.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from daemon.index.people.patient_merges import with_merged
from daemon.index.people.patient_search import find_patients
from daemon.index.worklist_pages import NOBODY, OPEN, ORDERS, USUAL, Asked, Filters
from daemon.index.worklist_rows import begins_accession
from daemon.outputs.catalogue import text
from viewer.lookups import recall
from viewer.sessions import JOINED, SESSION, SETTINGS
from viewer.templating import FINDINGS, is_day, night_since, start_of, stored
from viewer.worklist.rows import ARRIVED, FLAGS, SIDES, STATES

MOST_KEPT = 500  # addresses
NUMBER = re.compile(r"[0-9]{1,15}")
MINE, FREE = "mine", "nobody"
ASSIGNEES = (MINE, FREE)
SETTLED = "settled"  # of those that are done, what was not analyzed and needs no person
STATES_OF = {name: (name,) for name in STATES} | {"open": OPEN, SETTLED: ()}
CHOICES: dict[str, Collection[str]] = {
    "state": STATES_OF,
    "finding": FINDINGS,
    "flag": FLAGS,
    "side": SIDES,
    "unreviewed": ("1",),
    "arrived": ARRIVED,
    "sort": ORDERS,
    "dir": ("asc", "desc"),
}


@dataclass(frozen=True)
class Address:
    """What an address of the worklist says; '' wherever it says nothing.

    first, last: days of arrival, ISO 8601; label: a label_id; assignee: an account_id or a word of
    ASSIGNEES; q: the key of a search; after, before: a row.
    """

    state: str = ""
    finding: str = ""
    flag: str = ""
    side: str = ""
    unreviewed: str = ""
    arrived: str = ""
    first: str = ""
    last: str = ""
    sort: str = ""
    dir: str = ""
    label: str = ""
    assignee: str = ""
    q: str = ""
    after: str = ""
    before: str = ""

    def link(self, path: str = "/", **changes: object) -> str:
        """The address with these changes; unless a place is among them, from the beginning."""
        new = replace(self, **({"after": "", "before": ""} | changes))  # type: ignore[arg-type]
        query = _query(new)
        return f"{path}?{query}" if query else path

    @property
    def order(self) -> str:
        """A name of ORDERS."""
        return self.sort or USUAL

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter or a search is on."""
        return self.link(sort="", dir="") != "/"

    @property
    def period(self) -> str:
        """A key of ARRIVED, or 'dates'. A search looks at all times unless one is chosen."""
        if self.first or self.last:
            return "dates"
        return self.arrived or ("all" if self.q else "recent")


@lru_cache(MOST_KEPT)
def _query(address: Address) -> str:
    """What stands behind the question mark; a page holds some twenty links, the same each time."""
    said = [(each.name, getattr(address, each.name)) for each in fields(address)]
    return urlencode([(name, value) for name, value in said if value])


def read_address(request: web.Request) -> Address:
    """The address of a request; HTTPNotFound for one that no link of ours has."""
    return _checked(request.query)


def address_of(query: str) -> Address:
    """The same of what stands behind a question mark."""
    return _checked(dict(parse_qsl(query)))


def _checked(query: Mapping[str, str]) -> Address:
    address = Address(**{each.name: query.get(each.name, "") for each in fields(Address)})
    for name, choices in CHOICES.items():
        if getattr(address, name) and getattr(address, name) not in choices:
            raise web.HTTPNotFound(text=text("fault.no_list"))
    numbers = (address.after, address.before, address.label)
    for place in (*numbers, "" if address.assignee in ASSIGNEES else address.assignee):
        if place and not NUMBER.fullmatch(place):
            raise web.HTTPNotFound(text=text("fault.no_list_page"))
    if not (is_day(address.first) and is_day(address.last)):
        raise web.HTTPNotFound(text=text("fault.no_day"))
    return address


async def asked_of(request: web.Request, address: Address) -> Asked | None:
    """What to ask the index; None if its search is not known any more."""
    typed = recall(request[SESSION], address.q) if address.q else ""
    if typed is None:
        return None
    place = address.before or address.after
    return Asked(
        await _filters(request, address, typed),
        address.order,
        address.dir == "asc",
        int(place) if place else None,
        bool(address.before),
    )


async def _filters(request: web.Request, address: Address, typed: str) -> Filters:
    since, until = arrival(request, address)
    whose = {MINE: str(request[SESSION].account_id), FREE: NOBODY}
    found = await find_patients(request.app[JOINED], typed) if typed else ()
    return Filters(
        states=STATES_OF.get(address.state, ()),
        finding=address.finding,
        flag=address.flag,
        side=address.side,
        is_unreviewed=bool(address.unreviewed),
        is_settled=address.state == SETTLED,
        arrived_since=since,
        arrived_until=until,
        patients=await with_merged(request.app[JOINED], found) if typed else None,
        label=address.label,
        assignee=whose.get(address.assignee, address.assignee),
        accession=typed if typed and await begins_accession(request.app[JOINED], typed) else "",
    )


def arrival(request: web.Request, address: Address) -> tuple[str, str]:
    """From when to when what is shown has arrived, as the index keeps moments; '' is open."""
    viewer, now, period = request.app[SETTINGS].viewer, datetime.now().astimezone(), address.period
    if period == "night":
        return stored(night_since(now, viewer.night_begins)), ""
    if period == "recent":
        return stored(now - timedelta(days=viewer.recent_days)), ""
    if period == "all":
        return "", ""
    since = stored(start_of(date.fromisoformat(address.first))) if address.first else ""
    after = date.fromisoformat(address.last) + timedelta(days=1) if address.last else None
    return since, stored(start_of(after)) if after else ""
