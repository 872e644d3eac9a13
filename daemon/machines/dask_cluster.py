"""dask.distributed as this program uses it: its configuration, certificates, and its three parts.

Nothing here is loaded before it is called: the library is an extra.
"""

import logging
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from daemon.settings.workers import WorkersSettings

if TYPE_CHECKING:
    from distributed import Scheduler, Security, Worker
    from tornado.ioloop import IOLoop

Result = TypeVar("Result")
PLACE = "scan"  # the resource of which a worker has one for each slot
SILENCE_SECONDS = 20  # after which a worker that says nothing is given up
CONNECT_SECONDS = 10
CONTROL_SECONDS = 30.0  # for a word with a worker beside its scans
CONFIGURATION = {
    "distributed.scheduler.allowed-failures": 0,  # our own queue decides about another attempt
    "distributed.scheduler.worker-ttl": f"{SILENCE_SECONDS}s",
    "distributed.scheduler.no-workers-timeout": f"{SILENCE_SECONDS}s",
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s",
}
OWN_MACHINE = "127.0.0.1:0"  # the library always opens a page of its own; this one is empty
NOISE = ("distributed", "tornado", "asyncio")


def _configure() -> None:
    import dask

    dask.config.set(CONFIGURATION)
    for name in NOISE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"distributed\.")


def _security(workers: WorkersSettings) -> "Security | None":
    """Both sides show a certificate of the same authority; None on this machine alone."""
    from distributed import Security

    if not workers.is_encrypted:
        return None
    files = {
        f"tls_{role}_{kind}": getattr(workers, f"tls_{name}")
        for role in ("client", "scheduler", "worker")
        for kind, name in (("cert", "certificate"), ("key", "key"))
    }
    return Security(tls_ca_file=workers.tls_ca, require_encryption=True, **files)


def scheduler(workers: WorkersSettings) -> "Scheduler":
    """What workers and coordinators report to, to be used in an `async with`."""
    from distributed import Scheduler

    _configure()
    return Scheduler(
        host=workers.address.rpartition(":")[0],
        port=workers.place.port or 0,
        security=_security(workers),
        dashboard=False,
        dashboard_address=OWN_MACHINE,
    )


def worker(
    workers: WorkersSettings, name: str, folder: Path, listen: tuple[str | None, int]
) -> "Worker":
    """A worker that reports there, to be used in an `async with`.

    listen: address and port by which this machine is reached; None and 0 leave both open.
    """
    from distributed import Worker

    _configure()
    host, port = listen
    return Worker(
        workers.address,
        nthreads=workers.slots,
        resources={PLACE: workers.slots},
        name=name,
        local_directory=str(folder),
        security=_security(workers),
        host=host,
        port=port,
        memory_limit=0,  # what analyzes are processes of their own, with limits of their own
        dashboard=False,
        dashboard_address=OWN_MACHINE,
        death_timeout=CONNECT_SECONDS,
    )


@dataclass(frozen=True)
class Seen:
    """A worker as the scheduler knows it. key: another one after each start."""

    key: str
    name: str
    address: str
    places: int


@lru_cache(maxsize=1)
def _loop() -> "IOLoop":
    """The loop of all connections, in one thread: each would begin another one, and keep it."""
    from distributed.utils import LoopRunner

    runner = LoopRunner()
    runner.start()
    return runner.loop


async def _try(address: str, security: "Security | None") -> None:
    """Raises OSError where nobody answers: a Client that is not let in leaves much behind."""
    from distributed import Security
    from distributed.comm import connect

    used = security or Security()
    comm = await connect(address, CONNECT_SECONDS, **used.get_connection_args("client"))
    await comm.close()


class Connection:
    """A coordinator's connection; all its methods block, and may raise any OSError."""

    def __init__(self, workers: WorkersSettings) -> None:
        from distributed import Client
        from distributed.utils import sync

        _configure()
        loop, security = _loop(), _security(workers)
        sync(loop, _try, workers.reached_at, security)
        self._client = Client(
            workers.reached_at,
            security=security,
            loop=loop,
            timeout=CONNECT_SECONDS,
            set_as_default=False,
            name="gliowatch",
        )

    @property
    def is_open(self) -> bool:
        """Whether the scheduler is there; once it has gone, another connection is to be made."""
        return bool(self._client.status == "running")

    def workers(self) -> list[Seen]:
        """Those that report now."""
        found: Mapping[str, Mapping[str, object]] = self._client.scheduler_info()["workers"]
        return [
            Seen(f"{each['name']} {address}", str(each["name"]), address, _places(each))
            for address, each in found.items()
        ]

    def executor(self, address: str) -> Executor:
        """Runs functions on that worker alone, so many at a time as it has slots."""
        executor: Executor = self._client.get_executor(
            workers=[address],
            allow_other_workers=False,
            resources={PLACE: 1},
            retries=0,
            pure=False,
        )
        return executor

    def tell(self, address: str, function: Callable[..., Result], *values: object) -> Result:
        """Run a short function on a worker now, beside its scans.

        Raises whatever it raises, and TimeoutError: `Client.run` would wait for ever.
        """
        said: Mapping[str, Result] = self._client.sync(
            self._client._run,
            function,
            *values,
            workers=[address],
            callback_timeout=CONTROL_SECONDS,
        )
        return said[address]

    def close(self) -> None:
        """End it; what runs for it is forgotten there."""
        self._client.close(timeout=1)


def _places(worker: Mapping[str, object]) -> int:
    resources = worker["resources"]
    assert isinstance(resources, Mapping)
    return int(resources.get(PLACE, 0))
