"""Chats, by apprise: one message to each of its addresses, which hold secrets and stay in a file.

An address is known here by a hash. What apprise was given may have arrived, whatever it says of it
later, unless it says that it failed.
"""

import hashlib

from daemon.background import in_thread
from daemon.notifications.channels import Answer, Handing, Outcome, later
from daemon.notifications.messages import Written
from daemon.settings.notify import NotifySettings, Receiver

CHARACTERS = 12  # of the hash that names an address


class Chat:
    """One receiver's."""

    def __init__(self, settings: NotifySettings, to: Receiver) -> None:
        self._to, self._seconds = to, settings.answer_seconds

    async def send(self, message: Written, address: str, handing: Handing) -> Answer:
        """Send it to the one whose hash `address` is."""
        try:
            found = {name_of(url): url for url in chat_urls(self._to.secret())}
        except (OSError, UnicodeError):
            found = {}
        if address not in found:
            return later("secret")
        await handing()
        try:
            taken = await in_thread(
                lambda: _notify(found[address], message, self._seconds), 2 * self._seconds
            )
        except TimeoutError:
            return Answer(Outcome.UNCLEAR, "", "broken_off")
        return Answer(Outcome.SENT, "", "sent") if taken else later("chat")


def chat_urls(secret: str) -> list[str]:
    """The addresses of a file, one a line; empty lines and those that begin with # are none."""
    lines = (line.strip() for line in secret.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def name_of(url: str) -> str:
    """A name for an address that tells nothing of it."""
    return hashlib.sha256(url.encode()).hexdigest()[:CHARACTERS]


def is_known(url: str) -> bool:
    """Whether apprise can send there at all."""
    import apprise

    return apprise.Apprise.instantiate(url) is not None


def _notify(url: str, message: Written, seconds: float) -> bool:
    """In a thread. Nothing is kept on the disk, and no picture of another host is named."""
    import apprise

    asset = apprise.AppriseAsset(
        storage_mode=apprise.PersistentStoreMode.MEMORY, service_timeout=seconds
    )
    asset.app_id, asset.app_desc, asset.app_url = "gliowatch", "gliowatch", ""
    asset.image_url_mask = asset.image_url_logo = ""
    service = apprise.Apprise(asset=asset)
    return service.add(url) and bool(service.notify(body=message.text, title=message.subject))
