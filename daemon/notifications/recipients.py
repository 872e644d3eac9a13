"""Where each receiver is told just now: listed addresses, those of a role, chats of a file."""

from daemon.index.database import Database
from daemon.index.people.mail_addresses import addresses_of_role
from daemon.notifications.channels import Way
from daemon.notifications.chat import Chat, chat_urls, name_of
from daemon.notifications.mail import Mail
from daemon.notifications.webhook import Webhook
from daemon.permissions import Role
from daemon.settings.notify import NotifySettings, Receiver


async def addresses_of(records: Database, to: Receiver) -> list[str]:
    """A webhook has one, ''; of a chat they are opaque. Raises OSError for a secret's file."""
    if to.by == "webhook":
        return [""]
    if to.by == "chat":
        return [name_of(url) for url in chat_urls(to.secret())]
    of_role = await addresses_of_role(records, Role(to.role)) if to.role else []
    return sorted({*to.addresses, *of_role})


def way_to(settings: NotifySettings, to: Receiver) -> Way:
    """How a receiver is told."""
    if to.by == "webhook":
        return Webhook(settings, to)
    return Chat(settings, to) if to.by == "chat" else Mail(settings)
