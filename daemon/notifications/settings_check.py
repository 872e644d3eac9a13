"""What is wrong in [notify] and its [[notify.to]], by itself and on this machine."""

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from daemon.notifications.chat import chat_urls, is_known
from daemon.records.scan_triage import CannotTriage, plain_label
from daemon.settings import Settings
from daemon.settings.errors import Fault, Stops
from daemon.settings.notify import MAIL_ADDRESS, OF_SCANS, Event, NotifySettings, Receiver
from daemon.settings.remote_systems import secret_of
from daemon.settings.workers import is_loopback

SHORTEST_SECRET = 16  # characters


def notify_contradictions(settings: Settings) -> Iterator[Fault]:
    """What contradicts itself."""
    notify = settings.notify
    names = [to.name for to in notify.to]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _of(f'two tables have the name "{name}": what was sent is noted under it.')
    for to in notify.to:
        wrong = {"mail": _wrong_mail, "webhook": _wrong_webhook, "chat": _wrong_chat}[to.by]
        for why in (*wrong(to), *_wrong_rule(to)):
            yield _of(f'"{to.name}": {why}')
    if any(to.by == "mail" for to in notify.to):
        yield from _wrong_server(notify)
    place = urlsplit(notify.link)
    if notify.link and (place.scheme not in ("http", "https") or not place.hostname):
        sentence = "notify.link is no address such as https://flair.hospital.example."
        yield Fault(("notify.link",), sentence, Stops.RUN)


def notify_on_machine(settings: Settings) -> Iterator[Fault]:
    """What the receivers need here: packages, secrets, files."""
    notify = settings.notify
    for to in notify.to:
        for why in _missing(to):
            yield _of(f'"{to.name}": {why}')
    if not any(to.by == "mail" for to in notify.to):
        return
    if notify.mail_ca and not os.access(notify.mail_ca, os.R_OK):
        sentence = f"notify.mail_ca, {notify.mail_ca}, cannot be read by this user."
        yield Fault(("notify.mail_ca",), sentence, Stops.RUN)
    if notify.mail_user and not _secret(notify.mail_password_file, notify.mail_password_variable):
        sentence = (
            "notify.mail_user is set, and the password is not: notify.mail_password_file cannot"
            " be read or is empty, or the variable notify.mail_password_variable is not set."
        )
        yield Fault(("notify.mail_password_file",), sentence, Stops.RUN)


def _of(why: str) -> Fault:
    return Fault(("notify.to",), f"[[notify.to]]: {why}", Stops.RUN)


def _wrong_server(notify: NotifySettings) -> Iterator[Fault]:
    if not notify.mail_host:
        sentence = "notify.mail_host is empty: name the mail server."
        yield Fault(("notify.mail_host",), sentence, Stops.RUN)
    if not re.match(MAIL_ADDRESS, notify.mail_from):
        sentence = "notify.mail_from is no mail address such as gliowatch@hospital.example."
        yield Fault(("notify.mail_from",), sentence, Stops.RUN)
    if notify.mail_tls == "none" and notify.mail_host and not is_loopback(notify.mail_host):
        sentence = (
            'notify.mail_tls = "none" would send mails unencrypted to another machine: write'
            ' "starttls" or "tls".'
        )
        yield Fault(("notify.mail_tls",), sentence, Stops.RUN)


def _wrong_mail(to: Receiver) -> Iterator[str]:
    if not to.addresses and not to.role:
        yield "mail needs addresses or role."
    for key in ("url", "tls_ca", "secret_file", "secret_variable"):
        if getattr(to, key):
            yield f"{key} is not for mail; the mail server stands in [notify]."


def _wrong_webhook(to: Receiver) -> Iterator[str]:
    place = urlsplit(to.url)
    if place.scheme not in ("http", "https") or not place.hostname:
        yield "webhook needs url, such as https://desk.hospital.example/hooks/gliowatch."
    elif place.username or place.password:
        yield "url holds a name or a password: the signature says who sends."
    elif place.scheme == "http" and not is_loopback(place.hostname):
        yield "url would go over http unencrypted: write https."
    yield from _not_mail(to)


def _wrong_chat(to: Receiver) -> Iterator[str]:
    if to.url or to.tls_ca:
        yield "url and tls_ca are not for chat: its addresses stand in secret_file, one a line."
    yield from _not_mail(to)


def _not_mail(to: Receiver) -> Iterator[str]:
    if to.addresses or to.role:
        yield f"addresses and role are not for {to.by}."
    if bool(to.secret_file) == bool(to.secret_variable):
        yield f"{to.by} needs secret_file or secret_variable, and not both."


def _wrong_rule(to: Receiver) -> Iterator[str]:
    if not to.events:
        yield "events is empty: nothing would be told."
    if to.scans and not set(OF_SCANS) & set(to.events):
        yield "scans is set, and no event of a scan is in events: it has no effect."
    if to.labels and not set(OF_SCANS) - {Event.FAILED} & set(to.events):
        yield (
            "labels is set, and scan_done, needs_review and urgent are not in events: what failed"
            " has no label."
        )
    for label in to.labels:
        try:
            plain_label(label)
        except CannotTriage as error:
            yield f"labels: {error}"


def _missing(to: Receiver) -> Iterator[str]:
    if to.tls_ca and not os.access(to.tls_ca, os.R_OK):
        yield f"tls_ca, {to.tls_ca}, cannot be read by this user."
    if to.by == "mail":
        return
    if to.by == "chat" and find_spec("apprise") is None:
        yield "chat needs a further package: pip install 'gliowatch[chat]'."
        return
    secret = _secret(to.secret_file, to.secret_variable)
    if not secret:
        yield "the file of its secret cannot be read or is empty, or its variable is not set."
    elif to.by == "webhook" and len(secret) < SHORTEST_SECRET:
        yield f"its secret must have {SHORTEST_SECRET} characters or more."
    elif to.by == "chat":
        for number, url in enumerate(chat_urls(secret), 1):
            if not is_known(url):
                yield f"apprise does not know what address {number} of its file is."


def _secret(file: str, variable: str) -> str:
    """'' where it cannot be read."""
    try:
        return secret_of(file, variable)
    except (OSError, UnicodeError):
        return ""
