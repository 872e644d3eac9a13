"""The other machines on the System page: what each does, and what it did."""

from dataclasses import dataclass

from daemon.machines.activity_file import MachineSeen, account_file, read_account
from daemon.outputs.catalogue import text
from daemon.settings import Settings

MEGABYTE = 1e6


@dataclass(frozen=True)
class Row:
    """One machine in words."""

    name: str
    state: str
    is_wrong: bool
    running: str
    scans: int
    seconds: str
    failures: int
    traffic: str


def machines_of(settings: Settings) -> tuple[MachineSeen, ...]:
    """Those that have reported since the daemon began; none where the settings name no address."""
    return read_account(account_file(settings.daemon)) if settings.workers.on else ()


def places_of(machines: tuple[MachineSeen, ...]) -> int:
    """How many scans they analyze at the same time, as they are now."""
    return sum(each.places for each in machines if each.is_there and not each.rests)


def where_of(machines: tuple[MachineSeen, ...]) -> dict[int, str]:
    """The machine that each drop is on, by the drop's number."""
    return {number: each.name for each in machines for number in each.running}


def row_of(machine: MachineSeen) -> Row:
    """One machine as the table has it."""
    seconds = machine.seconds / machine.scans if machine.scans else None
    return Row(
        name=machine.name,
        state=_state(machine),
        is_wrong=bool(machine.refusal) or machine.rests,
        running=text("machines.running", running=len(machine.running), places=machine.places),
        scans=machine.scans,
        seconds=text("machines.none") if seconds is None else f"{seconds:.1f}",
        failures=machine.failures,
        traffic=text(
            "machines.traffic",
            sent=machine.sent / MEGABYTE,
            received=machine.received / MEGABYTE,
        ),
    )


def _state(machine: MachineSeen) -> str:
    if machine.refusal:
        return machine.refusal
    if machine.rests:
        return text("machines.rests")
    return text("machines.there" if machine.is_there else "machines.away")
