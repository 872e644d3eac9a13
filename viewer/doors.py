"""One address of the viewer with what it needs and what the audit notes of it."""

import re
from dataclasses import dataclass

from aiohttp import web

from daemon.index.audit import Action
from daemon.roles import Right

IDS = ("scan_id", "patient_key", "account_id", "token_id")  # opaque, so they may be noted
OPAQUE = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True)
class Door:
    """needs: the right to come in, None = anybody may; notes: the action, None = nothing."""

    needs: Right | None
    route: web.RouteDef
    notes: Action | None = None

    @property
    def path(self) -> str:
        """The address with names in place of ids."""
        return self.route.path

    def subject(self, request: web.Request) -> str:
        """The opaque id in an address, or what page it is."""
        found = (request.match_info.get(name, "") for name in IDS)
        return next((each for each in found if OPAQUE.fullmatch(each)), self.path)


def doors_of(doors: tuple[Door, ...]) -> dict[tuple[str, str], Door]:
    """The table of the guard, by method and address."""
    return {(door.route.method, door.path): door for door in doors}


DOORS = web.AppKey("doors", dict[tuple[str, str], Door])
