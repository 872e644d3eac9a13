"""Webhooks: a message as JSON by HTTP, signed together with the time of the try.

A receiver knows a message by its id, so one that was handed over without an answer goes again.
"""

import hashlib
import hmac
import time

import aiohttp

from daemon.http_session import LATER, open_session, why_not
from daemon.notifications.channels import Answer, Handing, Outcome, later
from daemon.notifications.messages import Written
from daemon.settings.notify import NotifySettings, Receiver

ID, TIME, SIGNATURE = "Gliowatch-Id", "Gliowatch-Time", "Gliowatch-Signature"
NOT_US = {401: "not_authorized", 403: "not_authorized"}
MOVED = (404, 405)


class Webhook:
    """One receiver's."""

    def __init__(self, settings: NotifySettings, to: Receiver) -> None:
        self._to, self._seconds = to, settings.answer_seconds

    async def send(self, message: Written, address: str, handing: Handing) -> Answer:
        """Send it with a fresh time and signature; other addresses are not followed."""
        try:
            secret = self._to.secret()
        except (OSError, UnicodeError):
            secret = ""
        if not secret:
            return later("secret")
        await handing()
        headers = signed_headers(secret, message, int(time.time()))
        try:
            async with (
                open_session(self._seconds, headers, self._to.tls_ca) as session,
                session.post(self._to.url, data=message.body, allow_redirects=False) as answer,
            ):
                return _answer_of(answer.status)
        except aiohttp.ClientConnectorDNSError:
            return later("address")
        except (aiohttp.ClientError, OSError) as error:
            return later(why_not(error))


def signed_headers(secret: str, message: Written, moment: int) -> dict[str, str]:
    """moment: Unix seconds. The signature is HMAC-SHA256 over the time, a dot and the body."""
    signed = f"{moment}.".encode() + message.body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        ID: message.message_id,
        TIME: str(moment),
        SIGNATURE: f"sha256={digest}",
    }


def _answer_of(status: int) -> Answer:
    code = str(status)
    if 200 <= status < 300:
        return Answer(Outcome.SENT, code, "sent")
    if status in NOT_US:
        return later(NOT_US[status], code)
    if status in (*MOVED, *LATER) or status >= 500:
        return later("server", code)
    return Answer(Outcome.REFUSED, code, "http")
