"""Where other machines report: a process beside the daemon, which carries scans and answers.

It keeps nothing. When it ends, the daemon has what was on its way analyzed anew, and the machines
report again.
"""

import asyncio
import logging
import signal

from daemon.background import wish_to_stop
from daemon.logs import log_to_stderr
from daemon.machines import dask_cluster
from daemon.settings.workers import WorkersSettings

log = logging.getLogger(__name__)


def serve(workers: WorkersSettings) -> None:
    """Carry until SIGTERM or the parent's end; the parent handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    try:
        asyncio.run(_serve(workers))
    except (OSError, RuntimeError) as error:
        log.error("scheduler_refused", extra={"reason": type(error).__name__})
        raise SystemExit(1) from None


async def _serve(workers: WorkersSettings) -> None:
    stop = wish_to_stop()
    async with dask_cluster.scheduler(workers):
        await stop.wait()
