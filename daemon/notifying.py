"""Telling systemd that the daemon is ready, alive or stopping, as sd_notify(3) has it."""

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Notifier:
    """Sends to the socket that NOTIFY_SOCKET names; without it, nothing is sent."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if not self._address.startswith(("/", "@")):
            self._address = ""
        self._interval = _watchdog_seconds(environment) / 4 if self._address else 0.0
        self._next = 0.0

    @property
    def pause(self) -> float | None:
        """The longest time in seconds between two calls of `alive`; None: as long as you like.

        A quarter of the watchdog's time, so that messages are less than half of it apart.
        """
        return self._interval or None

    def ready(self) -> None:
        """The start is over: whatever was waiting for this service may begin."""
        self._send("READY=1")

    def alive(self) -> None:
        """The work goes on. Only for the work loop to say, since a timer would say it always."""
        if self._interval and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._interval
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        """Without waiting and without raising: a supervisor in trouble is no reason to stop."""
        if not self._address:
            return
        is_abstract = self._address.startswith("@")
        address = "\0" + self._address[1:] if is_abstract else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), address)
        except OSError as error:
            log.warning("notify_failed", extra={"errno": error.errno})


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """The time after which systemd ends a silent service; 0 where it does not watch this one."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0
