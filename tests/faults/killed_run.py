"""`gliowatch` with faults planned in: the named functions kill, hang, pause or fail by plan.

`python -m tests.faults.killed_run run …`, with FAULT_PLAN in the environment: a JSON list of
faults, each with `at` ("module:function"), `do`, and, where wanted, `when` ("before" or
"after"), `nth` (which call, from 1), `where` ("daemon" or "worker"), `value` (a text that must be
among the arguments) and `gate` (a path); or only `clock`, in seconds. Nothing in the daemon's
code knows of it: this module is the main one, so a spawned worker imports it too, and both find
the functions exchanged.
"""

import ctypes
import functools
import importlib
import inspect
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

OOM_BYTES = 300_000_000  # taken before the kill, as the kernel would find it
HANG_SECONDS = 3600.0


class Fault:
    """One planned fault, with the count of the calls so far in this process."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._calls = 0
        self._when = str(plan.get("when", "before"))

    def meet(self, when: str, values: tuple[Any, ...]) -> None:
        """Do what is planned, if this call is the one; each call that fits is counted."""
        if when != self._when or not self._fits(values):
            return
        self._calls += 1
        if self._plan.get("nth") in (None, self._calls):
            self._strike()

    def _strike(self) -> None:
        match self._plan["do"]:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segfault":
                ctypes.string_at(0)
            case "memory":
                filled = bytearray(OOM_BYTES)
                os.kill(os.getpid(), signal.SIGKILL if filled else signal.SIGTERM)
            case "hang":
                time.sleep(HANG_SECONDS)
            case "pause":
                self._wait_at_gate()

    def _fits(self, values: tuple[Any, ...]) -> bool:
        here = "worker" if multiprocessing.parent_process() else "daemon"
        wanted = self._plan.get("value")
        is_named = wanted is None or any(wanted in str(value) for value in values)
        return self._plan.get("where", here) == here and is_named

    def _wait_at_gate(self) -> None:
        """Say that the gate was reached, and wait until somebody opens it."""
        gate = Path(self._plan["gate"])
        gate.with_suffix(".reached").touch()
        while not gate.with_suffix(".open").exists():
            time.sleep(0.02)


def exchange(plan: dict[str, Any]) -> None:
    """Put the fault around its function, for all who will import it."""
    module, _, name = plan["at"].partition(":")
    owner: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, _around(getattr(owner, last), Fault(plan)))


def _around(function: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def changed_later(*values: Any, **named: Any) -> Any:
            fault.meet("before", values)
            result = await function(*values, **named)
            fault.meet("after", values)
            return result

        return changed_later

    @functools.wraps(function)
    def changed(*values: Any, **named: Any) -> Any:
        fault.meet("before", values)
        result = function(*values, **named)
        fault.meet("after", values)
        return result

    return changed


def shift_clock(seconds: float) -> None:
    """Let the time that the daemon writes down be so far from the machine's."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=seconds)

    database: Any = importlib.import_module("daemon.index.database")
    database.datetime = Shifted


for each in json.loads(os.environ.get("FAULT_PLAN", "[]")):
    if "clock" in each:
        shift_clock(each["clock"])
    else:
        exchange(each)

if __name__ == "__main__":
    from gliowatch import main

    main()
